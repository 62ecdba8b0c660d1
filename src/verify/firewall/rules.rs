//! Tables of rules, whatever tool they came from, and the way of one packet through them.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::packet::Packet;

/// Where a chain sees packets (nft(8), "Netfilter hooks").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    Ingress,
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "ingress" => Self::Ingress,
            "prerouting" => Self::Prerouting,
            "input" => Self::Input,
            "forward" => Self::Forward,
            "output" => Self::Output,
            "postrouting" => Self::Postrouting,
            _ => return None,
        })
    }
}

/// Chains that refer to each other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) chains: BTreeMap<String, Chain>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Chain {
    /// Of a base chain: it is where packets come in.
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Base {
    pub(super) hook: Hook,
    /// Only packets of this device, for chains of a netdev table.
    pub(super) device: Option<String>,
    /// What happens to packets that no rule decides about: they are dropped, with these words for it and
    /// the command that changes it.
    pub(super) drops: Option<(String, String)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Rule {
    /// All have to be met.
    pub(super) conditions: Vec<Condition>,
    pub(super) verdict: Verdict,
    /// As the tool shows it.
    pub(super) text: String,
    /// What takes it out.
    pub(super) lift: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    /// Drop, or refuse with an answer.
    Drop,
    Jump(String),
    Goto(String),
    Return,
    /// Counts, marks, translates: the packet goes on.
    None,
}

/// What a rule asks of a packet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) test: Test,
    pub(super) negated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// Interface names; a trailing `*` stands for any rest.
    ArrivesOn(Vec<String>),
    LeavesOn(Vec<String>),
    From(Vec<Ipv4Net>),
    To(Vec<Ipv4Net>),
    FromPort(Vec<(u16, u16)>),
    ToPort(Vec<(u16, u16)>),
    /// Met by IPv4 and TCP, which every packet here is, or not.
    Is(bool),
    State(Vec<String>),
    /// Not understood, or not decided by one packet (limits, marks, sets by name).
    Unknown,
}

impl Condition {
    /// Whether the packet surely meets it.
    fn surely_met(&self, packet: &Packet) -> bool {
        self.met(packet) == Some(true)
    }

    fn met(&self, packet: &Packet) -> Option<bool> {
        let met = match &self.test {
            Test::ArrivesOn(names) => named(names, packet.arrives_on.as_deref()),
            Test::LeavesOn(names) => named(names, packet.leaves_on.as_deref()),
            Test::From(nets) => nets.iter().any(|net| net.contains(&packet.from)),
            Test::To(nets) => nets.iter().any(|net| net.contains(&packet.to)),
            Test::FromPort(ranges) => within(ranges, packet.from_port?),
            Test::ToPort(ranges) => within(ranges, packet.to_port?),
            Test::Is(met) => *met,
            Test::State(states) => {
                let state = packet.state?;
                states.iter().any(|s| s.eq_ignore_ascii_case(state))
            }
            Test::Unknown => return None,
        };
        Some(met != self.negated)
    }
}

/// Loopback and interfaces outside the lab are never a packet's.
fn named(names: &[String], interface: Option<&str>) -> bool {
    let Some(interface) = interface else {
        return false;
    };
    names
        .iter()
        .any(|name| match name.strip_suffix(['*', '+']) {
            Some(start) => interface.starts_with(start),
            None => name == interface,
        })
}

/// The client's own port is any, so no range surely holds it but the whole.
fn within(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges
        .iter()
        .any(|(low, high)| (*low..=*high).contains(&port))
}

/// How a packet leaves a chain.
enum End {
    Accepted,
    Dropped {
        rule: String,
        lift: String,
    },
    /// Back to where it came from.
    Returned,
}

/// Deeper than the kernel allows chains to be nested (`NFT_JUMP_STACK_SIZE`, 16).
const DEEPEST: usize = 16;

/// More rules than one packet can meet in rules a kernel took; evidence from a file may hold anything.
const MOST_RULES: usize = 100_000;

impl Table {
    /// The rule or policy that takes the packet away, and the command that lifts it.
    pub(super) fn obstacle(&self, packet: &Packet) -> Option<(String, String)> {
        self.chains.values().find_map(|chain| {
            let base = chain.base.as_ref().filter(|base| {
                base.hook == packet.hook
                    && (base.device.is_none() || base.device == packet.arrives_on)
            })?;
            let mut left = MOST_RULES;
            match self.follow(chain, packet, 0, &mut left) {
                End::Accepted => None,
                End::Dropped { rule, lift } => Some((rule, lift)),
                End::Returned => base.drops.clone(),
            }
        })
    }

    fn follow(&self, chain: &Chain, packet: &Packet, depth: usize, left: &mut usize) -> End {
        for rule in &chain.rules {
            match left.checked_sub(1) {
                Some(rest) => *left = rest,
                None => return End::Accepted,
            }
            let mut conditions = rule.conditions.iter();
            if !conditions.all(|condition| condition.surely_met(packet)) {
                // What a packet may or may not be let through by is not held against the host.
                if rule.verdict == Verdict::Accept && rule.may_be_met(packet) {
                    return End::Accepted;
                }
                continue;
            }
            match &rule.verdict {
                Verdict::Accept => return End::Accepted,
                Verdict::Drop => {
                    return End::Dropped {
                        rule: rule.text.clone(),
                        lift: rule.lift.clone(),
                    };
                }
                Verdict::Return => return End::Returned,
                Verdict::None => {}
                Verdict::Jump(name) | Verdict::Goto(name) => {
                    let end = match self.chains.get(name) {
                        Some(next) if depth < DEEPEST => self.follow(next, packet, depth + 1, left),
                        _ => End::Returned,
                    };
                    match (end, &rule.verdict) {
                        (End::Returned, Verdict::Goto(_)) => return End::Returned,
                        (End::Returned, _) => {}
                        (end, _) => return end,
                    }
                }
            }
        }
        End::Returned
    }
}

impl Rule {
    fn may_be_met(&self, packet: &Packet) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.all(|condition| condition.met(packet) != Some(false))
    }
}
