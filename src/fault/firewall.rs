//! Packet filters.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::verify::Subject;

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "firewall-drop",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "adds a rule that drops the service's requests",
        symptom: "Requests hang, although the web server runs and listens.",
        damage: firewall_drop,
    },
    &Kind {
        name: "firewall-new-only",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "lets new connections to a real server in, and nothing that follows on them",
        symptom: "A part of the requests hangs, although every real server accepts connections.",
        damage: firewall_new_only,
    },
    &Kind {
        name: "firewall-forward",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "gives a NAT director a packet filter that forwards nothing",
        symptom: "All requests hang, although forwarding is on and every real server answers.",
        damage: firewall_forward,
    },
    &Kind {
        name: "port-diverted",
        layer: Layer::Firewall,
        effect: Effect::Broken,
        what: "leaves a rule on a real server that sends its requests to another port",
        symptom: "A part of the requests is refused, although every web server runs and listens.",
        damage: port_diverted,
    },
    &Kind {
        name: "vip-diverted",
        layer: Layer::Firewall,
        effect: Effect::QuietlyWrong,
        what: "leaves a rule on a NAT director that forwards the VIP to one real server, past IPVS",
        symptom: "Every request is answered, and always by the same real server.",
        damage: vip_diverted,
    },
];

fn firewall_drop(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server() || scene.is_director())?;
    let port = scene.ground.lab.service().port;
    let rules = Rules {
        nft: vec![format!("tcp dport {port} drop")],
        iptables: vec![format!("-I INPUT -p tcp --dport {port} -j DROP")],
    };
    Some(filter(scene, "input", "accept", &rules))
}

/// The rule for established connections forgotten, of which a director has none: IPVS takes its own out of
/// connection tracking.
fn firewall_new_only(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let port = scene.ground.lab.service().port;
    let rules = Rules {
        nft: vec![
            format!("tcp dport {port} ct state new accept"),
            format!("tcp dport {port} drop"),
        ],
        iptables: vec![
            format!("-I INPUT -p tcp --dport {port} -j DROP"),
            format!("-I INPUT -p tcp --dport {port} -m state --state NEW -j ACCEPT"),
        ],
    };
    Some(filter(scene, "input", "accept", &rules))
}

fn firewall_forward(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_passed_by_replies())?;
    let rules = Rules {
        nft: Vec::new(),
        iptables: vec!["-I FORWARD -j DROP".to_owned()],
    };
    Some(filter(scene, "forward", "drop", &rules))
}

fn port_diverted(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server())?;
    let port = scene.ground.lab.service().port;
    let other = if port.get() == 8080 { 8081 } else { 8080 };
    let to = format!("{}:{other}", scene.own_address()?.addr());
    let rules = Rules {
        nft: vec![format!("tcp dport {port} dnat ip to {to}")],
        iptables: vec![format!(
            "-t nat -I PREROUTING -p tcp --dport {port} -j DNAT --to-destination {to}"
        )],
    };
    Some(nat(scene, &rules))
}

fn vip_diverted(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_passed_by_replies())?;
    let (vip, port) = (scene.ground.lab.vip(), scene.ground.lab.service().port);
    let to = scene.served()?.address();
    let rules = Rules {
        nft: vec![format!("ip daddr {vip} tcp dport {port} dnat ip to {to}")],
        iptables: vec![format!(
            "-t nat -I PREROUTING -d {vip} -p tcp --dport {port} -j DNAT --to-destination {to}"
        )],
    };
    Some(nat(scene, &rules))
}

/// The same for both tools.
struct Rules {
    /// Of a chain, from its first on.
    nft: Vec<String>,
    /// In the order they are put in: the last is first in its chain.
    iptables: Vec<String>,
}

/// A chain of type filter where `hook` is; `policy` is nft's alone.
fn filter(scene: &Scene<'_>, hook: &str, policy: &str, rules: &Rules) -> Damage {
    let base = format!("type filter hook {hook} priority 0; policy {policy};");
    chain(scene, hook, &base, rules)
}

/// The chain of type nat in which destinations are rewritten (nft(8), "Standard priority names").
fn nat(scene: &Scene<'_>, rules: &Rules) -> Damage {
    let base = "type nat hook prerouting priority -100; policy accept;";
    chain(scene, "prerouting", base, rules)
}

/// A table of its own, so that taking it back touches nothing else; iptables where there is no nft.
fn chain(scene: &Scene<'_>, name: &str, base: &str, rules: &Rules) -> Damage {
    let mut nft = vec![
        "nft add table inet guard".to_owned(),
        format!("nft 'add chain inet guard {name} {{ {base} }}'"),
    ];
    let added = rules.nft.iter();
    nft.extend(added.map(|rule| format!("nft add rule inet guard {name} {rule}")));
    let iptables = rules.iptables.iter().map(|rule| format!("iptables {rule}"));
    let taken_out = rules.iptables.iter().map(|rule| {
        let rule = rule.replacen("-I", "-D", 1);
        format!("iptables {rule} 2> /dev/null || true")
    });
    Damage {
        setting: format!("the packet filter's {name} chain"),
        cause: scene.check(Subject::PacketFilter),
        inflict: with_either_tool(nft, iptables.collect()),
        undo: with_either_tool(
            vec!["nft delete table inet guard 2> /dev/null || true".to_owned()],
            taken_out.collect(),
        ),
        keeps: Vec::new(),
        cuts: None,
    }
}

fn with_either_tool(nft: Vec<String>, iptables: Vec<String>) -> Vec<String> {
    let line = |text: &str| vec![text.to_owned()];
    [
        line("if command -v nft > /dev/null"),
        line("then"),
        nft,
        line("else"),
        iptables,
        line("fi"),
    ]
    .concat()
}
