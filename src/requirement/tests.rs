//! What the course's labs need, and that a requirement is judged by its effect.

use super::*;
use crate::model::InterfaceName;
use crate::topology::parse;

const DR: &str = include_str!("../../topologies/dr.yaml");
const NAT: &str = include_str!("../../topologies/nat.yaml");

fn lab(text: &str) -> Lab {
    parse(text, "lab.yaml", None).unwrap_or_else(|error| panic!("{error}"))
}

fn name(text: &str) -> InterfaceName {
    text.parse().expect("an interface name")
}

/// The identities of a host's requirements.
fn needs(text: &str, host: &str) -> Vec<String> {
    let required = require(&lab(text));
    let host = host.parse().expect("a host name");
    required[&host]
        .iter()
        .map(|requirement| requirement.need.to_string())
        .collect()
}

fn requirement(text: &str, host: &str, kind: Kind) -> Requirement {
    let mut required = require(&lab(text));
    let host = host.parse().expect("a host name");
    let of_host = required.remove(&host).expect("a host of the lab");
    of_host
        .into_iter()
        .find(|one| one.need.kind() == kind)
        .unwrap_or_else(|| panic!("{host} needs no {kind:?}"))
}

fn interfaces(names: &[&str]) -> Interfaces {
    names
        .iter()
        .enumerate()
        .map(|(place, text)| (crate::model::NetworkId::new(place), name(text)))
        .collect()
}

fn at(interface: &str, address: &str) -> Sourced<HostAddress> {
    Sourced::seen(HostAddress {
        interface: name(interface),
        address: address.parse().expect("an address"),
    })
}

fn with_addresses(addresses: &[(&str, &str)]) -> HostState {
    HostState {
        addresses: Some(addresses.iter().map(|(i, a)| at(i, a)).collect()),
        ..HostState::default()
    }
}

fn with_settings(settings: &[(&str, &str)]) -> HostState {
    HostState {
        settings: SettingStates {
            values: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Sourced::seen((*value).to_owned())))
                .collect(),
            others: Unset::Zero,
        },
        ..HostState::default()
    }
}

#[test]
fn a_dr_lab_needs_the_vip_on_every_real_server_and_hidden_there() {
    assert_eq!(
        needs(DR, "director"),
        [
            "link on network 0",
            "address 192.168.4.5/24",
            "vip 192.168.4.15",
            "arp answers on network 0",
            "route to 192.168.4.10",
            "route to 192.168.4.100",
            "route to 192.168.4.200",
            "ipvs tcp 192.168.4.15:80",
            "firewall",
            "selinux",
        ]
    );
    assert_eq!(
        needs(DR, "web1"),
        [
            "link on network 0",
            "address 192.168.4.100/24",
            "vip 192.168.4.15",
            "hidden vip 192.168.4.15 on network 0",
            "route to 192.168.4.10",
            "web server on 192.168.4.15:80",
            "firewall",
            "selinux",
        ]
    );
}

#[test]
fn a_nat_lab_needs_a_director_that_forwards_and_is_the_way_back() {
    assert_eq!(
        needs(NAT, "director"),
        [
            "link on network 0",
            "link on network 1",
            "address 192.168.4.5/24",
            "address 192.168.2.5/24",
            "arp answers on network 0",
            "arp answers on network 1",
            "forwarding from network 1",
            "route to 192.168.4.10",
            "route to 192.168.2.100",
            "route to 192.168.2.200",
            "ipvs tcp 192.168.4.5:80",
            "firewall",
            "selinux",
        ]
    );
    assert!(matches!(
        requirement(NAT, "web1", Kind::Way).need,
        Need::Way(Way { via: Some(via), .. }) if via.octets() == [192, 168, 2, 5]
    ));
}

#[test]
fn a_client_needs_curl_and_a_way_to_the_vip() {
    assert_eq!(
        needs(DR, "client"),
        [
            "program curl",
            "link on network 0",
            "address 192.168.4.10/24",
            "arp answers on network 0",
            "route to 192.168.4.15",
        ]
    );
}

#[test]
fn every_requirement_has_an_identity_a_reason_and_a_symptom() {
    for text in [DR, NAT] {
        for (host, required) in require(&lab(text)) {
            let mut ids: Vec<String> = required.iter().map(|one| one.need.to_string()).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), required.len(), "{host}: {ids:?}");
            for one in &required {
                assert!(one.why.ends_with('.'), "{host}: {}: {}", one.need, one.why);
                assert!(one.symptom.ends_with('.'), "{host}: {}", one.need);
            }
        }
    }
}

#[test]
fn nothing_holds_on_a_host_that_was_not_looked_at() {
    for text in [DR, NAT] {
        for required in require(&lab(text)).values() {
            for one in required {
                let verdict = judge(one, &interfaces(&["eth0", "eth1"]), &HostState::default());
                assert!(matches!(verdict, Verdict::Unknown { .. }), "{}", one.need);
            }
        }
    }
}

#[test]
fn the_vip_of_a_dr_director_may_have_either_prefix_and_any_label() {
    let wanted = requirement(DR, "director", Kind::DirectorVip);
    let met = |addresses: &[(&str, &str)]| {
        judge(&wanted, &interfaces(&["eth0"]), &with_addresses(addresses)).is_met()
    };
    assert!(met(&[("eth0", "192.168.4.15/24")]));
    assert!(met(&[("eth0", "192.168.4.15/32")]));
    assert!(!met(&[("eth0", "192.168.4.15/16")]));
    assert!(!met(&[("eth1", "192.168.4.15/24")]));
    assert!(!met(&[("eth0", "192.168.4.16/24")]));
    assert!(!met(&[
        ("eth0", "192.168.4.15/24"),
        ("eth1", "192.168.4.15/24")
    ]));
}

#[test]
fn the_vip_of_a_dr_real_server_is_a_host_address_off_the_wire() {
    let wanted = requirement(DR, "web1", Kind::RealServerVip);
    let verdict = |interface, address| {
        let state = with_addresses(&[(interface, address)]);
        judge(&wanted, &interfaces(&["eth0"]), &state)
    };
    assert!(verdict("lo", "192.168.4.15/32").is_met());
    assert!(verdict("dummy0", "192.168.4.15/32").is_met());
    assert_eq!(
        verdict("lo", "192.168.4.15/24"),
        Verdict::fails("192.168.4.15/24 on lo", [])
    );
    assert!(!verdict("eth0", "192.168.4.15/32").is_met());
}

#[test]
fn the_larger_arp_setting_counts_whichever_it_is() {
    let wanted = requirement(DR, "web1", Kind::HiddenVip);
    let met = |settings: &[(&str, &str)]| {
        judge(&wanted, &interfaces(&["eth0"]), &with_settings(settings)).is_met()
    };
    let (all, own) = ("net.ipv4.conf.all", "net.ipv4.conf.eth0");
    let pair = |place: &str, ignore: &str, announce: &str| {
        let keys = [
            format!("{place}.arp_ignore"),
            format!("{place}.arp_announce"),
        ];
        met(&[(&keys[0], ignore), (&keys[1], announce)])
    };
    assert!(pair(all, "1", "2"));
    assert!(pair(own, "1", "2"));
    assert!(pair(own, "2", "2"));
    assert!(!pair(own, "3", "2"));
    assert!(!pair(all, "1", "1"));
    assert!(!pair("net.ipv4.conf.lo", "1", "2"));
}

#[test]
fn a_route_to_the_clients_network_is_as_good_as_a_default_route() {
    let wanted = requirement(NAT, "web1", Kind::Way);
    let verdict = |to: &str, via: &str| {
        let mut state = with_addresses(&[("eth1", "192.168.2.100/24")]);
        state.routes.push(Sourced::seen(Route {
            to: to.parse().expect("a network"),
            hop: Hop::Gateway {
                via: via.parse().expect("an address"),
                interface: name("eth1"),
            },
        }));
        judge(
            &wanted,
            &Interfaces::from_iter([(crate::model::NetworkId::new(1), name("eth1"))]),
            &state,
        )
    };
    assert!(verdict("0.0.0.0/0", "192.168.2.5").is_met());
    assert!(verdict("192.168.4.0/24", "192.168.2.5").is_met());
    assert!(!verdict("192.168.4.0/24", "192.168.2.1").is_met());
    assert_eq!(
        verdict("10.0.0.0/8", "192.168.2.5"),
        Verdict::fails("no route", [])
    );
}

#[test]
fn a_network_on_lo_keeps_packets_for_it_on_the_host() {
    let wanted = requirement(DR, "web1", Kind::Way);
    let state = with_addresses(&[("eth0", "192.168.4.100/24"), ("lo", "192.168.4.15/24")]);
    assert_eq!(
        judge(&wanted, &interfaces(&["eth0"]), &state),
        Verdict::fails("stays on the host", [])
    );
}

#[test]
fn what_cannot_be_read_leaves_its_topic_open() {
    let place = Origin::line("/etc/rc.local", 3);
    let mut state = with_addresses(&[("eth0", "192.168.4.15/24")]);
    state.unread.push(Unread {
        topic: Topic::Network,
        place: place.clone(),
        cause: "a script".to_owned(),
    });
    let wanted = requirement(DR, "director", Kind::DirectorVip);
    assert_eq!(
        judge(&wanted, &interfaces(&["eth0"]), &state),
        Verdict::Unknown {
            cause: "a script".to_owned(),
            place: Some(place),
        }
    );
    state.firewall = Some(Sourced::seen(None));
    let other = requirement(DR, "director", Kind::OpenFirewall);
    assert!(judge(&other, &interfaces(&["eth0"]), &state).is_met());
}
