use super::*;
use crate::ipvs::model::{Counters, DestinationStatus, Table};
use crate::ipvs::test_strategies::{destination, service};
use proptest::prelude::*;

/// What the kernel does with a command, or the reason why it would refuse it.
fn run(table: &mut Table, command: &Command) -> Result<(), &'static str> {
    let at = |table: &Table, key: ServiceKey| {
        table
            .iter()
            .position(|status| status.service.key == key)
            .ok_or("no such service")
    };
    let status = |destination: &Destination| DestinationStatus {
        destination: destination.clone(),
        active: 0,
        inactive: 0,
        persistent: 0,
        counters: Counters::default(),
    };
    let inside = |service: &ServiceStatus, key: DestinationKey| {
        service
            .destinations
            .iter()
            .position(|status| status.destination.key() == key)
    };
    match command {
        Command::CreateService(service) => {
            if at(table, service.key).is_ok() {
                return Err("service exists");
            }
            table.push(ServiceStatus {
                service: service.clone(),
                counters: Counters::default(),
                destinations: Vec::new(),
            });
        }
        Command::EditService(service) => {
            let index = at(table, service.key)?;
            table[index].service = service.clone();
        }
        Command::DeleteService(key) => {
            let index = at(table, *key)?;
            table.remove(index);
        }
        Command::AddDestination(key, destination) => {
            let index = at(table, *key)?;
            if inside(&table[index], destination.key()).is_some() {
                return Err("destination exists");
            }
            table[index].destinations.push(status(destination));
        }
        Command::EditDestination(key, destination) => {
            let index = at(table, *key)?;
            let inner = inside(&table[index], destination.key()).ok_or("no such destination")?;
            table[index].destinations[inner] = status(destination);
        }
        Command::DeleteDestination(key, identity) => {
            let index = at(table, *key)?;
            let inner = inside(&table[index], *identity).ok_or("no such destination")?;
            table[index].destinations.remove(inner);
        }
        _ => return Err("not for reconcile"),
    }
    Ok(())
}

/// Few identities, so that two tables have much in common.
fn desired() -> impl Strategy<Value = Vec<Desired>> {
    let one = (
        service(),
        0_u16..4,
        prop::collection::vec((destination(), 0_u16..4), 0..5),
    )
        .prop_map(|(mut service, port, destinations)| {
            service.key = ServiceKey::Address {
                transport: crate::ipvs::Transport::Tcp,
                address: [192, 168, 4, 15].into(),
                port,
            };
            let destinations = destinations
                .into_iter()
                .map(|(mut destination, port)| {
                    destination.address = [192, 168, 4, 100].into();
                    destination.port = port;
                    destination
                })
                .collect();
            Desired {
                service,
                destinations,
            }
        });
    prop::collection::vec(one, 0..5).prop_map(|mut list| {
        let mut seen = HashSet::new();
        list.retain(|one| seen.insert(one.service.key));
        list
    })
}

fn web_service() -> ServiceKey {
    ServiceKey::Address {
        transport: crate::ipvs::Transport::Tcp,
        address: [192, 168, 4, 15].into(),
        port: 80,
    }
}

fn real_server(address: [u8; 4], weight: u32) -> Destination {
    Destination {
        address: address.into(),
        port: 80,
        forwarding: crate::ipvs::Forwarding::Route,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: crate::ipvs::TunnelKind::Ipip,
        tunnel_flags: 0,
    }
}

proptest! {
    #[test]
    fn the_commands_are_accepted_and_leave_nothing_to_do(
        before in desired(),
        after in desired(),
        others in prop::sample::select(vec![Others::Keep, Others::Delete]),
    ) {
        let mut table = Table::new();
        for command in reconcile(&table.clone(), &before, Others::Delete, Removal::AtOnce) {
            prop_assert_eq!(run(&mut table, &command), Ok(()));
        }
        for command in reconcile(&table.clone(), &after, others, Removal::AtOnce) {
            prop_assert_eq!(run(&mut table, &command), Ok(()));
        }
        prop_assert_eq!(reconcile(&table, &after, others, Removal::AtOnce), []);
        if others == Others::Delete {
            prop_assert_eq!(table.len(), after.len());
        }
    }

    #[test]
    fn what_stays_is_not_touched(before in desired(), after in desired()) {
        let mut table = Table::new();
        for command in reconcile(&table.clone(), &before, Others::Delete, Removal::AtOnce) {
            prop_assert_eq!(run(&mut table, &command), Ok(()));
        }
        for command in reconcile(&table, &after, Others::Delete, Removal::AtOnce) {
            prop_assert_ne!(&command, &Command::Flush);
            if let Command::EditDestination(_, destination) = &command {
                // Only ever to something else than it is.
                let key = destination.key();
                let same = table.iter().any(|status| {
                    Command::EditDestination(status.service.key, destination.clone()) == command
                        && status.destinations.iter().any(|old| {
                            old.destination.key() == key && old.destination == *destination
                        })
                });
                prop_assert!(!same);
            }
        }
    }
}

#[test]
fn a_service_never_lacks_a_destination_while_they_are_replaced() {
    let key = web_service();
    let web = |last| real_server([192, 168, 4, last], 1);
    let desired = |last| Desired {
        service: Service::new(key, "wrr"),
        destinations: vec![web(last)],
    };
    let mut table = Table::new();
    for command in reconcile(&[], &[desired(100)], Others::Keep, Removal::AtOnce) {
        run(&mut table, &command).unwrap();
    }
    let commands = reconcile(&table, &[desired(200)], Others::Keep, Removal::AtOnce);
    assert_eq!(
        commands,
        [
            Command::AddDestination(key, web(200)),
            Command::DeleteDestination(key, web(100).key())
        ]
    );
    assert_eq!(reconcile(&table, &[], Others::Keep, Removal::AtOnce), []);
    assert_eq!(
        reconcile(&table, &[], Others::Delete, Removal::AtOnce),
        [Command::DeleteService(key)]
    );
}

#[test]
fn a_busy_destination_loses_its_weight_first_and_goes_when_it_is_idle() {
    let key = web_service();
    let web = real_server([192, 168, 4, 100], 3);
    let empty = Desired {
        service: Service::new(key, "wrr"),
        destinations: Vec::new(),
    };
    let full = Desired {
        destinations: vec![web.clone()],
        ..empty.clone()
    };
    let mut table = Table::new();
    for command in reconcile(&[], &[full], Others::Keep, Removal::AtOnce) {
        run(&mut table, &command).unwrap();
    }
    let step = |table: &Table, desired: &[Desired]| {
        reconcile(table, desired, Others::Delete, Removal::WhenIdle)
    };
    table[0].destinations[0].active = 1;
    let quiet = Command::EditDestination(
        key,
        Destination {
            weight: 0,
            ..web.clone()
        },
    );
    let (emptied, quieted) = ([empty], [quiet.clone()]);
    assert_eq!(step(&table, &emptied), quieted);
    assert_eq!(step(&table, &[]), quieted);
    run(&mut table, &quiet).unwrap();
    table[0].destinations[0].inactive = 1;
    assert_eq!(step(&table, &emptied), []);
    assert_eq!(step(&table, &[]), []);
    let waiting = [Draining {
        service: key,
        destination: web.key(),
        connections: 1,
    }];
    assert_eq!(draining(&table, &emptied, Others::Keep), waiting);
    assert_eq!(draining(&table, &[], Others::Delete), waiting);
    assert_eq!(draining(&table, &[], Others::Keep), []);
    table[0].destinations[0].inactive = 0;
    assert_eq!(
        step(&table, &emptied),
        [Command::DeleteDestination(key, web.key())]
    );
    assert_eq!(step(&table, &[]), [Command::DeleteService(key)]);
}

#[test]
fn a_destination_on_the_director_itself_is_changed_like_any_other() {
    let key = web_service();
    let own = real_server([127, 0, 0, 1], 1);
    let desired = |weight| {
        [Desired {
            service: Service::new(key, "wrr"),
            destinations: vec![Destination {
                weight,
                ..own.clone()
            }],
        }]
    };
    let mut table = Table::new();
    for command in reconcile(&[], &desired(1), Others::Keep, Removal::AtOnce) {
        run(&mut table, &command).unwrap();
    }
    table[0].destinations[0].destination.forwarding = crate::ipvs::Forwarding::Local;
    let changes = |weight| reconcile(&table, &desired(weight), Others::Keep, Removal::AtOnce);
    let edit = Destination {
        weight: 1,
        ..own.clone()
    };
    assert_eq!(changes(1), [Command::EditDestination(key, edit)]);
}
