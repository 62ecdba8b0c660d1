//! Addresses.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::route::{gateway, target};
use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{InterfaceName, Replies, Role};
use crate::resource::Resource;
use crate::verify::{CheckId, Subject};

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
        name: "vip-at-client",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "gives the client the VIP on lo",
        symptom: "Every request is refused at once, and none is seen on the wire.",
        damage: vip_at_client,
    },
    &Kind {
        name: "stray-address",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "gives a direct-routing real server's lo another address of the network, with the network's mask",
        symptom: "One real server never answers, and cannot reach anybody in the client's network.",
        damage: stray_address,
    },
];

/// The planned address without a label.
pub(super) fn own(scene: &Scene<'_>) -> Option<(Ipv4Net, InterfaceName, CheckId)> {
    let address = scene.own_address()?;
    let check = scene.check_of(|resource| {
        matches!(resource, Resource::Address(own) if own.address == address && own.label.is_none())
    })?;
    Some((address, scene.own_interface()?.clone(), check))
}

fn address_missing(scene: &Scene<'_>) -> Option<Damage> {
    let (address, interface, check) = own(scene)?;
    Some(Damage {
        cuts: Some(interface.clone()),
        ..Damage::new(
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
    let length = match scene.profile().replies {
        Replies::ThroughDirector => common_bits(address.addr(), cip),
        Replies::PastDirector => 32,
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
        ..Damage::new(
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
        ..Damage::new(
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
    scene.only(scene.hides_vip())?;
    let vip = scene.vip()?;
    let check = scene.check_of(|r| matches!(r, Resource::Address(other) if other == vip))?;
    let wrong = scene.ground.lab.service().vip;
    scene.only(wrong != vip.address)?;
    let (lo, label) = (&vip.interface, vip.label.as_deref()?);
    Some(Damage {
        cuts: scene.own_interface().cloned(),
        ..Damage::new(
            format!("the mask of the VIP {wrong} on {lo}"),
            check,
            vec![
                format!("ip address del {} dev {lo}", vip.address),
                format!("ip address add {wrong} label {label} dev {lo}"),
            ],
        )
    })
}

fn second_address(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.replies_through_director())?;
    let interface = scene.own_interface()?;
    let network = scene.ground.lab.cip();
    let address = Ipv4Net::new(scene.free_address(network)?, network.prefix_len()).ok()?;
    Some(added_address(
        scene,
        address,
        interface,
        scene.check(Subject::NoWayAroundDirector),
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
        scene.check(Subject::OwnAddresses),
    ))
}

fn vip_at_client(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.host.is(Role::Client))?;
    let vip = Ipv4Net::from(scene.ground.lab.vip());
    let lo = "lo".parse().ok()?;
    let cause = scene.check(Subject::OwnAddresses);
    Some(added_address(scene, vip, &lo, cause))
}

/// The kernel takes the whole network of an address on lo for the host's own.
fn stray_address(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.hides_vip())?;
    let network = scene.own_address()?;
    let to = target(scene)?;
    scene.only(network.contains(&to))?;
    let address = Ipv4Net::new(scene.free_address(network)?, network.prefix_len()).ok()?;
    let lo = "lo".parse().ok()?;
    let cause = scene.check(Subject::Route(to.into()));
    Some(Damage {
        cuts: scene.own_interface().cloned(),
        ..added_address(scene, address, &lo, cause)
    })
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
        ..Damage::new(
            format!("{name} has {address} on {interface}"),
            cause,
            vec![format!("ip address add {address} dev {interface}")],
        )
    }
}
