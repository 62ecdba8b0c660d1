//! `nft -j list ruleset`, libnftables-json(5), as far as rules decide about packets of a web connection.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::rules::{Base, Chain, Condition, Hook, Rule, Table, Test, Verdict};

/// The tables of ip_tables, which iptables keeps in nf_tables under the same names (iptables-nft(8)).
const OF_IPTABLES: [&str; 5] = ["filter", "mangle", "nat", "raw", "security"];

/// The tables that see IPv4 packets, but for those `of_iptables` where they are read from iptables-save.
pub(super) fn read(text: &str, of_iptables: bool) -> Result<Vec<Table>, String> {
    let document: Value = serde_json::from_str(text)
        .map_err(|error| format!("the rules that nft printed are no JSON: {error}"))?;
    let objects = document["nftables"]
        .as_array()
        .ok_or("what nft printed has no list `nftables`")?;
    let mut tables: Vec<((String, String), Table)> = Vec::new();
    for object in objects {
        if let Some(chain) = object.get("chain") {
            let place = place(chain);
            let shared = place.0 == "ip" && OF_IPTABLES.contains(&&*place.1);
            if !sees_ipv4(&place.0) || (shared && !of_iptables) {
                continue;
            }
            table(&mut tables, &place).chains.insert(
                word(chain, "name").to_owned(),
                Chain {
                    base: base(chain, &place),
                    rules: Vec::new(),
                },
            );
        } else if let Some(rule) = object.get("rule") {
            let place = place(rule);
            let chains = &mut table(&mut tables, &place).chains;
            if let Some(chain) = chains.get_mut(word(rule, "chain")) {
                chain.rules.push(read_rule(rule, &place));
            }
        }
    }
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

/// Family and table.
fn place(object: &Value) -> (String, String) {
    (
        word(object, "family").to_owned(),
        word(object, "table").to_owned(),
    )
}

fn table<'t>(
    tables: &'t mut Vec<((String, String), Table)>,
    place: &(String, String),
) -> &'t mut Table {
    let at = tables
        .iter()
        .position(|(known, _)| known == place)
        .unwrap_or_else(|| {
            tables.push((place.clone(), Table::default()));
            tables.len() - 1
        });
    &mut tables[at].1
}

fn sees_ipv4(family: &str) -> bool {
    matches!(family, "ip" | "inet" | "netdev")
}

fn word<'v>(object: &'v Value, key: &str) -> &'v str {
    object[key].as_str().unwrap_or_default()
}

fn base(chain: &Value, (family, table): &(String, String)) -> Option<Base> {
    let hook = Hook::from_name(word(chain, "hook"))?;
    // Chains of type nat see only the first packet and do not filter.
    if word(chain, "type") == "nat" {
        return None;
    }
    let name = word(chain, "name");
    Some(Base {
        hook,
        device: chain["dev"].as_str().map(str::to_owned),
        drops: (word(chain, "policy") == "drop").then(|| {
            (
                format!("policy drop of chain {family} {table} {name}"),
                format!("nft 'chain {family} {table} {name} {{ policy accept; }}'"),
            )
        }),
    })
}

fn read_rule(rule: &Value, (family, table): &(String, String)) -> Rule {
    let chain = word(rule, "chain");
    let handle = &rule["handle"];
    let mut read = Rule {
        conditions: Vec::new(),
        verdict: Verdict::None,
        text: String::new(),
        lift: format!("nft delete rule {family} {table} {chain} handle {handle}"),
    };
    let mut words = Vec::new();
    for statement in rule["expr"].as_array().into_iter().flatten() {
        let Some((key, value)) = statement.as_object().and_then(|s| s.iter().next()) else {
            continue;
        };
        match key.as_str() {
            "match" => {
                words.push(match_words(value));
                read.conditions.push(condition(value));
            }
            "accept" => read.verdict = Verdict::Accept,
            "drop" => read.verdict = Verdict::Drop,
            "reject" => {
                read.verdict = Verdict::Drop;
                words.push("reject".to_owned());
            }
            "return" => read.verdict = Verdict::Return,
            "jump" => read.verdict = Verdict::Jump(word(value, "target").to_owned()),
            "goto" => read.verdict = Verdict::Goto(word(value, "target").to_owned()),
            "counter" | "log" | "comment" | "mangle" | "notrack" | "masquerade" | "snat"
            | "dnat" | "redirect" => {}
            // Limits, quotas, verdict maps, what iptables brought along: they decide by more than the packet.
            _ => read.conditions.push(Condition {
                test: Test::Unknown,
                negated: false,
            }),
        }
    }
    if read.verdict == Verdict::Drop && words.last().is_none_or(|last| last != "reject") {
        words.push("drop".to_owned());
    }
    read.text = format!("{family} {table} {chain}: {}", words.join(" "));
    read
}

/// `tcp dport 80`, as nft prints it.
fn match_words(value: &Value) -> String {
    let left = &value["left"];
    let name = if let Some(payload) = left.get("payload") {
        format!("{} {}", word(payload, "protocol"), word(payload, "field"))
    } else if let Some(meta) = left.get("meta") {
        word(meta, "key").to_owned()
    } else if let Some(ct) = left.get("ct") {
        format!("ct {}", word(ct, "key"))
    } else {
        left.to_string()
    };
    let operator = match value["op"].as_str() {
        Some("!=") => "!= ",
        _ => "",
    };
    format!("{name} {operator}{}", operand_words(&value["right"]))
}

fn operand_words(value: &Value) -> String {
    let list = |items: &[Value]| {
        let words: Vec<String> = items.iter().map(operand_words).collect();
        words.join(", ")
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items),
        Value::Object(_) => {
            if let Some(items) = value["set"].as_array() {
                format!("{{ {} }}", list(items))
            } else if let Some([low, high]) = value["range"].as_array().map(Vec::as_slice) {
                format!("{}-{}", operand_words(low), operand_words(high))
            } else if let Some(prefix) = value.get("prefix") {
                format!("{}/{}", word(prefix, "addr"), prefix["len"])
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}

fn condition(value: &Value) -> Condition {
    let negated = match value["op"].as_str() {
        Some("==" | "in") | None => Some(false),
        Some("!=") => Some(true),
        Some(_) => None,
    };
    let Some(negated) = negated else {
        return Condition {
            test: Test::Unknown,
            negated: false,
        };
    };
    let right = &value["right"];
    Condition {
        test: test(&value["left"], right).unwrap_or(Test::Unknown),
        negated,
    }
}

/// `None` for whatever is not about a packet's addresses, ports, interfaces, protocol or state.
fn test(left: &Value, right: &Value) -> Option<Test> {
    if let Some(payload) = left.get("payload") {
        return Some(match (word(payload, "protocol"), word(payload, "field")) {
            ("ip", "saddr") => Test::From(all(right, nets)?),
            ("ip", "daddr") => Test::To(all(right, nets)?),
            ("tcp" | "th", "sport") => Test::FromPort(all(right, ports)?),
            ("tcp" | "th", "dport") => Test::ToPort(all(right, ports)?),
            ("ip", "protocol") => Test::Is(says(right, &["tcp", "6"])?),
            ("udp" | "icmp" | "icmpv6" | "ip6" | "sctp" | "arp", _) => Test::Is(false),
            _ => return None,
        });
    }
    if let Some(meta) = left.get("meta") {
        return Some(match word(meta, "key") {
            "iifname" | "iif" => Test::ArrivesOn(all(right, names)?),
            "oifname" | "oif" => Test::LeavesOn(all(right, names)?),
            "l4proto" => Test::Is(says(right, &["tcp", "6"])?),
            "nfproto" => Test::Is(says(right, &["ipv4", "2"])?),
            "protocol" => Test::Is(says(right, &["ip", "8"])?),
            _ => return None,
        });
    }
    match left.get("ct").map(|ct| word(ct, "key")) {
        Some("state") => Some(Test::State(all(right, names)?)),
        // IPVS translates by itself: no connection of the lab is one that netfilter's NAT has changed.
        Some("status") => {
            let translated = |name: &String| matches!(&**name, "dnat" | "snat");
            all(right, names)?
                .iter()
                .all(translated)
                .then_some(Test::Is(false))
        }
        _ => None,
    }
}

fn says(right: &Value, wanted: &[&str]) -> Option<bool> {
    let found: Vec<String> = all(right, names)?;
    Some(found.iter().any(|name| wanted.contains(&name.as_str())))
}

/// Every element of a scalar, list or anonymous set; `None` when one is not understood.
fn all<T>(value: &Value, one: impl Fn(&Value) -> Option<T> + Copy) -> Option<Vec<T>> {
    let items = match value {
        Value::Array(items) => items,
        _ => match value["set"].as_array() {
            Some(items) => items,
            None => return Some(vec![one(value)?]),
        },
    };
    items.iter().map(one).collect()
}

fn names(value: &Value) -> Option<String> {
    match value {
        // `@blocked`: a set by name, whose elements are elsewhere.
        Value::String(text) if text.starts_with('@') => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn nets(value: &Value) -> Option<Ipv4Net> {
    if let Some(prefix) = value.get("prefix") {
        let address: Ipv4Addr = word(prefix, "addr").parse().ok()?;
        let length = u8::try_from(prefix["len"].as_u64()?).ok()?;
        return Ipv4Net::new(address, length).ok();
    }
    let address: Ipv4Addr = value.as_str()?.parse().ok()?;
    Some(Ipv4Net::from(address))
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(name) if name == "http" => Some(80),
        _ => None,
    };
    if let Some([low, high]) = value["range"].as_array().map(Vec::as_slice) {
        return Some((port(low)?, port(high)?));
    }
    let port = port(value)?;
    Some((port, port))
}
