//! `iptables-save`, as far as rules decide about packets of a web connection.

use ipnet::Ipv4Net;

use super::flags;
use super::rules::{
    Base, Chain, Condition, Destination, Fate, Hook, Rule, Stop, Table, Test, Verdict,
};
use crate::packet::Flags;

/// All tables.
pub(super) fn read(text: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut name = "";
    let mut table = Table::default();
    for line in text.lines().map(str::trim) {
        if let Some(begun) = line.strip_prefix('*') {
            name = begun;
            table = Table::default();
        } else if line == "COMMIT" {
            tables.push(std::mem::take(&mut table));
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut words = rest.split_whitespace();
            if let (Some(chain), Some(policy)) = (words.next(), words.next()) {
                let chain_read = Chain {
                    base: Hook::from_name(chain).map(|hook| Base {
                        hook,
                        translates: name == "nat",
                        device: None,
                        // iptables(8) refuses such a policy in the table `nat`.
                        drops: (policy == "DROP" && name != "nat").then(|| Stop {
                            rule: format!("policy DROP of {name} {chain}"),
                            lift: format!("iptables -t {name} -P {chain} ACCEPT"),
                            fate: Fate::Dropped,
                        }),
                    }),
                    rules: Vec::new(),
                };
                table.chains.insert(chain.to_owned(), chain_read);
            }
        } else if let Some(spec) = line.strip_prefix("-A ")
            && let Some((chain, rest)) = spec.split_once(' ')
            && let Some(read) = table.chains.get_mut(chain)
        {
            read.rules.push(Rule {
                text: format!("{name} -A {spec}"),
                lift: format!("iptables -t {name} -D {spec}"),
                ..rule(rest)
            });
        }
    }
    tables
}

fn rule(spec: &str) -> Rule {
    let mut rule = Rule {
        conditions: Vec::new(),
        verdict: Verdict::None,
        text: String::new(),
        lift: String::new(),
    };
    let mut words = words(spec).into_iter();
    let mut negated = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        let test = match word.as_str() {
            "!" => {
                negated = true;
                continue;
            }
            "-m" | "--comment" => {
                value();
                continue;
            }
            // What comes after it are the target's options.
            "-j" => {
                rule.verdict = target(&value(), &words.collect::<Vec<_>>());
                break;
            }
            "-g" => {
                rule.verdict = Verdict::Goto(value());
                continue;
            }
            "-i" => Test::ArrivesOn(vec![value()]),
            "-o" => Test::LeavesOn(vec![value()]),
            "-s" => net(&value()).map_or(Test::Unknown, |net| Test::From(vec![net])),
            "-d" => net(&value()).map_or(Test::Unknown, |net| Test::To(vec![net])),
            "-p" => Test::Is(matches!(value().as_str(), "tcp" | "all" | "6")),
            "--dport" => ports(&value()).map_or(Test::Unknown, Test::ToPort),
            "--sport" => ports(&value()).map_or(Test::Unknown, Test::FromPort),
            "--dports" => ports(&value()).map_or(Test::Unknown, Test::ToPort),
            "--sports" => ports(&value()).map_or(Test::Unknown, Test::FromPort),
            "--state" | "--ctstate" => Test::State(value().split(',').map(str::to_owned).collect()),
            "--syn" => Test::Flags {
                mask: flags::SYN_MASK,
                sets: vec![Flags::SYN],
            },
            "--tcp-flags" => tcp_flags(&value(), &value()),
            // iptables-extensions(8), "addrtype".
            "--dst-type" => Test::ToType(value().split(',').map(str::to_owned).collect()),
            // A condition on more than one packet.
            _ => Test::Unknown,
        };
        rule.conditions.push(Condition { test, negated });
        negated = false;
    }
    rule
}

fn target(name: &str, options: &[String]) -> Verdict {
    match name {
        "ACCEPT" => Verdict::Accept,
        "DROP" | "REJECT" => Verdict::Drop,
        "RETURN" => Verdict::Return,
        "NOTRACK" => Verdict::Untrack,
        "CT" if options.iter().any(|word| word == "--notrack") => Verdict::Untrack,
        "DNAT" => diverted(options, "--to-destination"),
        "REDIRECT" => diverted(options, "--to-ports"),
        "TPROXY" => diverted(options, "--on-port"),
        "QUEUE" | "NFQUEUE" | "SYNPROXY" => Verdict::Unknown,
        // A target that ends nothing (LOG, MARK, ...) is no chain of the table and returns at once.
        other => Verdict::Jump(other.to_owned()),
    }
}

/// By the option that says where to: `192.168.2.100`, `192.168.2.100:8080`, `8080`; the host itself without it.
fn diverted(options: &[String], option: &str) -> Verdict {
    let mut options = options.iter().skip_while(|word| *word != option);
    let (address, port) = match options.nth(1) {
        None => (None, None),
        Some(to) if to.contains('.') => {
            let (address, port) = to.split_once(':').unzip();
            (Some(address.unwrap_or(to)), port)
        }
        Some(to) => (None, Some(to.as_str())),
    };
    let read = || {
        Some(Destination {
            address: address.map(str::parse).transpose().ok()?,
            port: port.map(str::parse).transpose().ok()?,
        })
    };
    Verdict::Divert(read())
}

/// Which are looked at, and which of those must be set (iptables-extensions(8), "tcp").
fn tcp_flags(mask: &str, set: &str) -> Test {
    match (flags::listed(mask), flags::listed(set)) {
        (Some(mask), Some(set)) => Test::Flags {
            mask,
            sets: vec![set],
        },
        _ => Test::Unknown,
    }
}

fn net(text: &str) -> Option<Ipv4Net> {
    text.parse()
        .ok()
        .or_else(|| Some(Ipv4Net::from(text.parse::<std::net::Ipv4Addr>().ok()?)))
}

/// `80`, `8000:8080`, `80,443`.
fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    text.split(',')
        .map(|part| match part.split_once(':') {
            Some((low, high)) => Some((low.parse().ok()?, high.parse().ok()?)),
            None => {
                let port = part.parse().ok()?;
                Some((port, port))
            }
        })
        .collect()
}

/// Words as iptables-save writes them: double quotes around those with blanks.
fn words(spec: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut any) = (false, false);
    let mut characters = spec.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            '\\' if quoted => word.extend(characters.next()),
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}
