//! The two JSON documents, and the questions that are asked.

use super::{evidence, found, set_sysctl};
use crate::model::ForwardingMethod;
use crate::verify::evidence::{Evidence, EvidenceError};
use crate::verify::{ROUNDS, check};

#[test]
fn saved_evidence_gives_the_same_verdict() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    let inner = "net.ipv4.conf.eth1.forwarding";
    set_sysctl(&mut evidence, "director", inner, "0");
    let again = Evidence::from_json(&evidence.to_json()).unwrap();
    assert_eq!(again, evidence);
    assert_eq!(check(&again), check(&evidence));
}

#[test]
fn documents_that_are_no_evidence_are_refused_with_the_reason() {
    let refused = |text: &str| Evidence::from_json(text).unwrap_err().to_string();
    assert_eq!(refused("{"), "this is not an evidence document");
    assert_eq!(
        refused(r#"{"schema":"lvslab.evidence/1"}"#),
        "the document says it is `lvslab.evidence/1`; this program reads `lvslab.evidence/2`"
    );
    let altered = |alter: fn(&mut serde_json::Value)| {
        let mut json = serde_json::from_str(&evidence(ForwardingMethod::Dr).to_json()).unwrap();
        alter(&mut json);
        match Evidence::from_json(&json.to_string()).unwrap_err() {
            EvidenceError::Inconsistent { what } => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        altered(|json| json["hosts"]
            .as_object_mut()
            .unwrap()
            .remove("web1")
            .map_or((), drop)),
        "the records are not those of the lab's hosts"
    );
}

#[test]
fn the_rounds_ask_everybody_then_the_client_then_the_director() {
    let evidence = evidence(ForwardingMethod::Dr);
    let asked: Vec<Vec<String>> = ROUNDS
        .iter()
        .map(|round| {
            round(&evidence)
                .requests
                .iter()
                .map(|(host, requests)| format!("{host} {}", requests.len()))
                .collect()
        })
        .collect();
    assert_eq!(
        asked,
        [
            vec!["client 2", "director 2", "web1 2", "web2 2"],
            vec!["client 2"],
            vec!["client 1", "director 2", "web1 1", "web2 1"]
        ]
    );
}

#[test]
fn the_verdict_document_has_the_promised_shape() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    found(&mut evidence, "web1").routes[0].via = None;
    let json = serde_json::to_value(check(&evidence)).unwrap();
    assert_eq!(json["schema"], "lvslab.verify/2");
    assert_eq!(json["lab"], "nat");
    assert_eq!(json["mode"], "nat");
    assert_eq!(json["passed"], false);
    assert_eq!(
        json["distribution"],
        serde_json::json!({"web1": 50, "web2": 50})
    );
    let checks = json["checks"].as_array().unwrap();
    for check in checks {
        for field in [
            "id", "host", "status", "summary", "expected", "observed", "aspect",
        ] {
            assert!(check[field].is_string(), "{field} of {check}");
        }
    }
    let service = |id: &str| {
        let check = checks.iter().find(|check| check["id"] == id).unwrap();
        check.get("service").cloned()
    };
    assert_eq!(
        service("client/requests answered"),
        Some("192.168.4.5:80/tcp".into())
    );
    assert_eq!(service("web1/link eth1"), None);
    let mut ids: Vec<_> = checks
        .iter()
        .map(|check| check["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks.len(), "every id once");
    let failed = checks
        .iter()
        .find(|check| check["status"] == "fail")
        .unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(failed).unwrap());
}
