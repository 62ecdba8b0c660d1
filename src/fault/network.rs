//! Addresses, routes, gateways.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{InterfaceName, Mode, Role};
use crate::resource::{DefaultRoute, Resource};
use crate::verify::CheckId;

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "address-missing",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "removes the host's own address",
        symptom: "Some or all requests time out.",
        damage: address_missing,
    },
    &Kind {
        name: "wrong-mask",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "gives a real server's address the wrong mask",
        symptom: "The director reaches the real server and clients get no answer from it.",
        damage: wrong_mask,
    },
    &Kind {
        name: "vip-missing",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "removes the VIP from the director, or from a direct-routing real server's lo",
        symptom: "Requests for the VIP, or those handed to one real server, get no answer.",
        damage: vip_missing,
    },
    &Kind {
        name: "vip-mask",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "gives the VIP on lo the network's mask instead of /32",
        symptom: "One real server never answers, and cannot reach anybody in the client's network.",
        damage: vip_mask,
    },
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
        name: "second-address",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "gives a NAT real server an address in the clients' network",
        symptom: "Requests handed to one real server hang, although its gateway is the director.",
        damage: second_address,
    },
    &Kind {
        name: "address-twice",
        layer: Layer::Network,
        effect: Effect::QuietlyWrong,
        what: "gives a real server another one's address, too",
        symptom: "Now and then the wrong real server answers, or none; it changes from minute to minute.",
        damage: address_twice,
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
        name: "network-route-missing",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "removes the route of a directly connected network",
        symptom: "Some or all requests get no answer, although the host has its address.",
        damage: network_route_missing,
    },
];

fn damage(setting: String, cause: CheckId, inflict: Vec<String>) -> Damage {
    Damage {
        setting,
        cause,
        inflict,
        undo: Vec::new(),
        keeps: Vec::new(),
        cuts: None,
    }
}

/// The planned address without a label.
fn own(scene: &Scene<'_>) -> Option<(Ipv4Net, InterfaceName, CheckId)> {
    let address = scene.own_address()?;
    let check = scene.check_of(|resource| {
        matches!(resource, Resource::Address(own) if own.address == address && own.label.is_none())
    })?;
    Some((address, scene.own_interface()?.clone(), check))
}

fn gateway<'a>(scene: &Scene<'a>) -> Option<(&'a DefaultRoute, CheckId)> {
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

fn address_missing(scene: &Scene<'_>) -> Option<Damage> {
    let (address, interface, check) = own(scene)?;
    Some(Damage {
        cuts: Some(interface.clone()),
        ..damage(
            format!("{interface} has not {address}"),
            check,
            vec![format!("ip address del {address} dev {interface}")],
        )
    })
}

/// NAT: a network so wide that the client seems to be in it. Direct routing: so narrow that it seems not to be.
fn wrong_mask(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let (address, interface, check) = own(scene)?;
    let cip = scene.ground.lab.cip().addr();
    let length = match scene.mode() {
        Mode::Nat => common_bits(address.addr(), cip),
        Mode::Dr => 32,
    };
    scene.only(length >= 8 && length != address.prefix_len())?;
    let wrong = Ipv4Net::new(address.addr(), length).ok()?;
    let mut inflict = vec![
        format!("ip address del {address} dev {interface}"),
        format!("ip address add {wrong} dev {interface}"),
    ];
    if let Some((route, _)) = gateway(scene) {
        // It went with the address.
        inflict.push(format!(
            "ip route replace default via {} dev {}",
            route.via, route.interface
        ));
    }
    Some(Damage {
        cuts: Some(interface.clone()),
        ..damage(
            format!("the mask of {wrong} on {interface}"),
            check,
            inflict,
        )
    })
}

fn common_bits(a: Ipv4Addr, b: Ipv4Addr) -> u8 {
    u8::try_from((u32::from(a) ^ u32::from(b)).leading_zeros()).unwrap_or(0)
}

fn vip_missing(scene: &Scene<'_>) -> Option<Damage> {
    let vip = scene.vip()?;
    let check = scene.check_of(|r| matches!(r, Resource::Address(other) if other == vip))?;
    Some(Damage {
        // On a NAT director it is the interface's only address.
        cuts: vip.label.is_none().then(|| vip.interface.clone()),
        ..damage(
            format!("{} has not the VIP {}", vip.interface, vip.address),
            check,
            vec![format!(
                "ip address del {} dev {}",
                vip.address, vip.interface
            )],
        )
    })
}

fn vip_mask(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is(Mode::Dr, Role::RealServer))?;
    let vip = scene.vip()?;
    let check = scene.check_of(|r| matches!(r, Resource::Address(other) if other == vip))?;
    let wrong = scene.ground.lab.service().vip;
    scene.only(wrong != vip.address)?;
    let (lo, label) = (&vip.interface, vip.label.as_deref()?);
    Some(Damage {
        cuts: scene.own_interface().cloned(),
        ..damage(
            format!("the mask of the VIP {wrong} on {lo}"),
            check,
            vec![
                format!("ip address del {} dev {lo}", vip.address),
                format!("ip address add {wrong} label {label} dev {lo}"),
            ],
        )
    })
}

fn no_gateway(scene: &Scene<'_>) -> Option<Damage> {
    let (_, check) = gateway(scene)?;
    Some(Damage {
        cuts: answers_by_default_route(scene),
        ..damage(
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
        ..damage(
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

fn second_address(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is(Mode::Nat, Role::RealServer))?;
    let interface = scene.own_interface()?;
    let network = scene.ground.lab.cip();
    let address = Ipv4Net::new(scene.free_address(network)?, network.prefix_len()).ok()?;
    Some(added_address(
        scene,
        address,
        interface,
        scene.topic("no way around the director"),
    ))
}

fn address_twice(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let interface = scene.own_interface()?;
    let address = Ipv4Net::from(scene.other_server()?.address());
    Some(added_address(
        scene,
        address,
        interface,
        scene.topic("addresses of its own"),
    ))
}

fn added_address(
    scene: &Scene<'_>,
    address: Ipv4Net,
    interface: &InterfaceName,
    cause: CheckId,
) -> Damage {
    let name = &scene.host.name;
    Damage {
        undo: vec![format!(
            "ip address del {address} dev {interface} 2> /dev/null || true"
        )],
        ..damage(
            format!("{name} has {address} on {interface}"),
            cause,
            vec![format!("ip address add {address} dev {interface}")],
        )
    }
}

/// Where the host sends packets of the lab.
fn target(scene: &Scene<'_>) -> Option<Ipv4Addr> {
    let lab = scene.ground.lab;
    Some(match scene.host.role {
        Role::Client => lab.vip(),
        Role::RealServer => lab.cip().addr(),
        Role::Director => scene.served()?.address(),
    })
}

fn blackhole(scene: &Scene<'_>) -> Option<Damage> {
    let to = target(scene)?;
    Some(Damage {
        undo: vec![format!("ip route del blackhole {to} 2> /dev/null || true")],
        ..damage(
            format!("the route to {to}"),
            scene.topic(format_args!("route to {to}")),
            vec![format!("ip route add blackhole {to}")],
        )
    })
}

fn detour(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let to = target(scene)?;
    let via = match scene.mode() {
        Mode::Nat => stranger(scene)?,
        Mode::Dr => scene.ground.lab.dip().addr(),
    };
    let interface = scene.own_interface()?;
    Some(Damage {
        undo: vec![format!(
            "ip route del {to} via {via} dev {interface} 2> /dev/null || true"
        )],
        ..damage(
            format!("the route to {to}"),
            scene.topic(format_args!("route to {to}")),
            vec![format!("ip route add {to} via {via} dev {interface}")],
        )
    })
}

fn network_route_missing(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.host.role == Role::Client || scene.is(Mode::Dr, Role::RealServer))?;
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
        ..damage(
            format!("the route to {network}"),
            scene.topic(format_args!("route to {to}")),
            vec![format!("ip route del {network} dev {interface}")],
        )
    })
}
