//! `nft -j list ruleset`, libnftables-json(5), as far as rules decide about packets of a web connection.

mod condition;
mod words;

use serde_json::Value;

use super::rules::{Base, Chain, Condition, Destination, Fate, Hook, Rule, Stop, Table, Verdict};
use condition::{condition, element};
use words::{divert_words, match_words, vmap_words};

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
                chain.rules.extend(read_rule(rule, &place));
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
    let name = word(chain, "name");
    let translates = word(chain, "type") == "nat";
    // Chains of type nat do not filter.
    let drops = word(chain, "policy") == "drop" && !translates;
    Some(Base {
        hook: Hook::from_name(word(chain, "hook"))?,
        translates,
        device: chain["dev"].as_str().map(str::to_owned),
        drops: drops.then(|| Stop {
            rule: format!("policy drop of chain {family} {table} {name}"),
            lift: format!("nft 'chain {family} {table} {name} {{ policy accept; }}'"),
            fate: Fate::Dropped,
        }),
    })
}

/// One rule for each verdict it can come to: a verdict map has many.
fn read_rule(rule: &Value, (family, table): &(String, String)) -> Vec<Rule> {
    let chain = word(rule, "chain");
    let handle = &rule["handle"];
    let mut read = Rule {
        conditions: Vec::new(),
        verdict: Verdict::None,
        text: String::new(),
        lift: format!("nft delete rule {family} {table} {chain} handle {handle}"),
    };
    let mut cases = Vec::new();
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
            "vmap" => {
                words.push(vmap_words(value));
                cases = verdict_map(value);
            }
            "dnat" | "redirect" => {
                words.push(divert_words(key, value));
                read.verdict = Verdict::Divert(destination(value));
            }
            "notrack" => read.verdict = Verdict::Untrack,
            "counter" | "log" | "comment" | "mangle" | "masquerade" | "snat" => {}
            _ => match verdict(key, value) {
                Some(verdict) => {
                    words.extend(stops(key).then(|| key.clone()));
                    read.verdict = verdict;
                }
                // Limits, quotas, what iptables brought along: they decide by more than the packet.
                None => read.conditions.push(Condition::UNKNOWN),
            },
        }
    }
    read.text = format!("{family} {table} {chain}: {}", words.join(" "));
    if cases.is_empty() {
        return vec![read];
    }
    let case = |(condition, verdict)| {
        let mut rule = read.clone();
        rule.conditions.push(condition);
        rule.verdict = verdict;
        rule
    };
    cases.into_iter().map(case).collect()
}

/// A statement that ends the way through a chain, or turns it (nft(8), "Verdict statement").
fn verdict(key: &str, value: &Value) -> Option<Verdict> {
    let target = || word(value, "target").to_owned();
    Some(match key {
        "accept" => Verdict::Accept,
        "drop" | "reject" => Verdict::Drop,
        "continue" => Verdict::None,
        "return" => Verdict::Return,
        "jump" => Verdict::Jump(target()),
        "goto" => Verdict::Goto(target()),
        "queue" | "synproxy" | "fwd" => Verdict::Unknown,
        _ => return None,
    })
}

/// Of `dnat` and `redirect`; a range or a map may lead anywhere.
fn destination(value: &Value) -> Option<Destination> {
    let port = |port: &Value| u16::try_from(port.as_u64()?).ok();
    Some(Destination {
        address: match value.get("addr") {
            Some(address) => Some(address.as_str()?.parse().ok()?),
            None => None,
        },
        port: match value.get("port") {
            Some(number) => Some(port(number)?),
            None => None,
        },
    })
}

fn stops(key: &str) -> bool {
    matches!(key, "drop" | "reject")
}

/// The verdicts of `vmap` with what leads to each. The elements of a map exclude each other, so they can be asked
/// one after the other.
fn verdict_map(value: &Value) -> Vec<(Condition, Verdict)> {
    let Some(elements) = value["data"]["set"].as_array() else {
        // `@ports`: a map by name, whose elements are elsewhere.
        return vec![(Condition::UNKNOWN, Verdict::Unknown)];
    };
    let read = |pair: &Value| {
        let (word, target) = pair[1].as_object()?.iter().next()?;
        let condition = element(&value["key"], &pair[0]);
        Some((condition, verdict(word, target)?))
    };
    elements
        .iter()
        .map(|pair| read(pair).unwrap_or((Condition::UNKNOWN, Verdict::Unknown)))
        .collect()
}
