//! Gateways, routes and routing rules.

use std::net::Ipv4Addr;

use super::Damage;
use super::planned_host::PlannedHost;
use crate::keeper::Purpose;
use crate::model::{InterfaceName, Replies};
use crate::verify::Subject;

pub(super) fn no_gateway(host: &PlannedHost<'_>) -> Option<Damage> {
    let check = host.check_for(&Purpose::Gateway)?;
    Some(Damage {
        cuts: answers_by_default_route(host),
        ..Damage::new(
            "there is no default route".to_owned(),
            check,
            vec!["ip route del default".to_owned()],
        )
    })
}

pub(super) fn wrong_gateway(host: &PlannedHost<'_>) -> Option<Damage> {
    let route = host.gateway()?;
    let check = host.check_for(&Purpose::Gateway)?;
    let wrong = not_a_router(host)?;
    Some(Damage {
        cuts: answers_by_default_route(host),
        ..Damage::new(
            format!("the default route goes through {wrong}"),
            check,
            vec![format!(
                "ip route replace default via {wrong} dev {}",
                route.interface
            )],
        )
    })
}

/// The interface the host is managed through, if its answers to the controller take the default route.
fn answers_by_default_route(host: &PlannedHost<'_>) -> Option<InterfaceName> {
    host.facts.controller_default_route.as_ref()?;
    host.facts.management.clone()
}

/// An address in the real servers' network that passes no packets on.
fn not_a_router(host: &PlannedHost<'_>) -> Option<Ipv4Addr> {
    match host.other_server() {
        Some(server) => Some(server.address()),
        None => host.free_address(host.own_address()?),
    }
}

pub(super) fn blackhole(host: &PlannedHost<'_>) -> Option<Damage> {
    let to = host.next_destination()?;
    Some(Damage {
        undo: vec![format!("ip route del blackhole {to} 2> /dev/null || true")],
        ..Damage::new(
            format!("the route to {to}"),
            host.check(Subject::Route(to.into())),
            vec![format!("ip route add blackhole {to}")],
        )
    })
}

/// An address in a real server's network through which its answers do not reach the client as they should.
fn wrong_hop(host: &PlannedHost<'_>) -> Option<Ipv4Addr> {
    match host.profile().replies {
        Replies::ThroughDirector => not_a_router(host),
        Replies::PastDirector => Some(host.lab().dip().addr()),
    }
}

pub(super) fn detour(host: &PlannedHost<'_>) -> Option<Damage> {
    let to = host.next_destination()?;
    let via = wrong_hop(host)?;
    let interface = host.own_interface()?;
    Some(Damage {
        undo: vec![format!(
            "ip route del {to} via {via} dev {interface} 2> /dev/null || true"
        )],
        ..Damage::new(
            format!("the route to {to}"),
            host.check(Subject::Route(to.into())),
            vec![format!("ip route add {to} via {via} dev {interface}")],
        )
    })
}

pub(super) fn policy_route(host: &PlannedHost<'_>) -> Option<Damage> {
    /// No table of that number is in use by default (`/etc/iproute2/rt_tables`).
    const TABLE: u32 = 100;
    let to = host.next_destination()?;
    let lab = host.lab();
    let service = lab.service();
    let server = service.real_server(host.name().as_str())?;
    let from = *service.destination_at(server).ip();
    let via = wrong_hop(host)?;
    let interface = host.own_interface()?;
    Some(Damage {
        undo: vec![
            format!("ip rule del from {from} to {to} lookup {TABLE} 2> /dev/null || true"),
            format!("ip route flush table {TABLE} 2> /dev/null || true"),
        ],
        ..Damage::new(
            format!("the rule for packets from {from} to {to}"),
            host.check(Subject::Route(to.into())),
            vec![
                format!("ip route add default via {via} dev {interface} table {TABLE}"),
                format!("ip rule add from {from} to {to} lookup {TABLE}"),
            ],
        )
    })
}

pub(super) fn network_route_missing(host: &PlannedHost<'_>) -> Option<Damage> {
    let to = host.next_destination()?;
    let (address, interface) = (host.own_address()?, host.own_interface()?);
    let network = address.trunc();
    host.only(network.contains(&to))?;
    Some(Damage {
        undo: vec![format!(
            "ip route replace {network} dev {interface} proto kernel scope link src {} || true",
            address.addr()
        )],
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("the route to {network}"),
            host.check(Subject::Route(to.into())),
            vec![format!("ip route del {network} dev {interface}")],
        )
    })
}
