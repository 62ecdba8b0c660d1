//! Hosts that cannot be planned for: cause and next step.

use super::*;
use crate::resource::RouteState;

fn refusal(text: &str, name: &str, facts: Facts) -> String {
    let error = planned(&machines(text), name, facts).expect_err("no plan");
    assert_eq!(error.host().as_str(), name);
    format!(
        "{name}: {error}\nnext: {}",
        error.hint().expect("a next step")
    )
}

fn managed(mut facts: Facts, interface: &str) -> Facts {
    facts.management = Some(interface.parse().expect("an interface name"));
    facts
}

#[test]
fn two_unconfigured_interfaces() {
    let facts = machine(
        OsFamily::Debian,
        &[("ens3", &["10.20.0.12/24"]), ("ens4", &[]), ("ens5", &[])],
    );
    insta::assert_snapshot!(refusal(DR, "web1", managed(facts, "ens3")), @"
    web1: no telling which interface 192.168.4.100/24 belongs on
    ens3  52:54:00:00:00:01  10.20.0.12/24, up, carries the SSH connection
    ens4  52:54:00:00:00:02  no address, up
    ens5  52:54:00:00:00:03  no address, up
    next: name the interface in the topology, `interface:` of web1
    ");
}

#[test]
fn two_networks_and_two_unconfigured_interfaces() {
    let text = NAT
        .replace("  vip_interface: eth0\n", "")
        .replace("  interface: eth1\n", "");
    let facts = machine(OsFamily::Debian, &[("ens4", &[]), ("ens5", &[])]);
    insta::assert_snapshot!(refusal(&text, "director", facts), @"
    director: no telling which interface 192.168.4.5/24 belongs on
    ens4  52:54:00:00:00:01  no address, up
    ens5  52:54:00:00:00:02  no address, up
    next: name the interface in the topology, `vip_interface:` of director
    ");
}

#[test]
fn no_interface_is_left() {
    let facts = machine(
        OsFamily::Debian,
        &[("ens3", &["10.20.0.12/24"]), ("docker0", &[])],
    );
    insta::assert_snapshot!(refusal(DR, "web1", managed(facts, "ens3")), @"
    web1: no interface is left for 192.168.4.100/24
    ens3     52:54:00:00:00:01  10.20.0.12/24, up, carries the SSH connection
    docker0  52:54:00:00:00:02  no address, up, not a plain Ethernet interface
    next: attach web1 to the lab's network with another network card, or take the address off one that it can spare
    ");
}

#[test]
fn only_lo() {
    insta::assert_snapshot!(refusal(DR, "web1", machine(OsFamily::Debian, &[])), @"
    web1: no interface is left for 192.168.4.100/24; the host has no interface but lo
    next: attach web1 to the lab's network with another network card, or take the address off one that it can spare
    ");
}

#[test]
fn two_interfaces_in_the_network() {
    let facts = machine(
        OsFamily::Debian,
        &[("ens3", &["192.168.4.7/24"]), ("ens4", &["192.168.4.8/24"])],
    );
    insta::assert_snapshot!(refusal(DR, "web1", facts), @"
    web1: several interfaces are in the network of 192.168.4.100/24
    ens3  52:54:00:00:00:01  192.168.4.7/24, up
    ens4  52:54:00:00:00:02  192.168.4.8/24, up
    next: name the interface in the topology, `interface:` of web1
    ");
}

#[test]
fn a_named_interface_that_does_not_exist() {
    let facts = machine(OsFamily::Debian, &[("ens4", &[]), ("ens5", &[])]);
    insta::assert_snapshot!(refusal(NAT, "director", facts), @"
    director: there is no interface eth0 for 192.168.4.5/24
    ens4  52:54:00:00:00:01  no address, up
    ens5  52:54:00:00:00:02  no address, up
    next: correct `vip_interface:` of director in the topology
    ");
}

#[test]
fn the_management_interface_by_name() {
    let text = DR.replace("192.168.4.100/24,", "192.168.4.100/24, interface: eth0,");
    let facts = machine(
        OsFamily::Rhel,
        &[("eth0", &["10.20.0.12/24"]), ("eth1", &[])],
    );
    insta::assert_snapshot!(refusal(&text, "web1", managed(facts, "eth0")), @"
    web1: eth0 carries the SSH connection and does not have 192.168.4.100/24 itself
    eth0  52:54:00:00:00:01  10.20.0.12/24, up, carries the SSH connection
    eth1  52:54:00:00:00:02  no address, up
    next: name another interface of web1 in the topology, or give eth0 the address 192.168.4.100/24 by the machine's own means first
    ");
}

#[test]
fn one_interface_in_both_networks() {
    let text = NAT
        .replace("  vip_interface: eth0\n", "")
        .replace("  interface: eth1\n", "");
    let facts = machine(
        OsFamily::Rhel,
        &[
            ("eth0", &["192.168.4.5/24", "192.168.2.5/24"]),
            ("eth1", &[]),
        ],
    );
    insta::assert_snapshot!(refusal(&text, "director", facts), @"
    director: eth0 is taken for 192.168.4.5/24 and for 192.168.2.5/24
    next: director needs an interface of its own for each network; name them in the topology
    ");
}

#[test]
fn an_alias_that_is_too_long() {
    let facts = machine(OsFamily::Debian, &[("enp0s31f6u1u2u3", &[])]);
    insta::assert_snapshot!(refusal(DR, "director", facts), @"
    director: the alias enp0s31f6u1u2u3:0 is longer than the 15 characters the kernel allows
    next: rename enp0s31f6u1u2u3 on director (`ip link set enp0s31f6u1u2u3 name lab0`)
    ");
}

#[test]
fn a_nat_real_server_in_the_clients_network() {
    let facts = machine(
        OsFamily::Rhel,
        &[("eth0", &["192.168.4.100/24"]), ("eth1", &[])],
    );
    insta::assert_snapshot!(refusal(NAT, "web1", facts), @"
    web1: eth0 has 192.168.4.100/24, in the client's network: answers to the client 192.168.4.10/24 would bypass the director and connections would hang
    next: take the address off while the lab is up: `ip address del 192.168.4.100/24 dev eth0` (with NetworkManager: `nmcli connection down eth0`), then run `lvslab up` again
    ");
}

#[test]
fn a_nat_real_server_that_is_managed_in_the_clients_network() {
    let facts = machine(
        OsFamily::Rhel,
        &[("eth0", &["192.168.4.100/24"]), ("eth1", &[])],
    );
    insta::assert_snapshot!(refusal(NAT, "web1", managed(facts, "eth0")), @"
    web1: eth0 has 192.168.4.100/24, in the client's network: answers to the client 192.168.4.10/24 would bypass the director and connections would hang
    next: eth0 carries the SSH connection, so it stays: give web1 a management address outside the client's network
    ");
}

#[test]
fn a_dr_real_server_without_loopback() {
    let mut facts = machine(OsFamily::Debian, &[("ens3", &[])]);
    facts.links.remove(0);
    insta::assert_snapshot!(refusal(DR, "web1", facts), @"
    web1: there is no loopback interface for the VIP
    next: a network namespace without lo can be no real server
    ");
}

#[test]
fn a_down_interface_in_the_clients_network_is_no_way_around() {
    let lab = machines(NAT);
    let mut facts = machine(
        OsFamily::Rhel,
        &[("eth0", &["192.168.4.100/24"]), ("eth1", &[])],
    );
    facts.links[1].up = false;
    assert!(planned(&lab, "web1", facts).is_ok());
}

/// web1 of the NAT lab, reached from another network through its present gateway.
fn through_the_gateway(controller: &str) -> Facts {
    let mut facts = managed(
        machine(
            OsFamily::Rhel,
            &[("eth0", &["10.20.0.12/24"]), ("eth1", &[])],
        ),
        "eth0",
    );
    facts.controller = Some(controller.parse().expect("an address"));
    facts.controller_default_route = Some(RouteState {
        via: Some([10, 20, 0, 1].into()),
        interface: "eth0".parse().expect("a name"),
        metric: 100,
        protocol: 16,
    });
    facts
}

#[test]
fn a_default_route_that_carries_the_ssh_connection() {
    insta::assert_snapshot!(refusal(NAT, "web1", through_the_gateway("172.16.7.7")), @"
    web1: the default gateway must become 192.168.2.5, but the SSH connection from 172.16.7.7 comes through the present default route (via 10.20.0.1 dev eth0)
    next: give the controller a route of its own first: `ip route add 172.16.7.7/32 via 10.20.0.1 dev eth0`, then run `lvslab up` again
    ");
}

#[test]
fn a_default_route_that_carries_the_ssh_connection_stays_where_the_lab_needs_none() {
    let lab = machines(DR);
    assert!(planned(&lab, "web1", through_the_gateway("172.16.7.7")).is_ok());
}

#[test]
fn a_controller_over_ipv6_or_with_a_route_of_its_own_loses_nothing() {
    let lab = machines(NAT);
    assert!(planned(&lab, "web1", through_the_gateway("2001:db8::7")).is_ok());
    let mut own = through_the_gateway("172.16.7.7");
    own.controller_default_route = None;
    assert!(planned(&lab, "web1", own).is_ok());
    let mut there = through_the_gateway("172.16.7.7");
    there.controller_default_route = Some(RouteState {
        via: Some([192, 168, 2, 5].into()),
        interface: "eth1".parse().expect("a name"),
        metric: 0,
        protocol: 3,
    });
    assert!(planned(&lab, "web1", there).is_ok());
}

#[test]
fn one_hosts_refusal_leaves_the_others_their_plans() {
    let lab = machines(DR);
    let mut facts = assumed_facts(&lab);
    facts.insert(host("web2"), machine(OsFamily::Debian, &[]));
    let plans = plan(&lab, &facts);
    let failed: Vec<&str> = plans
        .iter()
        .filter(|(_, plan)| plan.is_err())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!((plans.len(), failed), (4, vec!["web2"]));
}

#[test]
fn a_host_without_facts_gets_no_plan() {
    let lab = machines(DR);
    let mut facts = assumed_facts(&lab);
    facts.remove(&host("client"));
    assert_eq!(plan(&lab, &facts).len(), 3);
}
