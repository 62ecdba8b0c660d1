//! The smallest set of commands from the table that is to the table that should be. Pure.
//!
//! What stays is never touched, so its connections live on: a changed service is edited in place, a
//! changed destination too, and new destinations come before old ones go.

use std::collections::{HashMap, HashSet};

use super::command::Command;
use super::model::{Destination, DestinationKey, Service, ServiceKey, ServiceStatus};

/// A service as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The service.
    pub service: Service,
    /// Exactly its destinations; of two with the same address and port the last one counts.
    pub destinations: Vec<Destination>,
}

/// What to do with services of the table that are not among the desired ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They belong to somebody else.
    Keep,
    /// The desired ones are all there should be.
    Delete,
}

/// Commands, in their order, that turn `current` into `desired`. Nothing when it is so already.
#[must_use]
pub fn reconcile(current: &[ServiceStatus], desired: &[Desired], others: Others) -> Vec<Command> {
    let mut commands = Vec::new();
    let found: HashMap<ServiceKey, &ServiceStatus> = current
        .iter()
        .map(|status| (status.service.key, status))
        .collect();
    let wanted: HashSet<ServiceKey> = desired.iter().map(|one| one.service.key).collect();
    if others == Others::Delete {
        commands.extend(
            current
                .iter()
                .map(|status| status.service.key)
                .filter(|key| !wanted.contains(key))
                .map(Command::DeleteService),
        );
    }
    for one in desired {
        commands.extend(reconcile_service(
            found.get(&one.service.key).copied(),
            &one.service,
            &one.destinations,
        ));
    }
    commands
}

/// [`reconcile`] for one service.
#[must_use]
pub fn reconcile_service(
    current: Option<&ServiceStatus>,
    service: &Service,
    destinations: &[Destination],
) -> Vec<Command> {
    let key = service.key;
    let mut commands = Vec::new();
    match current {
        None => commands.push(Command::CreateService(service.clone())),
        Some(status) if status.service != *service => {
            commands.push(Command::EditService(service.clone()));
        }
        Some(_) => {}
    }
    let found: HashMap<DestinationKey, &Destination> = current
        .into_iter()
        .flat_map(|status| &status.destinations)
        .map(|status| (status.destination.key(), &status.destination))
        .collect();
    let wanted: HashMap<DestinationKey, &Destination> =
        destinations.iter().map(|one| (one.key(), one)).collect();
    let mut done = HashSet::new();
    for destination in destinations {
        let identity = destination.key();
        if !done.insert(identity) {
            continue;
        }
        let destination = wanted.get(&identity).copied().unwrap_or(destination);
        match found.get(&identity) {
            None => commands.push(Command::AddDestination(key, destination.clone())),
            Some(old) if *old != destination => {
                commands.push(Command::EditDestination(key, destination.clone()));
            }
            Some(_) => {}
        }
    }
    commands.extend(
        current
            .into_iter()
            .flat_map(|status| &status.destinations)
            .map(|status| status.destination.key())
            .filter(|identity| !wanted.contains_key(identity))
            .map(|identity| Command::DeleteDestination(key, identity)),
    );
    commands
}

#[cfg(test)]
mod tests {
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
                let inner =
                    inside(&table[index], destination.key()).ok_or("no such destination")?;
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

    proptest! {
        #[test]
        fn the_commands_are_accepted_and_leave_nothing_to_do(
            before in desired(),
            after in desired(),
            others in prop::sample::select(vec![Others::Keep, Others::Delete]),
        ) {
            let mut table = Table::new();
            for command in reconcile(&table.clone(), &before, Others::Delete) {
                prop_assert_eq!(run(&mut table, &command), Ok(()));
            }
            for command in reconcile(&table.clone(), &after, others) {
                prop_assert_eq!(run(&mut table, &command), Ok(()));
            }
            prop_assert_eq!(reconcile(&table, &after, others), []);
            if others == Others::Delete {
                prop_assert_eq!(table.len(), after.len());
            }
        }

        #[test]
        fn what_stays_is_not_touched(before in desired(), after in desired()) {
            let mut table = Table::new();
            for command in reconcile(&table.clone(), &before, Others::Delete) {
                prop_assert_eq!(run(&mut table, &command), Ok(()));
            }
            for command in reconcile(&table, &after, Others::Delete) {
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
        let key = ServiceKey::Address {
            transport: crate::ipvs::Transport::Tcp,
            address: [192, 168, 4, 15].into(),
            port: 80,
        };
        let web = |last| Destination {
            address: [192, 168, 4, last].into(),
            port: 80,
            forwarding: crate::ipvs::Forwarding::Route,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: crate::ipvs::TunnelKind::Ipip,
            tunnel_flags: 0,
        };
        let desired = |last| Desired {
            service: Service::new(key, "wrr"),
            destinations: vec![web(last)],
        };
        let mut table = Table::new();
        for command in reconcile(&[], &[desired(100)], Others::Keep) {
            run(&mut table, &command).unwrap();
        }
        let commands = reconcile(&table, &[desired(200)], Others::Keep);
        assert_eq!(
            commands,
            [
                Command::AddDestination(key, web(200)),
                Command::DeleteDestination(key, web(100).key())
            ]
        );
        assert_eq!(reconcile(&table, &[], Others::Keep), []);
        assert_eq!(
            reconcile(&table, &[], Others::Delete),
            [Command::DeleteService(key)]
        );
    }
}
