//! Against the kernel, in network namespaces of their own.

use super::*;
use crate::netlink::test_namespace::in_new_network;

const HERE: &str = "agent::resource::network::tests::";

/// Any address of the family whose default routes are meant.
const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const SIX: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// A network with `eth0` and `eth1` up and without addresses.
fn with_network(test: &str, body: impl FnOnce(Network) + Send + 'static) {
    in_new_network(&format!("{HERE}{test}"), || {
        let network = Network::open(None).unwrap();
        network.socket.add_bridge("eth0").unwrap();
        network.socket.add_bridge("eth1").unwrap();
        body(network);
    });
}

fn address(interface: &str, net: &str, label: Option<&str>) -> Address {
    Address {
        interface: name(interface),
        address: net.parse().unwrap(),
        label: label.map(str::to_owned),
    }
}

fn set(network: &Network, desired: &Address) -> Result<(), ResourceError> {
    let found = network.occurrences(desired)?;
    network.set_address(desired, &found)
}

fn shown(network: &Network) -> Vec<String> {
    let mut shown: Vec<String> = network
        .addresses()
        .unwrap()
        .iter()
        .map(|a| {
            let broadcast = a
                .broadcast
                .map_or_else(String::new, |b| format!(" brd {b}"));
            format!("{} {}{broadcast}", a.label, a.address)
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn aliases_are_put_where_they_belong_and_taken_away_alone() {
    with_network(
        "aliases_are_put_where_they_belong_and_taken_away_alone",
        |network| {
            let vip = address("lo", "192.168.4.15/32", Some("lo:0"));
            let before = network.occurrences(&vip).unwrap();
            set(&network, &address("eth0", "192.168.4.100/24", None)).unwrap();
            set(&network, &vip).unwrap();
            set(&network, &vip).unwrap();
            assert_eq!(
                shown(&network),
                [
                    "eth0 192.168.4.100/24 brd 192.168.4.255",
                    "lo:0 192.168.4.15/32"
                ]
            );
            let now = network.occurrences(&vip).unwrap();
            network.restore_addresses(&before, &now).unwrap();
            assert_eq!(shown(&network), ["eth0 192.168.4.100/24 brd 192.168.4.255"]);
        },
    );
}

#[test]
fn a_wrong_prefix_or_label_is_replaced_and_put_back() {
    with_network(
        "a_wrong_prefix_or_label_is_replaced_and_put_back",
        |network| {
            let desired = address("lo", "192.168.4.15/32", Some("lo:0"));
            for wrong in [
                address("lo", "192.168.4.15/24", Some("lo:0")),
                address("lo", "192.168.4.15/32", None),
            ] {
                set(&network, &wrong).unwrap();
                let before = network.occurrences(&desired).unwrap();
                let shown_before = shown(&network);
                set(&network, &desired).unwrap();
                assert_eq!(shown(&network), ["lo:0 192.168.4.15/32"]);
                let now = network.occurrences(&desired).unwrap();
                network.restore_addresses(&before, &now).unwrap();
                assert_eq!(shown(&network), shown_before);
                network.restore_addresses(&[], &before).unwrap();
            }
        },
    );
}

#[test]
fn removing_a_primary_address_leaves_its_neighbours_and_the_routes_they_carry() {
    with_network(
        "removing_a_primary_address_leaves_its_neighbours_and_the_routes_they_carry",
        |network| {
            let dip = address("eth0", "192.168.4.5/24", None);
            set(&network, &dip).unwrap();
            set(
                &network,
                &address("eth0", "192.168.4.15/24", Some("eth0:0")),
            )
            .unwrap();
            let gateway = DefaultRoute {
                via: "192.168.4.1".parse().unwrap(),
                interface: name("eth0"),
            };
            network.set_default_route(&gateway, &[]).unwrap();
            let routes = network.default_routes(FOUR).unwrap();
            let now = network.occurrences(&dip).unwrap();
            network.restore_addresses(&[], &now).unwrap();
            assert_eq!(
                shown(&network),
                ["eth0:0 192.168.4.15/24 brd 192.168.4.255"]
            );
            assert_eq!(network.default_routes(FOUR).unwrap(), routes);
        },
    );
}

#[test]
fn an_address_on_another_interface_is_reported_and_left_alone() {
    with_network(
        "an_address_on_another_interface_is_reported_and_left_alone",
        |network| {
            set(&network, &address("eth1", "192.168.4.15/24", None)).unwrap();
            let error = set(&network, &address("eth0", "192.168.4.15/24", None)).unwrap_err();
            assert_eq!(error.cause, "192.168.4.15 is already on eth1");
            assert_eq!(
                error.hint.unwrap(),
                "`ip address del 192.168.4.15/24 dev eth1` if it does not belong there, or name eth1 in \
                 the topology"
            );
            assert_eq!(shown(&network), ["eth1 192.168.4.15/24 brd 192.168.4.255"]);
        },
    );
}

#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    with_network(
        "an_interface_that_is_not_there_is_named_with_those_that_are",
        |network| {
            let error = set(&network, &address("ens3", "192.168.4.15/24", None)).unwrap_err();
            assert_eq!(error.cause, "there is no interface ens3");
            let hint = error.hint.unwrap();
            assert!(hint.starts_with("this host has lo, "), "{hint}");
            assert!(hint.contains("eth0"), "{hint}");
        },
    );
}

#[test]
fn links_go_up_and_down() {
    with_network("links_go_up_and_down", |network| {
        let lo = name("lo");
        assert_eq!(network.link_up(&lo).unwrap(), Some(false));
        network.set_link(&lo, true).unwrap();
        assert_eq!(network.link_up(&lo).unwrap(), Some(true));
        network.set_link(&lo, false).unwrap();
        assert_eq!(network.link_up(&lo).unwrap(), Some(false));
        assert_eq!(network.link_up(&name("ens3")).unwrap(), None);
    });
}

#[test]
fn the_default_route_is_replaced_and_put_back_as_it_was() {
    with_network(
        "the_default_route_is_replaced_and_put_back_as_it_was",
        |network| {
            set(&network, &address("eth0", "10.1.0.2/24", None)).unwrap();
            set(&network, &address("eth1", "192.168.2.100/24", None)).unwrap();
            let old = [(0, 3), (100, 16)].map(|(metric, protocol)| RouteState {
                via: Some("10.1.0.1".parse().unwrap()),
                interface: name("eth0"),
                metric,
                protocol,
            });
            network.restore_default_routes(FOUR, &old, &[]).unwrap();
            assert_eq!(network.default_routes(FOUR).unwrap(), old);

            let desired = DefaultRoute {
                via: "192.168.2.5".parse().unwrap(),
                interface: name("eth1"),
            };
            network.set_default_route(&desired, &old).unwrap();
            let now = network.default_routes(FOUR).unwrap();
            assert_eq!(now[0].via, Some(desired.via));
            assert_eq!(now[1..], old[1..]);
            network.restore_default_routes(FOUR, &old, &now).unwrap();
            assert_eq!(network.default_routes(FOUR).unwrap(), old);
        },
    );
}

#[test]
fn a_gateway_out_of_reach_leaves_the_old_default_route() {
    with_network(
        "a_gateway_out_of_reach_leaves_the_old_default_route",
        |network| {
            set(&network, &address("eth0", "10.1.0.2/24", None)).unwrap();
            let route = |via: &str| DefaultRoute {
                via: via.parse().unwrap(),
                interface: name("eth0"),
            };
            network.set_default_route(&route("10.1.0.1"), &[]).unwrap();
            let old = network.default_routes(FOUR).unwrap();
            let error = network
                .set_default_route(&route("192.168.2.5"), &old)
                .unwrap_err();
            assert!(
                error
                    .cause
                    .starts_with("cannot add the default route via 192.168.2.5 dev eth0: "),
                "{error}"
            );
            assert_eq!(
                error.hint.unwrap(),
                "the gateway has to be in a network of eth0, and eth0 up"
            );
            assert_eq!(network.default_routes(FOUR).unwrap(), old);
        },
    );
}

#[test]
fn what_carries_the_ssh_connection_is_not_cut() {
    with_network(
        "what_carries_the_ssh_connection_is_not_cut",
        |mut network| {
            set(&network, &address("eth0", "10.1.0.2/24", None)).unwrap();
            set(&network, &address("eth1", "192.168.2.100/24", None)).unwrap();
            let route = |via: &str, interface: &str| DefaultRoute {
                via: via.parse().unwrap(),
                interface: name(interface),
            };
            network
                .set_default_route(&route("10.1.0.1", "eth0"), &[])
                .unwrap();
            let old = network.default_routes(FOUR).unwrap();
            let lab = route("192.168.2.5", "eth1");

            network.ssh = Some(SshConnection {
                controller: [172, 16, 0, 9].into(),
                here: [10, 1, 0, 2].into(),
            });
            let error = network.set_default_route(&lab, &old).unwrap_err();
            assert_eq!(
                error.cause,
                "the SSH connection from 172.16.0.9 comes through the default route via 10.1.0.1 dev eth0; \
             making it via 192.168.2.5 dev eth1 would cut it"
            );
            assert_eq!(network.default_routes(FOUR).unwrap(), old);
            let management = network
                .occurrences(&address("eth0", "10.1.0.2/24", None))
                .unwrap();
            let error = network.restore_addresses(&[], &management).unwrap_err();
            assert_eq!(
                error.cause,
                "10.1.0.2/24 carries the SSH connection and cannot be removed over it"
            );
            let error = network.set_link(&name("eth0"), false).unwrap_err();
            assert_eq!(
                error.cause,
                "eth0 carries the SSH connection and cannot be set down over it"
            );
            network.set_link(&name("eth1"), true).unwrap();

            // A controller in the same network does not need the default route.
            network.ssh = Some(SshConnection {
                controller: [10, 1, 0, 9].into(),
                here: [10, 1, 0, 2].into(),
            });
            network.set_default_route(&lab, &old).unwrap();
        },
    );
}

#[test]
fn an_ipv6_vip_and_gateway_are_set_and_taken_back_beside_ipv4_ones() {
    with_network(
        "an_ipv6_vip_and_gateway_are_set_and_taken_back_beside_ipv4_ones",
        |network| {
            set(&network, &address("eth0", "192.168.4.5/24", None)).unwrap();
            let before = shown(&network);
            let own = address("eth0", "2001:db8:4::5/64", None);
            let vip = address("lo", "2001:db8:4::15/128", None);
            for wanted in [&own, &vip] {
                set(&network, wanted).unwrap();
                let occurrences = network.occurrences(wanted).unwrap();
                let observed = crate::resource::Observed::Address { occurrences };
                let resource = crate::resource::Resource::Address(wanted.clone());
                assert_eq!(crate::resource::diff(&resource, &observed), None);
            }
            let gateway = DefaultRoute {
                via: "2001:db8:4::1".parse().unwrap(),
                interface: name("eth0"),
            };
            network.set_default_route(&gateway, &[]).unwrap();
            let routes = network.default_routes(SIX).unwrap();
            assert_eq!(routes[0].via, Some(gateway.via));
            assert_eq!(network.default_routes(FOUR).unwrap(), []);

            network.restore_default_routes(SIX, &[], &routes).unwrap();
            assert_eq!(network.default_routes(SIX).unwrap(), []);
            for wanted in [&own, &vip] {
                let now = network.occurrences(wanted).unwrap();
                network.restore_addresses(&[], &now).unwrap();
            }
            assert_eq!(shown(&network), before);
        },
    );
}

#[test]
fn a_label_for_an_ipv6_address_is_refused() {
    with_network("a_label_for_an_ipv6_address_is_refused", |network| {
        let labelled = address("eth0", "2001:db8:4::15/64", Some("eth0:0"));
        assert_eq!(
            set(&network, &labelled).unwrap_err().cause,
            "2001:db8:4::15/64 cannot have the label eth0:0: IPv6 addresses have none"
        );
    });
}
