//! The laws of [`diff`] and [`undo`]: nothing to do where state is as desired, something to do otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;
use crate::ipvs::{
    Counters, Destination, DestinationStatus, Forwarding, Service as VirtualService, ServiceKey,
    ServiceStatus, Transport, TunnelKind,
};
use crate::model::InterfaceName;

/// What applying `desired` to a well-behaved machine leaves; pieces that are not asked for are kept.
fn simulate_apply(desired: &Resource, observed: &Observed) -> Observed {
    match desired {
        Resource::Package(_) => Observed::Package {
            version: Some("2.4.62-1".into()),
        },
        Resource::File(f) => Observed::File {
            state: Some(FileState {
                content_base64: FileState::encode(f.content.as_bytes()),
                mode: f.mode,
                uid: 0,
                gid: 0,
                context: Some("system_u:object_r:etc_t:s0".into()),
                read_instead: None,
            }),
        },
        Resource::Sysctl(s) => Observed::Sysctl {
            value: Some(s.value.replace(' ', "\t")),
        },
        Resource::Link(_) => Observed::Link { up: Some(true) },
        Resource::Address(a) => Observed::Address {
            occurrences: vec![AddressState {
                interface: a.interface.clone(),
                address: a.address,
                label: a.label.clone().unwrap_or_else(|| a.interface.to_string()),
                broadcast: None,
            }],
        },
        Resource::DefaultRoute(d) => {
            let mut routes = vec![RouteState {
                via: Some(d.via),
                interface: d.interface.clone(),
                metric: 0,
                protocol: 4,
            }];
            if let Observed::DefaultRoute { routes: others } = observed {
                routes.extend(others.iter().filter(|r| r.metric > 0).cloned());
            }
            Observed::DefaultRoute { routes }
        }
        Resource::Service(s) => Observed::Service {
            state: Some(ServiceState {
                running: s.running,
                enabled: s.enabled,
                masked: false,
            }),
        },
        Resource::Firewall(f) => Observed::Firewall {
            zone: Some(f.zone.clone()),
        },
        Resource::Selinux(s) => Observed::Selinux {
            live: Some(s.mode),
            configured: Some(s.mode),
        },
        Resource::Ipvs(i) => Observed::Ipvs {
            status: Some(status(i, 7)),
        },
    }
}

/// The kernel's view of a service: destinations in another order, with traffic.
fn status(desired: &IpvsService, traffic: u64) -> ServiceStatus {
    ServiceStatus {
        service: desired.service.clone(),
        counters: Counters {
            connections: traffic,
            ..Counters::default()
        },
        destinations: desired
            .destinations
            .iter()
            .rev()
            .map(|destination| DestinationStatus {
                destination: destination.clone(),
                active: 3,
                inactive: 4,
                persistent: 0,
                counters: Counters::default(),
            })
            .collect(),
    }
}

fn interface() -> impl Strategy<Value = InterfaceName> {
    prop::sample::select(vec!["lo", "eth0", "eth1"]).prop_map(|name| name.parse().unwrap())
}

fn net() -> impl Strategy<Value = IpNet> {
    let four = (0_u8..4, 0_u8..=32).prop_map(|(host, prefix)| {
        let address = Ipv4Addr::new(192, 168, 4, host);
        IpNet::V4(Ipv4Net::new(address, prefix).unwrap())
    });
    let six = (0_u16..4, 0_u8..=128).prop_map(|(host, prefix)| {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, host);
        IpNet::V6(Ipv6Net::new(address, prefix).unwrap())
    });
    prop_oneof![four, six]
}

fn destination() -> impl Strategy<Value = Destination> {
    (
        1_u8..4,
        prop::sample::select(vec![
            Forwarding::Masquerade,
            Forwarding::Route,
            Forwarding::Tunnel,
        ]),
        0_u32..3,
    )
        .prop_map(|(host, forwarding, weight)| Destination {
            address: IpAddr::V4(Ipv4Addr::new(192, 168, 4, host)),
            port: 80,
            forwarding,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: TunnelKind::Ipip,
            tunnel_flags: 0,
        })
}

fn ipvs_service() -> impl Strategy<Value = IpvsService> {
    (
        prop::sample::select(vec!["rr", "wrr", "sh"]),
        prop::option::of(1_u32..600),
        prop::collection::vec(destination(), 0..4),
    )
        .prop_map(|(scheduler, persistence, mut destinations)| {
            destinations.sort_by_key(|d| d.address);
            destinations.dedup_by_key(|d| d.address);
            IpvsService {
                service: VirtualService {
                    key: ServiceKey::Address {
                        transport: Transport::Tcp,
                        address: IpAddr::V4(Ipv4Addr::new(192, 168, 4, 15)),
                        port: 80,
                    },
                    scheduler: scheduler.into(),
                    flags: 0,
                    persistence: persistence.and_then(std::num::NonZeroU32::new),
                    granularity: None,
                    engine: None,
                },
                destinations,
            }
        })
}

fn mode() -> impl Strategy<Value = SelinuxMode> {
    prop::sample::select(vec![
        SelinuxMode::Enforcing,
        SelinuxMode::Permissive,
        SelinuxMode::Disabled,
    ])
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        "[a-z]{1,8}".prop_map(|name| Resource::Package(Package { name })),
        (".{0,12}", 0_u32..0o1000).prop_map(|(content, mode)| Resource::File(File {
            path: "/etc/x".into(),
            content,
            mode,
        })),
        "[0-9]( [0-9]){0,2}".prop_map(|value| Resource::Sysctl(Sysctl {
            key: "net.ipv4.ip_forward".into(),
            value,
        })),
        interface().prop_map(|interface| Resource::Link(Link { interface })),
        (interface(), net(), prop::option::of("lo:[0-9]")).prop_map(
            |(interface, address, label)| Resource::Address(Address {
                interface,
                address,
                label,
            })
        ),
        (interface(), any::<IpAddr>())
            .prop_map(|(interface, via)| Resource::DefaultRoute(DefaultRoute { via, interface })),
        (any::<bool>(), any::<bool>()).prop_map(|(running, enabled)| Resource::Service(Service {
            name: "httpd".into(),
            running,
            enabled,
            restart_on: vec![],
        })),
        "[a-z]{1,6}".prop_map(|zone| Resource::Firewall(Firewall { zone })),
        mode().prop_map(|mode| Resource::Selinux(Selinux { mode })),
        ipvs_service().prop_map(Resource::Ipvs),
    ]
}

fn observed() -> impl Strategy<Value = Observed> {
    let address = (interface(), net(), "[a-z]{2}:[0-9]").prop_map(|(interface, address, label)| {
        AddressState {
            interface,
            address,
            label,
            broadcast: None,
        }
    });
    let route =
        (any::<Option<IpAddr>>(), interface(), 0_u32..3).prop_map(|(via, interface, metric)| {
            RouteState {
                via,
                interface,
                metric,
                protocol: 3,
            }
        });
    prop_oneof![
        any::<Option<String>>().prop_map(|version| Observed::Package { version }),
        any::<Option<Vec<u8>>>().prop_map(|content| Observed::File {
            state: content.map(|content| FileState {
                content_base64: FileState::encode(&content),
                mode: 0o644,
                uid: 0,
                gid: 0,
                context: None,
                read_instead: None,
            }),
        }),
        prop::option::of("[0-9\t]{0,3}").prop_map(|value| Observed::Sysctl { value }),
        any::<Option<bool>>().prop_map(|up| Observed::Link { up }),
        prop::collection::vec(address, 0..3)
            .prop_map(|occurrences| Observed::Address { occurrences }),
        prop::collection::vec(route, 0..3).prop_map(|routes| Observed::DefaultRoute { routes }),
        any::<Option<(bool, bool, bool)>>().prop_map(|state| Observed::Service {
            state: state.map(|(running, enabled, masked)| ServiceState {
                running,
                enabled,
                masked
            }),
        }),
        prop::option::of("[a-z]{1,6}").prop_map(|zone| Observed::Firewall { zone }),
        (prop::option::of(mode()), prop::option::of(mode()))
            .prop_map(|(live, configured)| Observed::Selinux { live, configured }),
        prop::option::of((ipvs_service(), 0_u64..9)).prop_map(|i| Observed::Ipvs {
            status: i.map(|(i, n)| status(&i, n))
        }),
    ]
}

proptest! {
    #[test]
    fn after_applying_there_is_nothing_left_to_do(desired in resource(), before in observed()) {
        let after = simulate_apply(&desired, &before);
        prop_assert_eq!(diff(&desired, &after), None);
    }

    #[test]
    fn a_state_differs_from_itself_in_nothing(state in observed()) {
        prop_assert_eq!(undo(&state, &state), None);
    }

    #[test]
    fn no_change_is_a_change_from_a_value_to_itself(desired in resource(), state in observed()) {
        if let Some(Change::Value { from, to } | Change::Text { from, to }) = diff(&desired, &state) {
            prop_assert_ne!(from, Some(to));
        }
    }

    #[test]
    fn binary_content_is_never_shown_as_text(mut content in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
        content.insert(at.index(content.len() + 1), 0);
        let state = FileState { content_base64: FileState::encode(&content), mode: 0o644, uid: 0, gid: 0, context: None, read_instead: None };
        let desired = File { path: "/x".into(), content: "text".into(), mode: 0o644 };
        let change = diff(&Resource::File(desired), &Observed::File { state: Some(state.clone()) });
        prop_assert!(matches!(change, Some(Change::Value { .. })), "{:?}", change);
        let change = undo(&Observed::File { state: Some(state) }, &Observed::File { state: None });
        prop_assert!(matches!(change, Some(Change::Value { .. })), "{:?}", change);
    }

    #[test]
    fn traffic_and_order_do_not_make_an_ipvs_service_differ(desired in ipvs_service(), traffic in any::<u64>()) {
        let state = Observed::Ipvs { status: Some(status(&desired, traffic)) };
        prop_assert_eq!(diff(&Resource::Ipvs(desired), &state), None);
    }

    #[test]
    fn ipvs_services_differ_when_their_configuration_does(a in ipvs_service(), b in ipvs_service()) {
        let state = Observed::Ipvs { status: Some(status(&b, 0)) };
        prop_assert_eq!(diff(&Resource::Ipvs(a.clone()), &state).is_none(), a == b);
    }
}

fn sysctl(value: &str) -> Resource {
    Resource::Sysctl(Sysctl {
        key: "net.ipv4.conf.all.rp_filter".into(),
        value: value.into(),
    })
}

fn value(from: Option<&str>, to: &str) -> Option<Change> {
    Some(Change::value(from.map(str::to_owned), to))
}

#[test]
fn a_desired_zero_is_a_value() {
    let one = Observed::Sysctl {
        value: Some("1".into()),
    };
    assert_eq!(diff(&sysctl("0"), &one), value(Some("1"), "0"));
    let absent = Observed::Sysctl { value: None };
    assert_eq!(diff(&sysctl("0"), &absent), value(None, "0"));
    let zero = Observed::Sysctl {
        value: Some("0".into()),
    };
    assert_eq!(diff(&sysctl("0"), &zero), None);
}

#[test]
fn a_weight_of_zero_is_a_weight() {
    let service = |weight| IpvsService {
        service: VirtualService {
            key: ServiceKey::Address {
                transport: Transport::Tcp,
                address: "192.168.4.15".parse().unwrap(),
                port: 80,
            },
            scheduler: "wrr".into(),
            flags: 0,
            persistence: None,
            granularity: None,
            engine: None,
        },
        destinations: vec![Destination {
            address: "192.168.4.100".parse().unwrap(),
            port: 80,
            forwarding: Forwarding::Route,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: TunnelKind::Ipip,
            tunnel_flags: 0,
        }],
    };
    let observed = Observed::Ipvs {
        status: Some(status(&service(1), 0)),
    };
    assert_eq!(
        diff(&Resource::Ipvs(service(0)), &observed),
        value(
            Some("192.168.4.100:80 gatewaying weight 1"),
            "192.168.4.100:80 gatewaying weight 0"
        )
    );
    assert_eq!(
        diff(
            &Resource::Ipvs(service(1)),
            &Observed::Ipvs { status: None }
        ),
        value(None, "wrr, 192.168.4.100:80 gatewaying weight 1")
    );
}

#[test]
fn an_address_counts_only_with_its_prefix_label_and_interface() {
    let desired = Resource::Address(Address {
        interface: "lo".parse().unwrap(),
        address: "192.168.4.15/32".parse().unwrap(),
        label: Some("lo:0".into()),
    });
    let state = |interface: &str, address: &str, label: &str| AddressState {
        interface: interface.parse().unwrap(),
        address: address.parse().unwrap(),
        label: label.into(),
        broadcast: None,
    };
    let wanted = "192.168.4.15/32 dev lo label lo:0";
    for (found, text) in [
        (
            state("lo", "192.168.4.15/24", "lo:0"),
            "192.168.4.15/24 dev lo label lo:0",
        ),
        (
            state("lo", "192.168.4.15/32", "lo"),
            "192.168.4.15/32 dev lo",
        ),
        (
            state("eth0", "192.168.4.15/32", "lo:0"),
            "192.168.4.15/32 dev eth0 label lo:0",
        ),
    ] {
        let occurrences = vec![found];
        assert_eq!(
            diff(&desired, &Observed::Address { occurrences }),
            value(Some(text), wanted)
        );
    }
    let twice = vec![
        state("lo", "192.168.4.15/32", "lo:0"),
        state("eth0", "192.168.4.15/24", "eth0"),
    ];
    assert_eq!(
        diff(&desired, &Observed::Address { occurrences: twice }),
        value(
            Some("192.168.4.15/32 dev lo label lo:0, 192.168.4.15/24 dev eth0"),
            wanted
        )
    );
}

#[test]
fn a_default_route_counts_only_when_it_is_the_one_used() {
    let desired = Resource::DefaultRoute(DefaultRoute {
        via: IpAddr::from([192, 168, 2, 5]),
        interface: "eth1".parse().unwrap(),
    });
    let route = |via: [u8; 4], interface: &str, metric| RouteState {
        via: Some(IpAddr::from(via)),
        interface: interface.parse().unwrap(),
        metric,
        protocol: 3,
    };
    let ours = |metric| route([192, 168, 2, 5], "eth1", metric);
    let theirs = |metric| route([10, 0, 0, 1], "eth9", metric);
    let change = |routes| diff(&desired, &Observed::DefaultRoute { routes });
    assert_eq!(change(vec![ours(0), theirs(100)]), None);
    assert_eq!(change(vec![]), value(None, "via 192.168.2.5 dev eth1"));
    assert_eq!(
        change(vec![theirs(0), ours(100)]),
        value(
            Some("via 10.0.0.1 dev eth9, via 192.168.2.5 dev eth1 metric 100"),
            "via 192.168.2.5 dev eth1"
        )
    );
    assert!(change(vec![ours(5), theirs(5)]).is_some());
}

#[test]
fn a_file_with_the_right_text_and_wrong_bits_differs_in_its_bits() {
    let desired = Resource::File(File {
        path: "/etc/x".into(),
        content: "a\n".into(),
        mode: 0o644,
    });
    let state = |content: &str, mode, uid| Observed::File {
        state: Some(FileState {
            content_base64: FileState::encode(content.as_bytes()),
            mode,
            uid,
            gid: 0,
            context: None,
            read_instead: None,
        }),
    };
    assert_eq!(diff(&desired, &state("a\n", 0o644, 0)), None);
    assert_eq!(
        diff(&desired, &state("a\n", 0o600, 1000)),
        value(Some("mode 0600 owner 1000:0"), "mode 0644 owner 0:0")
    );
    assert_eq!(
        diff(&desired, &state("b\n", 0o644, 0)),
        Some(Change::Text {
            from: Some("b\n".into()),
            to: "a\n".into()
        })
    );
}

#[test]
fn a_file_that_boot_passes_over_for_a_newer_one_is_to_be_the_newer_one() {
    let desired = Resource::File(File {
        path: "/etc/ipvsadm.rules".into(),
        content: "-A -f 1 -s rr\n".into(),
        mode: 0o600,
    });
    let other = "/etc/sysconfig/ipvsadm";
    let state = FileState {
        content_base64: FileState::encode(b"-A -f 1 -s rr\n"),
        mode: 0o600,
        uid: 0,
        gid: 0,
        context: None,
        read_instead: Some(other.to_owned()),
    };
    assert_eq!(
        diff(&desired, &Observed::File { state: Some(state) }),
        value(
            Some("/etc/sysconfig/ipvsadm is newer"),
            "newer than /etc/sysconfig/ipvsadm"
        )
    );
}

#[test]
fn selinux_that_does_not_enforce_is_permissive_enough() {
    use SelinuxMode::{Disabled, Enforcing, Permissive};
    let desired = Resource::Selinux(Selinux { mode: Permissive });
    let change = |live, configured| diff(&desired, &Observed::Selinux { live, configured });
    assert_eq!(change(None, None), None);
    assert_eq!(change(Some(Permissive), Some(Disabled)), None);
    assert_eq!(
        change(Some(Permissive), Some(Enforcing)),
        value(Some("permissive now, enforcing at boot"), "permissive")
    );
    assert_eq!(
        change(Some(Enforcing), Some(Enforcing)),
        value(Some("enforcing"), "permissive")
    );
}

#[test]
fn firewalld_that_does_not_run_asks_for_nothing() {
    let desired = Resource::Firewall(Firewall {
        zone: "trusted".into(),
    });
    assert_eq!(diff(&desired, &Observed::Firewall { zone: None }), None);
    let public = Observed::Firewall {
        zone: Some("public".into()),
    };
    assert_eq!(diff(&desired, &public), value(Some("public"), "trusted"));
}

#[test]
fn an_observation_of_another_kind_counts_as_absent() {
    let other = Observed::Link { up: Some(true) };
    assert_eq!(diff(&sysctl("1"), &other), value(None, "1"));
}

#[test]
fn a_service_that_came_with_its_package_is_as_before_when_it_is_idle() {
    let before = Observed::Service { state: None };
    let now = |running, enabled| Observed::Service {
        state: Some(ServiceState {
            running,
            enabled,
            masked: false,
        }),
    };
    assert_eq!(undo(&before, &now(false, false)), None);
    assert_eq!(
        undo(&before, &now(true, false)),
        value(
            Some("running, disabled at boot"),
            "stopped, disabled at boot"
        )
    );
}

#[test]
fn a_masked_service_is_masked_again_and_one_noted_before_there_was_the_word_was_not() {
    let state = |text: &str| serde_json::from_str::<Observed>(text).unwrap();
    let old = r#"{"kind":"service","state":{"running":false,"enabled":false}}"#;
    let masked = r#"{"kind":"service","state":{"running":false,"enabled":false,"masked":true}}"#;
    assert_eq!(
        undo(&state(masked), &state(old)),
        value(
            Some("stopped, disabled at boot"),
            "stopped, disabled at boot, masked"
        )
    );
    assert_eq!(undo(&state(old), &Observed::Service { state: None }), None);
}
