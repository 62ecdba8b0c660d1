//! Live kernel settings.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::InterfaceName;
use crate::verify::{CheckId, InterfaceSetting, Subject};

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "arp-ignore-off",
        layer: Layer::Link,
        effect: Effect::QuietlyWrong,
        what: "lets a real server answer ARP requests for the VIP",
        symptom: "It may work; sooner or later all requests go to one real server and past the director.",
        damage: arp_ignore_off,
    },
    &Kind {
        name: "arp-announce-off",
        layer: Layer::Link,
        effect: Effect::QuietlyWrong,
        what: "lets a real server announce the VIP as its own",
        symptom: "It may work; sooner or later a neighbour learns the wrong MAC for the VIP.",
        damage: arp_announce_off,
    },
    &Kind {
        name: "arp-silent",
        layer: Layer::Link,
        effect: Effect::Broken,
        what: "makes a host answer no ARP request at all",
        symptom: "It works for a while; then nobody finds the host any more.",
        damage: arp_silent,
    },
    &Kind {
        name: "forwarding-off",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "switches ip_forward off on a NAT director",
        symptom: "All requests hang, although every real server gets them and answers.",
        damage: forwarding_off,
    },
    &Kind {
        name: "interface-forwarding-off",
        layer: Layer::Network,
        effect: Effect::Broken,
        what: "switches forwarding off on a NAT director's inner interface alone; ip_forward stays 1",
        symptom: "All requests hang, although ip_forward is 1 and every real server answers.",
        damage: interface_forwarding_off,
    },
];

fn setting(key: &str, value: &str, cause: CheckId) -> Damage {
    Damage {
        setting: key.to_owned(),
        cause,
        inflict: vec![format!("sysctl -q -w {key}={value}")],
        undo: Vec::new(),
        keeps: Vec::new(),
        cuts: None,
    }
}

/// A setting the plan makes: the plan puts it back.
fn planned(scene: &Scene<'_>, key: &str, value: &str) -> Option<Damage> {
    Some(setting(key, value, scene.check_of_setting(key)?))
}

fn arp_ignore_off(scene: &Scene<'_>) -> Option<Damage> {
    planned(scene, "net.ipv4.conf.all.arp_ignore", "0")
}

fn arp_announce_off(scene: &Scene<'_>) -> Option<Damage> {
    planned(scene, "net.ipv4.conf.all.arp_announce", "0")
}

fn arp_silent(scene: &Scene<'_>) -> Option<Damage> {
    let interface = if scene.is_director() {
        scene.interface(scene.ground.lab.clients_network())?
    } else {
        scene.only(scene.is_real_server())?;
        scene.own_interface()?
    };
    let key = format!(
        "net.ipv4.conf.{}.arp_ignore",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(&key, "8", scene.check(effective("arp_ignore", interface)))
    })
}

fn forwarding_off(scene: &Scene<'_>) -> Option<Damage> {
    planned(scene, "net.ipv4.ip_forward", "0")
}

fn interface_forwarding_off(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_passed_by_replies())?;
    let interface = scene.own_interface()?;
    let key = format!(
        "net.ipv4.conf.{}.forwarding",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(&key, "0", scene.check(effective("forwarding", interface)))
    })
}

fn effective(setting: &str, interface: &InterfaceName) -> Subject {
    Subject::EffectiveSetting(InterfaceSetting {
        setting: setting.to_owned(),
        interface: interface.clone(),
    })
}
