//! What rules ask of a packet: the expressions of `match` and `vmap`.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::flags;
use super::super::rules::{Condition, Test};
use super::word;

/// Of a `match` statement.
pub(super) fn condition(value: &Value) -> Condition {
    let read = flags_condition(value).or_else(|| {
        Some(Condition {
            negated: match value["op"].as_str() {
                Some("==" | "in") | None => false,
                Some("!=") => true,
                Some(_) => return None,
            },
            test: test(&value["left"], &value["right"])?,
        })
    });
    read.unwrap_or(Condition::UNKNOWN)
}

/// Of `tcp flags`, whose bits are compared together (nft(8), "TCP header expression"): `==` all that the mask leaves,
/// `in` is met by any of them, `!` by none.
fn flags_condition(value: &Value) -> Option<Condition> {
    let left = &value["left"];
    let (field, mask) = match left["&"].as_array().map(Vec::as_slice) {
        Some([field, mask]) => (field, bits(mask)?),
        _ => (left, u8::MAX),
    };
    let payload = &field["payload"];
    if (word(payload, "protocol"), word(payload, "field")) != ("tcp", "flags") {
        return None;
    }
    let right = &value["right"];
    let negated = matches!(value["op"].as_str()?, "!=" | "in");
    let test = match value["op"].as_str()? {
        "==" | "!=" => Test::Flags {
            mask,
            sets: match right["set"].as_array() {
                Some(sets) => sets.iter().map(bits).collect::<Option<_>>()?,
                None => vec![bits(right)?],
            },
        },
        "in" | "!" => Test::Flags {
            mask: mask & bits(right)?,
            sets: vec![0],
        },
        _ => return None,
    };
    Some(Condition { test, negated })
}

/// `"syn"`, `["syn", "ack"]`, `{"|": ["syn", "ack"]}`, 0.
fn bits(value: &Value) -> Option<u8> {
    let together = |names: &[Value]| {
        names
            .iter()
            .try_fold(0, |all, name| Some(all | bits(name)?))
    };
    match value {
        Value::String(name) => flags::bit(name),
        Value::Array(names) => together(names),
        Value::Number(number) => u8::try_from(number.as_u64()?).ok(),
        _ => together(value["|"].as_array()?),
    }
}

/// That `key` is this element of a map.
pub(super) fn element(key: &Value, element: &Value) -> Condition {
    // `*` stands for what no other element is.
    let rest = element.as_str().is_some_and(|name| name.ends_with('*'));
    let test = test(key, element).filter(|_| !rest);
    test.map_or(Condition::UNKNOWN, |test| Condition {
        test,
        negated: false,
    })
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
    if let Some(fib) = left.get("fib") {
        // With an interface (`fib daddr . iif type`) it is another question.
        let of_destination = word(fib, "result") == "type" && fib["flags"] == json!(["daddr"]);
        return of_destination.then_some(Test::ToType(all(right, names)?));
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
