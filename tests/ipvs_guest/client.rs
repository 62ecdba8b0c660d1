//! The client against a real kernel.

use std::num::NonZeroU32;

use lvslab::ipvs::{
    Client, Command, Daemon, DaemonRole, Desired, Destination, Family, Forwarding, Granularity,
    IpvsError, Others, Refusal, Removal, Service, ServiceKey, Timeouts, Transport, TunnelKind,
    reconcile,
};

use super::check;

pub fn all() {
    check("a_new_network_has_an_empty_table", empty);
    check("services_of_every_kind_come_back_as_they_went_in", services);
    check(
        "destinations_of_every_kind_come_back_as_they_went_in",
        destinations,
    );
    check("refusals_name_the_command_and_the_reason", refusals);
    check(
        "a_batch_goes_on_after_a_refusal_and_names_it",
        batch_refusals,
    );
    check("ten_thousand_destinations_in_batches", large_batch);
    check("ten_thousand_refusals_in_batches", large_refusals);
    check(
        "reconcile_converges_and_touches_only_what_differs",
        reconcile_live,
    );
    check("timeouts_that_are_zero_are_kept", timeouts);
    check("daemons_start_are_listed_and_stop", daemons);
    check("zero_and_flush", zero_and_flush);
    check("info_is_version_1_2_1", info);
}

fn address(transport: Transport, text: &str, port: u16) -> ServiceKey {
    ServiceKey::Address {
        transport,
        address: text.parse().unwrap(),
        port,
    }
}

fn vip() -> ServiceKey {
    address(Transport::Tcp, "192.168.4.15", 80)
}

fn fwmark(mark: u32, family: Family) -> ServiceKey {
    ServiceKey::Fwmark {
        mark: NonZeroU32::new(mark).unwrap(),
        family,
    }
}

fn real_server(text: &str, port: u16) -> Destination {
    Destination {
        address: text.parse().unwrap(),
        port,
        forwarding: Forwarding::Route,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: TunnelKind::Ipip,
        tunnel_flags: 0,
    }
}

fn refusal(result: Result<(), IpvsError>) -> Refusal {
    match result.unwrap_err() {
        IpvsError::Refused(refused) => refused.reason,
        other => panic!("{other}"),
    }
}

fn empty() {
    let ipvs = Client::open().unwrap();
    assert_eq!(ipvs.table().unwrap(), []);
    assert_eq!(ipvs.service(vip()).unwrap(), None);
    assert!(ipvs.destinations(vip()).unwrap().is_empty());
    assert!(ipvs.daemons().unwrap().is_empty());
}

fn services() {
    let ipvs = Client::open().unwrap();
    let persistent = |key, seconds, granularity| Service {
        persistence: NonZeroU32::new(seconds),
        granularity,
        ..Service::new(key, "rr")
    };
    let wanted = [
        Service::new(vip(), "wrr"),
        Service::new(address(Transport::Udp, "192.168.4.15", 53), "wlc"),
        Service::new(address(Transport::Sctp, "192.168.4.15", 9), "nq"),
        Service::new(address(Transport::Tcp, "2001:db8::1", 80), "rr"),
        Service {
            flags: Service::SCHEDULER_FLAG_1 | Service::SCHEDULER_FLAG_2,
            ..Service::new(address(Transport::Tcp, "192.168.4.15", 443), "sh")
        },
        Service {
            flags: Service::ONE_PACKET,
            ..Service::new(address(Transport::Udp, "192.168.4.15", 514), "rr")
        },
        Service {
            engine: Some("sip".to_owned()),
            ..persistent(address(Transport::Udp, "192.168.4.15", 5060), 300, None)
        },
        persistent(
            address(Transport::Tcp, "192.168.4.16", 0),
            600,
            Some(Granularity::Mask("255.255.255.0".parse().unwrap())),
        ),
        persistent(
            address(Transport::Tcp, "2001:db8::1", 0),
            300,
            Some(Granularity::Prefix(64.try_into().unwrap())),
        ),
        Service::new(fwmark(8, Family::Inet), "wrr"),
        Service::new(fwmark(8, Family::Inet6), "lc"),
        Service::new(fwmark(u32::MAX, Family::Inet), "mh"),
    ];
    for service in &wanted {
        ipvs.create_service(service).unwrap();
        assert_eq!(
            &ipvs.service(service.key).unwrap().unwrap().service,
            service
        );
    }
    let mut found: Vec<_> = ipvs
        .table()
        .unwrap()
        .into_iter()
        .map(|status| status.service)
        .collect();
    let mut wanted = wanted.to_vec();
    found.sort_by_key(|service| service.key);
    wanted.sort_by_key(|service| service.key);
    assert_eq!(found, wanted);

    let changed = Service {
        persistence: None,
        engine: None,
        ..persistent(address(Transport::Udp, "192.168.4.15", 5060), 1, None)
    };
    ipvs.edit_service(&changed).unwrap();
    assert_eq!(ipvs.service(changed.key).unwrap().unwrap().service, changed);
    for service in wanted {
        ipvs.delete_service(service.key).unwrap();
    }
    assert_eq!(ipvs.table().unwrap(), []);
}

fn destinations() {
    let ipvs = Client::open().unwrap();
    let key = vip();
    ipvs.create_service(&Service::new(key, "wrr")).unwrap();
    let wanted = [
        real_server("192.168.4.100", 80),
        Destination {
            forwarding: Forwarding::Masquerade,
            weight: 0,
            upper_threshold: 2000,
            lower_threshold: 1500,
            ..real_server("192.168.4.100", 8080)
        },
        Destination {
            forwarding: Forwarding::Tunnel,
            weight: 65535,
            tunnel: TunnelKind::Gue { port: 6080 },
            tunnel_flags: 2,
            ..real_server("192.168.2.200", 80)
        },
        Destination {
            forwarding: Forwarding::Tunnel,
            tunnel: TunnelKind::Gre,
            tunnel_flags: 1,
            ..real_server("192.168.2.201", 80)
        },
        Destination {
            forwarding: Forwarding::Tunnel,
            ..real_server("2001:db8::2", 80)
        },
        Destination {
            forwarding: Forwarding::Local,
            ..real_server("127.0.0.1", 80)
        },
    ];
    for destination in &wanted {
        ipvs.add_destination(key, destination).unwrap();
    }
    let listed = || -> Vec<Destination> {
        let mut listed: Vec<_> = ipvs
            .service(key)
            .unwrap()
            .unwrap()
            .destinations
            .into_iter()
            .map(|status| status.destination)
            .collect();
        listed.sort_by_key(Destination::key);
        listed
    };
    let mut sorted = wanted.to_vec();
    sorted.sort_by_key(Destination::key);
    assert_eq!(listed(), sorted);

    // A tunnel that becomes direct routing leaves nothing of the tunnel behind.
    let changed = real_server("192.168.2.200", 80);
    ipvs.edit_destination(key, &changed).unwrap();
    assert!(listed().contains(&changed));
    ipvs.delete_destination(key, changed.key()).unwrap();
    assert!(!listed().contains(&changed));

    let key6 = address(Transport::Tcp, "2001:db8::1", 80);
    ipvs.create_service(&Service::new(key6, "wrr")).unwrap();
    ipvs.add_destination(key6, &real_server("2001:db8::2", 80))
        .unwrap();
    assert_eq!(
        ipvs.destinations(key6).unwrap()[0].destination,
        real_server("2001:db8::2", 80)
    );
}

fn refusals() {
    let ipvs = Client::open().unwrap();
    let web1 = real_server("192.168.4.100", 80);
    let service = Service::new(vip(), "wrr");
    assert_eq!(
        refusal(ipvs.add_destination(vip(), &web1)),
        Refusal::NoSuchService
    );
    assert_eq!(refusal(ipvs.edit_service(&service)), Refusal::NoSuchService);
    assert_eq!(refusal(ipvs.delete_service(vip())), Refusal::NoSuchService);
    assert_eq!(
        refusal(ipvs.create_service(&Service::new(vip(), "wwr"))),
        Refusal::NoSuchSchedulerOrEngine
    );
    ipvs.create_service(&service).unwrap();
    assert_eq!(
        refusal(ipvs.create_service(&service)),
        Refusal::ServiceExists
    );
    assert_eq!(
        refusal(ipvs.edit_destination(vip(), &web1)),
        Refusal::NoSuchDestination
    );
    assert_eq!(
        refusal(ipvs.delete_destination(vip(), web1.key())),
        Refusal::NoSuchDestination
    );
    ipvs.add_destination(vip(), &web1).unwrap();
    let error = ipvs.add_destination(vip(), &web1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot add destination 192.168.4.100:80 to tcp 192.168.4.15:80: \
         the service has this destination already"
    );
    let inverted = Destination {
        upper_threshold: 1,
        lower_threshold: 2,
        ..real_server("192.168.4.101", 80)
    };
    assert_eq!(
        refusal(ipvs.add_destination(vip(), &inverted)),
        Refusal::OutOfRange
    );
    assert_eq!(
        refusal(ipvs.add_destination(vip(), &real_server("224.0.0.1", 80))),
        Refusal::Invalid
    );
    let mixed = real_server("2001:db8::2", 80);
    assert_eq!(
        refusal(ipvs.add_destination(vip(), &mixed)),
        Refusal::Invalid
    );
}

fn batch_refusals() {
    let ipvs = Client::open().unwrap();
    let commands = [
        Command::CreateService(Service::new(vip(), "wrr")),
        Command::AddDestination(vip(), real_server("192.168.4.100", 80)),
        Command::AddDestination(vip(), real_server("192.168.4.100", 80)),
        Command::CreateService(Service::new(fwmark(1, Family::Inet), "wwr")),
        Command::AddDestination(vip(), real_server("192.168.4.200", 80)),
    ];
    let refused = ipvs.batch(&commands).unwrap();
    let reasons: Vec<_> = refused.iter().map(|one| (one.index, one.reason)).collect();
    assert_eq!(
        reasons,
        [
            (2, Refusal::DestinationExists),
            (3, Refusal::NoSuchSchedulerOrEngine)
        ]
    );
    assert_eq!(refused[0].command, commands[2]);
    assert_eq!(ipvs.table().unwrap()[0].destinations.len(), 2);
}

fn ten_thousand() -> Vec<Command> {
    let mut commands = vec![Command::CreateService(Service::new(vip(), "rr"))];
    for number in 0..10_000_u32 {
        let text = format!(
            "10.{}.{}.{}",
            number >> 16,
            (number >> 8) & 255,
            number & 255
        );
        commands.push(Command::AddDestination(vip(), real_server(&text, 80)));
    }
    commands
}

fn large_batch() {
    let ipvs = Client::open().unwrap();
    let commands = ten_thousand();
    assert_eq!(ipvs.batch(&commands).unwrap().first(), None);
    assert_eq!(ipvs.table().unwrap()[0].destinations.len(), 10_000);
}

fn large_refusals() {
    let ipvs = Client::open().unwrap();
    let commands = ten_thousand();
    let refused = ipvs.batch(&commands[1..]).unwrap();
    assert_eq!(refused.len(), 10_000);
    for (index, one) in refused.iter().enumerate() {
        assert_eq!((one.index, one.reason), (index, Refusal::NoSuchService));
    }
}

fn reconcile_live() {
    let ipvs = Client::open().unwrap();
    let desired = |weight, scheduler| Desired {
        service: Service::new(vip(), scheduler),
        destinations: vec![
            Destination {
                weight,
                ..real_server("192.168.4.100", 80)
            },
            real_server("192.168.4.200", 80),
        ],
    };
    let foreign = Service::new(fwmark(1, Family::Inet), "rr");
    ipvs.create_service(&foreign).unwrap();
    for (want, commands) in [
        (desired(1, "wrr"), 3),
        (desired(1, "wrr"), 0),
        (desired(5, "wrr"), 1),
        (desired(5, "wlc"), 1),
    ] {
        let changes = reconcile(
            &ipvs.table().unwrap(),
            std::slice::from_ref(&want),
            Others::Keep,
            Removal::AtOnce,
        );
        assert_eq!(changes.len(), commands);
        assert_eq!(ipvs.batch(&changes).unwrap(), []);
        assert_eq!(
            reconcile(
                &ipvs.table().unwrap(),
                &[want],
                Others::Keep,
                Removal::AtOnce
            ),
            []
        );
    }
    assert!(ipvs.service(foreign.key).unwrap().is_some());
    let changes = reconcile(&ipvs.table().unwrap(), &[], Others::Delete, Removal::AtOnce);
    assert_eq!(ipvs.batch(&changes).unwrap(), []);
    assert_eq!(ipvs.table().unwrap(), []);
}

fn timeouts() {
    let ipvs = Client::open().unwrap();
    let before = ipvs.timeouts().unwrap();
    assert_eq!(
        (
            before.tcp_seconds,
            before.tcp_fin_seconds,
            before.udp_seconds
        ),
        (900, 120, 300)
    );
    ipvs.set_timeouts(Timeouts {
        udp_seconds: 60,
        ..Timeouts::default()
    })
    .unwrap();
    assert_eq!(
        ipvs.timeouts().unwrap(),
        Timeouts {
            udp_seconds: 60,
            ..before
        }
    );
}

fn daemons() {
    let routes = lvslab::netlink::route::RouteSocket::open().unwrap();
    routes.add_bridge("eth0").unwrap();
    let ipvs = Client::open().unwrap();
    let master = Daemon {
        role: DaemonRole::Master,
        interface: "eth0".to_owned(),
        sync_id: 7,
        max_length_bytes: 1000.try_into().ok(),
        group: Some("224.0.0.82".parse().unwrap()),
        port: 8849.try_into().ok(),
        ttl: 2.try_into().ok(),
    };
    let missing = Daemon {
        interface: "eth9".to_owned(),
        ..master.clone()
    };
    assert_eq!(
        refusal(ipvs.start_daemon(&missing)),
        Refusal::NoSuchInterface
    );
    ipvs.start_daemon(&master).unwrap();
    assert_eq!(ipvs.daemons().unwrap(), std::slice::from_ref(&master));
    assert_eq!(refusal(ipvs.start_daemon(&master)), Refusal::DaemonRuns);
    ipvs.stop_daemon(DaemonRole::Master).unwrap();
    assert_eq!(
        refusal(ipvs.stop_daemon(DaemonRole::Master)),
        Refusal::DaemonDoesNotRun
    );
    assert!(ipvs.daemons().unwrap().is_empty());
}

fn zero_and_flush() {
    let ipvs = Client::open().unwrap();
    assert_eq!(refusal(ipvs.zero(Some(vip()))), Refusal::NoSuchService);
    ipvs.create_service(&Service::new(vip(), "rr")).unwrap();
    ipvs.zero(Some(vip())).unwrap();
    ipvs.zero(None).unwrap();
    ipvs.flush().unwrap();
    assert_eq!(ipvs.table().unwrap(), []);
}

fn info() {
    let info = Client::open().unwrap().info().unwrap();
    assert_eq!(info.version, [1, 2, 1]);
    assert!(info.connection_table_size.is_power_of_two());
}
