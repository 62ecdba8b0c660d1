//! Packet filters.

use super::Damage;
use super::planned_host::PlannedHost;
use crate::verify::Subject;

pub(super) fn firewall_drop(host: &PlannedHost<'_>) -> Option<Damage> {
    let port = host.lab().service().port;
    let rules = Rules {
        nft: vec![format!("tcp dport {port} drop")],
        iptables: vec![format!("-I INPUT -p tcp --dport {port} -j DROP")],
    };
    Some(filter(host, "input", "accept", &rules))
}

/// As if the rule for established connections had been forgotten. A director has no such rule: connection tracking does
/// not see the connections of IPVS.
pub(super) fn firewall_new_only(host: &PlannedHost<'_>) -> Option<Damage> {
    let port = host.lab().service().port;
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
    Some(filter(host, "input", "accept", &rules))
}

pub(super) fn firewall_forward(host: &PlannedHost<'_>) -> Option<Damage> {
    let rules = Rules {
        nft: Vec::new(),
        iptables: vec!["-I FORWARD -j DROP".to_owned()],
    };
    Some(filter(host, "forward", "drop", &rules))
}

pub(super) fn port_diverted(host: &PlannedHost<'_>) -> Option<Damage> {
    let port = host.lab().service().port;
    let other = if port.get() == 8080 { 8081 } else { 8080 };
    let to = format!("{}:{other}", host.own_address()?.addr());
    let rules = Rules {
        nft: vec![format!("tcp dport {port} dnat ip to {to}")],
        iptables: vec![format!(
            "-t nat -I PREROUTING -p tcp --dport {port} -j DNAT --to-destination {to}"
        )],
    };
    Some(nat(host, &rules))
}

pub(super) fn vip_diverted(host: &PlannedHost<'_>) -> Option<Damage> {
    let (vip, port) = (host.lab().vip(), host.lab().service().port);
    let to = host.served()?.address();
    let rules = Rules {
        nft: vec![format!("ip daddr {vip} tcp dport {port} dnat ip to {to}")],
        iptables: vec![format!(
            "-t nat -I PREROUTING -d {vip} -p tcp --dport {port} -j DNAT --to-destination {to}"
        )],
    };
    Some(nat(host, &rules))
}

/// The same rules for nft and for iptables.
struct Rules {
    /// In the order of the chain.
    nft: Vec<String>,
    /// In the order of insertion: the last one becomes the first of its chain.
    iptables: Vec<String>,
}

/// A chain of type filter at `hook`; only nft uses `policy`.
fn filter(host: &PlannedHost<'_>, hook: &str, policy: &str, rules: &Rules) -> Damage {
    let base = format!("type filter hook {hook} priority 0; policy {policy};");
    chain(host, hook, &base, rules)
}

/// The chain of type nat in which destinations are rewritten (nft(8), "Standard priority names").
fn nat(host: &PlannedHost<'_>, rules: &Rules) -> Damage {
    let base = "type nat hook prerouting priority -100; policy accept;";
    chain(host, "prerouting", base, rules)
}

/// A table of its own, so that removing it touches nothing else; iptables on hosts without nft.
fn chain(host: &PlannedHost<'_>, name: &str, base: &str, rules: &Rules) -> Damage {
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
        undo: with_either_tool(
            vec!["nft delete table inet guard 2> /dev/null || true".to_owned()],
            taken_out.collect(),
        ),
        ..Damage::new(
            format!("the packet filter's {name} chain"),
            host.check(Subject::PacketFilter),
            with_either_tool(nft, iptables.collect()),
        )
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
