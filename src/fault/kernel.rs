//! Live kernel settings, and packet filters.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::{Mode, Role};
use crate::verify::CheckId;

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
    &Kind {
        name: "firewall-drop",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "adds a rule that drops the service's requests",
        symptom: "Requests hang, although the web server runs and listens.",
        damage: firewall_drop,
    },
    &Kind {
        name: "firewall-forward",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "gives a NAT director a packet filter that forwards nothing",
        symptom: "All requests hang, although forwarding is on and every real server answers.",
        damage: firewall_forward,
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
    let interface = match scene.host.role {
        Role::RealServer => scene.own_interface()?,
        Role::Director => scene.interface(0)?,
        Role::Client => return None,
    };
    let key = format!(
        "net.ipv4.conf.{}.arp_ignore",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(
            &key,
            "8",
            scene.topic(format_args!("effective arp_ignore on {interface}")),
        )
    })
}

fn forwarding_off(scene: &Scene<'_>) -> Option<Damage> {
    planned(scene, "net.ipv4.ip_forward", "0")
}

fn interface_forwarding_off(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is(Mode::Nat, Role::Director))?;
    let interface = scene.own_interface()?;
    let key = format!(
        "net.ipv4.conf.{}.forwarding",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(
            &key,
            "0",
            scene.topic(format_args!("effective forwarding on {interface}")),
        )
    })
}

fn firewall_drop(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server() || scene.is_director())?;
    let port = scene.ground.lab.service().port;
    Some(filter(
        scene,
        "input",
        "accept",
        &[format!("tcp dport {port} drop")],
        format!("-I INPUT -p tcp --dport {port} -j DROP"),
    ))
}

fn firewall_forward(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is(Mode::Nat, Role::Director))?;
    Some(filter(
        scene,
        "forward",
        "drop",
        &[],
        "-I FORWARD -j DROP".to_owned(),
    ))
}

/// A table of its own, so that taking it back touches nothing else; iptables where there is no nft.
fn filter(
    scene: &Scene<'_>,
    hook: &str,
    policy: &str,
    rules: &[String],
    iptables: String,
) -> Damage {
    let mut inflict = vec![
        "if command -v nft > /dev/null".to_owned(),
        "then".to_owned(),
        "nft add table inet guard".to_owned(),
        format!(
            "nft 'add chain inet guard {hook} {{ type filter hook {hook} priority 0; policy {policy}; }}'"
        ),
    ];
    inflict.extend(
        rules
            .iter()
            .map(|rule| format!("nft add rule inet guard {hook} {rule}")),
    );
    inflict.extend([
        "else".to_owned(),
        format!("iptables {iptables}"),
        "fi".to_owned(),
    ]);
    Damage {
        setting: format!("the packet filter's {hook} chain"),
        cause: scene.topic("firewall"),
        inflict,
        undo: vec![
            "if command -v nft > /dev/null".to_owned(),
            "then".to_owned(),
            "nft delete table inet guard 2> /dev/null || true".to_owned(),
            "else".to_owned(),
            format!(
                "iptables {} 2> /dev/null || true",
                iptables.replacen("-I", "-D", 1)
            ),
            "fi".to_owned(),
        ],
        keeps: Vec::new(),
        cuts: None,
    }
}
