//! Rules in words, as nft prints them without `-j`.

use serde_json::Value;

use super::word;

/// `tcp dport 80`.
pub(super) fn match_words(value: &Value) -> String {
    let masked = value["left"].get("&").is_some();
    let operator = match value["op"].as_str() {
        Some("!=") => "!= ",
        Some("!") => "! ",
        Some("==") if masked => "== ",
        _ => "",
    };
    let name = selector_words(&value["left"]);
    format!("{name} {operator}{}", operand_words(&value["right"]))
}

/// `ct state vmap { established : accept, invalid : drop }`.
pub(super) fn vmap_words(value: &Value) -> String {
    let data = match value["data"]["set"].as_array() {
        Some(elements) => {
            let elements: Vec<String> = elements.iter().map(element_words).collect();
            format!("{{ {} }}", elements.join(", "))
        }
        None => operand_words(&value["data"]),
    };
    format!("{} vmap {data}", selector_words(&value["key"]))
}

/// `dnat to 192.168.2.100:8080`, `redirect to :8080`.
pub(super) fn divert_words(statement: &str, value: &Value) -> String {
    let address = value.get("addr").map(operand_words);
    let port = value
        .get("port")
        .map(|port| format!(":{}", operand_words(port)));
    match (address, port) {
        (None, None) => statement.to_owned(),
        (address, port) => format!(
            "{statement} to {}{}",
            address.unwrap_or_default(),
            port.unwrap_or_default()
        ),
    }
}

fn element_words(pair: &Value) -> String {
    let verdict = pair[1].as_object().and_then(|object| object.iter().next());
    let verdict = verdict.map(|(key, value)| match value["target"].as_str() {
        Some(chain) => format!("{key} {chain}"),
        None => key.clone(),
    });
    let key = operand_words(&pair[0]);
    format!("{key} : {}", verdict.unwrap_or_default())
}

fn selector_words(left: &Value) -> String {
    if let Some(payload) = left.get("payload") {
        format!("{} {}", word(payload, "protocol"), word(payload, "field"))
    } else if let Some(meta) = left.get("meta") {
        word(meta, "key").to_owned()
    } else if let Some(ct) = left.get("ct") {
        format!("ct {}", word(ct, "key"))
    } else if let Some(fib) = left.get("fib") {
        let flags = operand_words(&fib["flags"]).replace(", ", " . ");
        format!("fib {flags} {}", word(fib, "result"))
    } else if let Some([field, mask]) = left["&"].as_array().map(Vec::as_slice) {
        let mask = operand_words(mask).replace(", ", " | ");
        format!("{} & ({mask})", selector_words(field))
    } else {
        left.to_string()
    }
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
