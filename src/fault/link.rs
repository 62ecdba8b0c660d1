//! Interfaces and neighbour tables.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{NetworkId, Role};
use crate::resource::Resource;
use crate::verify::Subject;

/// Nobody's: locally administered, and not one the sandbox makes up.
const NOBODY: &str = "02:00:5e:00:53:01";

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "link-down",
        layer: Layer::Link,
        effect: Effect::Broken,
        what: "sets a lab interface down",
        symptom: "Some or all requests time out, and the host does not answer on the lab's network.",
        damage: link_down,
    },
    &Kind {
        name: "loopback-down",
        layer: Layer::Link,
        effect: Effect::Broken,
        what: "sets a direct-routing real server's lo down",
        symptom: "Requests handed to one real server hang, although it has the VIP.",
        damage: loopback_down,
    },
    &Kind {
        name: "arp-off",
        layer: Layer::Link,
        effect: Effect::Broken,
        what: "switches ARP off on a lab interface, as old instructions do to hide the VIP",
        symptom: "Requests handed to the host hang, or all do, although it has its address and is up.",
        damage: arp_off,
    },
    &Kind {
        name: "wrong-neighbour",
        layer: Layer::Link,
        effect: Effect::Broken,
        what: "pins a MAC that nobody has into a neighbour table",
        symptom: "Some or all requests time out, although every host has the right addresses.",
        damage: wrong_neighbour,
    },
    &Kind {
        name: "vip-at-real-server",
        layer: Layer::Link,
        effect: Effect::QuietlyWrong,
        what: "pins a real server's MAC to the VIP in the client's neighbour table",
        symptom: "Every request is answered, and always by the same real server.",
        damage: vip_at_real_server,
    },
];

fn link_down(scene: &Scene<'_>) -> Option<Damage> {
    let interface = scene.own_interface()?;
    Some(Damage {
        setting: format!("{interface} is not up"),
        cause: scene.check_of(
            |resource| matches!(resource, Resource::Link(link) if link.interface == *interface),
        )?,
        inflict: vec![format!("ip link set {interface} down")],
        undo: Vec::new(),
        keeps: Vec::new(),
        cuts: Some(interface.clone()),
    })
}

fn loopback_down(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.hides_vip())?;
    Some(Damage {
        setting: "lo is not up".to_owned(),
        cause: scene.check(Subject::Link("lo".parse().ok()?)),
        inflict: vec!["ip link set lo down".to_owned()],
        undo: vec!["ip link set lo up".to_owned()],
        keeps: Vec::new(),
        cuts: None,
    })
}

fn arp_off(scene: &Scene<'_>) -> Option<Damage> {
    let interface = scene.own_interface()?;
    Some(Damage {
        setting: format!("ARP is off on {interface}"),
        cause: scene.check(Subject::Arp(interface.clone())),
        inflict: vec![format!("ip link set {interface} arp off")],
        undo: vec![format!("ip link set {interface} arp on")],
        keeps: Vec::new(),
        cuts: Some(interface.clone()),
    })
}

fn wrong_neighbour(scene: &Scene<'_>) -> Option<Damage> {
    let lab = scene.ground.lab;
    let (address, network) = if scene.is_director() {
        (scene.served()?.address(), lab.servers_network())
    } else {
        scene.only(scene.host.is(Role::Client))?;
        (lab.vip(), lab.clients_network())
    };
    pinned(scene, address, network, NOBODY)
}

fn vip_at_real_server(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.host.is(Role::Client) && scene.profile().real_server_vip.is_some())?;
    let server = scene.other_server()?;
    let mac = scene
        .mac_of(&server.host, scene.ground.lab.clients_network())
        .unwrap_or(NOBODY);
    let network = scene.ground.lab.clients_network();
    pinned(scene, scene.ground.lab.vip(), network, mac)
}

fn pinned(
    scene: &Scene<'_>,
    address: std::net::Ipv4Addr,
    network: NetworkId,
    mac: &str,
) -> Option<Damage> {
    let interface = scene.interface(network)?;
    Some(Damage {
        setting: format!("the neighbour entry for {address} on {interface}"),
        cause: scene.check(Subject::Neighbour(address.into())),
        inflict: vec![format!(
            "ip neighbour replace {address} lladdr {mac} nud permanent dev {interface}"
        )],
        undo: vec![format!(
            "ip neighbour del {address} dev {interface} 2> /dev/null || true"
        )],
        keeps: Vec::new(),
        cuts: None,
    })
}
