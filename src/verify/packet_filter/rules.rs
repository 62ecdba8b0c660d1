//! Tables of rules, whatever tool they came from, and the way of one packet through them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

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
    /// It sees a connection's first packet alone (nft(8), chain type `nat`).
    pub(super) translates: bool,
    /// Only packets of this device, for chains of a netdev table.
    pub(super) device: Option<String>,
    /// What happens to packets that no rule decides about: they are dropped.
    pub(super) drops: Option<Stop>,
}

/// A rule or policy that ends a packet's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Stop {
    /// As the host's tool shows it.
    pub(in crate::verify) rule: String,
    /// What a person types on the host to lift it.
    pub(in crate::verify) lift: String,
    /// What becomes of the packet.
    pub(in crate::verify) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Fate {
    /// Dropped, or refused with an answer.
    Dropped,
    /// Sent elsewhere.
    Diverted,
}

#[derive(Debug, Clone, PartialEq)]
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
    /// Gives it another destination, where that can be told.
    Divert(Option<Destination>),
    /// Keeps it from connection tracking: the packet goes on.
    Untrack,
    /// Counts, marks, gives it another source: the packet goes on.
    None,
    /// Decided elsewhere: by a program that packets are queued to, by a map that is not known.
    Unknown,
}

/// Where a connection is sent instead (iptables-extensions(8), DNAT, REDIRECT and TPROXY; nft(8), "NAT statements").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// `None`: the host itself.
    pub(super) address: Option<Ipv4Addr>,
    /// `None`: the port it is for.
    pub(super) port: Option<u16>,
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
    /// Of the TCP flags in `mask` exactly one of these sets is set.
    Flags {
        mask: u8,
        sets: Vec<u8>,
    },
    /// What the host's routes say of the destination: `local`, `unicast`, `broadcast`, ... (rtnetlink(7), `rtm_type`).
    ToType(Vec<String>),
    /// Not understood, or not decided by one packet (limits, marks, sets by name).
    Unknown,
}

impl Condition {
    /// Perhaps met, perhaps not.
    pub(super) const UNKNOWN: Self = Self {
        test: Test::Unknown,
        negated: false,
    };

    /// Whether the packet meets it, where that is certain.
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
            Test::Flags { mask, sets } => sets.contains(&(packet.flags.0 & mask)),
            Test::ToType(types) => types
                .iter()
                .any(|kind| kind.eq_ignore_ascii_case(packet.to_type)),
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
#[derive(PartialEq)]
enum End {
    /// Let through, or what becomes of it cannot be told: nothing more is held against the host.
    Open,
    /// Back to where it came from.
    Returned,
}

/// Deeper than the kernel allows chains to be nested (`NFT_JUMP_STACK_SIZE`, 16).
const DEEPEST: usize = 16;

/// More rules than one packet can meet in rules a kernel took; evidence from a file may hold anything.
const MOST_RULES: usize = 100_000;

impl Table {
    /// The rules and policies that surely take the packet away, each once those before it are lifted.
    pub(super) fn stops(&self, packet: &Packet) -> Vec<Stop> {
        let mut stops = Vec::new();
        for chain in self.chains.values() {
            let Some(base) = chain.base.as_ref().filter(|base| base.sees(packet)) else {
                continue;
            };
            let mut walk = Walk {
                table: self,
                packet,
                left: MOST_RULES,
                stops: Vec::new(),
            };
            let end = walk.follow(chain, 0);
            stops.append(&mut walk.stops);
            stops.extend(base.drops.clone().filter(|_| end == End::Returned));
        }
        stops
    }

    /// Whether a rule gives the packet another destination here, or may do so.
    pub(super) fn may_divert(&self, packet: &Packet) -> bool {
        let mut bases = self.chains.values().filter_map(|chain| chain.base.as_ref());
        let diverts = |rule: &Rule| {
            matches!(rule.verdict, Verdict::Divert(_)) && rule.met(packet) != Some(false)
        };
        bases.any(|base| base.sees(packet))
            && self
                .chains
                .values()
                .any(|chain| chain.rules.iter().any(diverts))
    }

    /// Whether a rule may keep the packet from connection tracking, so that it has no state there.
    pub(super) fn may_untrack(&self, packet: &Packet) -> bool {
        let mut rules = self.chains.values().flat_map(|chain| &chain.rules);
        rules.any(|rule| rule.verdict == Verdict::Untrack && rule.met(packet) != Some(false))
    }
}

/// A packet on its way through a table.
struct Walk<'t> {
    table: &'t Table,
    packet: &'t Packet,
    /// Rules that it may still meet.
    left: usize,
    /// What has surely stopped it so far; it goes on as if that were lifted.
    stops: Vec<Stop>,
}

impl Walk<'_> {
    /// A rule that may be met counts both ways: what comes after it is certain only where it is so either way.
    fn follow(&mut self, chain: &Chain, depth: usize) -> End {
        let mut perhaps_returned = false;
        for rule in &chain.rules {
            match self.left.checked_sub(1) {
                Some(rest) => self.left = rest,
                None => return End::Open,
            }
            let met = rule.met(self.packet);
            if met == Some(false) {
                continue;
            }
            let before = self.stops.len();
            let end = self.leaves_by(rule, depth);
            if self.stops.len() > before && (met.is_none() || perhaps_returned) {
                self.stops.truncate(before);
                match met {
                    // Where it is not stopped here, what comes after decides.
                    None => continue,
                    Some(_) => return End::Open,
                }
            }
            match (met, end) {
                (_, None) => {}
                (None, Some(End::Returned)) => perhaps_returned = true,
                (_, Some(end)) => return end,
            }
        }
        End::Returned
    }

    /// How a packet that meets this rule leaves the rule's chain; `None` where it goes on to the next rule.
    fn leaves_by(&mut self, rule: &Rule, depth: usize) -> Option<End> {
        match &rule.verdict {
            Verdict::None | Verdict::Untrack => None,
            Verdict::Accept | Verdict::Unknown => Some(End::Open),
            Verdict::Divert(to) if to.as_ref().is_none_or(|to| self.packet.is_served_at(to)) => {
                Some(End::Open)
            }
            Verdict::Drop => self.stopped(rule, Fate::Dropped),
            Verdict::Divert(_) => self.stopped(rule, Fate::Diverted),
            Verdict::Return => Some(End::Returned),
            Verdict::Jump(name) => {
                Some(self.enter(name, depth)).filter(|end| *end != End::Returned)
            }
            Verdict::Goto(name) => Some(self.enter(name, depth)),
        }
    }

    fn enter(&mut self, name: &str, depth: usize) -> End {
        match self.table.chains.get(name) {
            Some(_) if depth >= DEEPEST => End::Open,
            Some(next) => self.follow(next, depth + 1),
            None => End::Returned,
        }
    }

    fn stopped(&mut self, rule: &Rule, fate: Fate) -> Option<End> {
        self.stops.push(Stop {
            rule: rule.text.clone(),
            lift: rule.lift.clone(),
            fate,
        });
        None
    }
}

impl Base {
    fn sees(&self, packet: &Packet) -> bool {
        self.hook == packet.hook
            && (!self.translates || packet.state == Some("new"))
            && (self.device.is_none() || self.device == packet.arrives_on)
    }
}

impl Rule {
    /// Whether the packet meets all conditions, where that is certain.
    fn met(&self, packet: &Packet) -> Option<bool> {
        let met = || self.conditions.iter().map(|one| one.met(packet));
        if met().any(|one| one == Some(false)) {
            return Some(false);
        }
        met().all(|one| one.is_some()).then_some(true)
    }
}
