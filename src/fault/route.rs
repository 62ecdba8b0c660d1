//! Ways: gateways, routes, rules.

use std::net::Ipv4Addr;

use super::network::own;
use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{InterfaceName, Replies, Role};
use crate::resource::{DefaultRoute, Resource};
use crate::verify::{CheckId, Subject};

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "no-gateway",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "removes a NAT real server's default route",
        symptom: "Requests handed to one real server hang; the director sees them in SYN_RECV.",
        damage: no_gateway,
    },
    &Kind {
        name: "wrong-gateway",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "points a NAT real server's default route at somebody else than the director",
        symptom: "Requests handed to one real server hang; the director sees them in SYN_RECV.",
        damage: wrong_gateway,
    },
    &Kind {
        name: "blackhole",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "adds a blackhole route for what the host sends to",
        symptom: "Some or all requests get no answer, although the host has the right address and gateway.",
        damage: blackhole,
    },
    &Kind {
        name: "detour",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "adds a route to the client through the wrong host on a real server",
        symptom: "Requests handed to one real server hang, although its address and gateway are right.",
        damage: detour,
    },
    &Kind {
        name: "policy-route",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "adds a rule by which a real server asks another routing table for the way of its answers",
        symptom: "Requests handed to one real server hang, although its routes are right.",
        damage: policy_route,
    },
    &Kind {
        name: "network-route-missing",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "removes the route of a directly connected network",
        symptom: "Some or all requests get no answer, although the host has its address.",
        damage: network_route_missing,
    },
];

/// The planned default route and its check.
pub(super) fn gateway<'a>(scene: &Scene<'a>) -> Option<(&'a DefaultRoute, CheckId)> {
    let route = scene
        .plan
        .steps
        .iter()
        .find_map(|step| match &step.resource {
            Resource::DefaultRoute(route) => Some(route),
            _ => None,
        })?;
    let check = scene.check_of(|resource| matches!(resource, Resource::DefaultRoute(_)))?;
    Some((route, check))
}

fn no_gateway(scene: &Scene<'_>) -> Option<Damage> {
    let (_, check) = gateway(scene)?;
    Some(Damage {
        cuts: answers_by_default_route(scene),
        ..Damage::new(
            "there is no default route".to_owned(),
            check,
            vec!["ip route del default".to_owned()],
        )
    })
}

fn wrong_gateway(scene: &Scene<'_>) -> Option<Damage> {
    let (route, check) = gateway(scene)?;
    let wrong = stranger(scene)?;
    Some(Damage {
        cuts: answers_by_default_route(scene),
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

/// The management interface, where answers to the controller take the default route.
fn answers_by_default_route(scene: &Scene<'_>) -> Option<InterfaceName> {
    scene.facts.controller_default_route.as_ref()?;
    scene.facts.management.clone()
}

/// Somebody in the real servers' network who does not pass packets on.
fn stranger(scene: &Scene<'_>) -> Option<Ipv4Addr> {
    match scene.other_server() {
        Some(server) => Some(server.address()),
        None => scene.free_address(scene.own_address()?),
    }
}

/// Where the host sends packets of the lab.
pub(super) fn target(scene: &Scene<'_>) -> Option<Ipv4Addr> {
    let lab = scene.ground.lab;
    if scene.is_director() {
        Some(scene.served()?.address())
    } else if scene.is_real_server() {
        Some(lab.cip().addr())
    } else {
        Some(lab.vip())
    }
}

fn blackhole(scene: &Scene<'_>) -> Option<Damage> {
    let to = target(scene)?;
    Some(Damage {
        undo: vec![format!("ip route del blackhole {to} 2> /dev/null || true")],
        ..Damage::new(
            format!("the route to {to}"),
            scene.check(Subject::Route(to.into())),
            vec![format!("ip route add blackhole {to}")],
        )
    })
}

/// Somebody in a real server's network through whom its answers do not reach the client as they should.
fn wrong_hop(scene: &Scene<'_>) -> Option<Ipv4Addr> {
    match scene.profile().replies {
        Replies::ThroughDirector => stranger(scene),
        Replies::PastDirector => Some(scene.ground.lab.dip().addr()),
    }
}

fn detour(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let to = target(scene)?;
    let via = wrong_hop(scene)?;
    let interface = scene.own_interface()?;
    Some(Damage {
        undo: vec![format!(
            "ip route del {to} via {via} dev {interface} 2> /dev/null || true"
        )],
        ..Damage::new(
            format!("the route to {to}"),
            scene.check(Subject::Route(to.into())),
            vec![format!("ip route add {to} via {via} dev {interface}")],
        )
    })
}

fn policy_route(scene: &Scene<'_>) -> Option<Damage> {
    /// Nobody's (`/etc/iproute2/rt_tables`).
    const TABLE: u32 = 100;
    let to = target(scene)?;
    let lab = scene.ground.lab;
    let service = lab.service();
    let server = service.real_server(scene.host.name.as_str())?;
    let from = *service.destination_at(server).ip();
    let via = wrong_hop(scene)?;
    let interface = scene.own_interface()?;
    Some(Damage {
        undo: vec![
            format!("ip rule del from {from} to {to} lookup {TABLE} 2> /dev/null || true"),
            format!("ip route flush table {TABLE} 2> /dev/null || true"),
        ],
        ..Damage::new(
            format!("the rule for packets from {from} to {to}"),
            scene.check(Subject::Route(to.into())),
            vec![
                format!("ip route add default via {via} dev {interface} table {TABLE}"),
                format!("ip rule add from {from} to {to} lookup {TABLE}"),
            ],
        )
    })
}

fn network_route_missing(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.host.is(Role::Client) || scene.hides_vip())?;
    let to = target(scene)?;
    let (address, interface, _) = own(scene)?;
    let network = address.trunc();
    scene.only(network.contains(&to))?;
    Some(Damage {
        undo: vec![format!(
            "ip route replace {network} dev {interface} proto kernel scope link src {} || true",
            address.addr()
        )],
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("the route to {network}"),
            scene.check(Subject::Route(to.into())),
            vec![format!("ip route del {network} dev {interface}")],
        )
    })
}
