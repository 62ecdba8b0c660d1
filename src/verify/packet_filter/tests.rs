//! Rules as the tools print them, followed for the packets of the two course labs.

mod connections;
mod diversions;
mod rulesets;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{ForwardingMethod, Scheduler};
use crate::verify::fixtures::labs::{lab, name, plans};

fn judged(mode: ForwardingMethod, host: &str, found: &FirewallEvidence) -> Vec<String> {
    let lab = lab(mode, Scheduler::Wrr, &[1, 1]);
    let plan = plans(&lab)
        .into_iter()
        .find(|plan| plan.host == name(host))
        .unwrap();
    let interfaces = plan.interfaces.into_iter().collect();
    let packets = packets(&lab, lab.host(host).unwrap(), &interfaces);
    obstacles(found, &packets)
        .unwrap()
        .into_iter()
        .map(|Obstacle { packet, stop }| format!("{packet}: {} | {}", stop.rule, stop.lift))
        .collect()
}

fn nft(objects: serde_json::Value) -> FirewallEvidence {
    let mut list = vec![json!({"metainfo": {"version": "1.0.6", "json_schema_version": 1}})];
    list.extend(objects.as_array().unwrap().clone());
    FirewallEvidence {
        nft: Some(json!({ "nftables": list }).to_string()),
        ..FirewallEvidence::default()
    }
}

/// What iptables-save printed.
fn iptables(text: &str) -> FirewallEvidence {
    FirewallEvidence {
        iptables: Some(text.to_owned()),
        ..FirewallEvidence::default()
    }
}

fn chain(hook: &str, policy: &str) -> serde_json::Value {
    json!({"chain": {"family": "inet", "table": "guard", "name": hook, "handle": 1, "type": "filter",
                     "hook": hook, "prio": 0, "policy": policy}})
}

fn rule(chain: &str, handle: u32, expr: serde_json::Value) -> serde_json::Value {
    json!({"rule": {"family": "inet", "table": "guard", "chain": chain, "handle": handle, "expr": expr}})
}

fn dport(port: serde_json::Value) -> serde_json::Value {
    json!({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": port}})
}

fn iifname(name: &str) -> serde_json::Value {
    json!({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": name}})
}

fn state(states: serde_json::Value) -> serde_json::Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": states}})
}

#[test]
fn a_dropped_port_is_named_with_the_rule_and_its_handle() {
    let drop = rule(
        "input",
        4,
        json!([dport(json!(80)), {"counter": {"packets": 3, "bytes": 180}}, {"drop": null}]),
    );
    let found = nft(
        json!([{"table": {"family": "inet", "name": "guard", "handle": 1}}, chain("input", "accept"), drop]),
    );
    assert_eq!(
        judged(ForwardingMethod::Dr, "web1", &found),
        [
            "requests from the director: inet guard input: tcp dport 80 drop | \
          nft delete rule inet guard input handle 4"
        ]
    );
    // The client has no such port to be reached at.
    assert_eq!(judged(ForwardingMethod::Dr, "client", &found), [""; 0]);
}

#[test]
fn a_policy_that_drops_what_a_nat_director_forwards_is_named() {
    let found = nft(json!([chain("forward", "drop")]));
    assert_eq!(
        judged(ForwardingMethod::Nat, "director", &found),
        [
            "answers of the real servers: policy drop of chain inet guard forward | \
          nft 'chain inet guard forward { policy accept; }'"
        ]
    );
    assert_eq!(judged(ForwardingMethod::Dr, "director", &found), [""; 0]);
}

#[test]
fn what_an_earlier_rule_accepts_is_not_held_against_the_host() {
    let strict = |accepted: serde_json::Value| {
        nft(json!([
            chain("input", "drop"),
            rule("input", 2, json!([iifname("lo"), {"accept": null}])),
            rule(
                "input",
                3,
                json!([state(json!(["established", "related"])), {"accept": null}])
            ),
            rule("input", 4, json!([dport(accepted), {"accept": null}])),
            rule(
                "input",
                5,
                json!([{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}])
            ),
        ]))
    };
    for open in [
        json!(80),
        json!({"set": [22, 80]}),
        json!({"range": [1, 1024]}),
    ] {
        assert_eq!(
            judged(ForwardingMethod::Nat, "web1", &strict(open)),
            [""; 0]
        );
    }
    assert_eq!(
        judged(ForwardingMethod::Nat, "web1", &strict(json!(22))),
        [
            "requests from the director: inet guard input: reject | nft delete rule inet guard input handle 5",
            "requests from the director: policy drop of chain inet guard input | \
          nft 'chain inet guard input { policy accept; }'"
        ]
    );
    // The client only gets answers, which are established.
    assert_eq!(
        judged(ForwardingMethod::Nat, "client", &strict(json!(22))),
        [""; 0]
    );
}

#[test]
fn jumps_come_back_and_gotos_do_not() {
    let by = |statement: &str| {
        nft(json!([
            chain("input", "accept"),
            json!({"chain": {"family": "inet", "table": "guard", "name": "zone", "handle": 2}}),
            rule("zone", 3, json!([dport(json!(22)), {"accept": null}])),
            rule("input", 4, json!([{statement: {"target": "zone"}}])),
            rule("input", 5, json!([{"drop": null}])),
        ]))
    };
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &by("jump")).len(), 1);
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &by("goto")), [""; 0]);
}

#[test]
fn conditions_that_are_not_understood_accuse_nobody() {
    let limit = rule(
        "input",
        4,
        json!([{"limit": {"rate": 5, "per": "second"}}, {"drop": null}]),
    );
    let found = nft(json!([chain("input", "accept"), limit]));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
    let set = rule("input", 4, json!([dport(json!("@closed")), {"drop": null}]));
    let found = nft(json!([chain("input", "accept"), set]));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
    // ... nor does what they may let through.
    let mark = json!({"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}});
    let marked = rule("input", 4, json!([mark, {"accept": null}]));
    let found = nft(json!([chain("input", "drop"), marked]));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
}

#[test]
fn rules_of_another_interface_or_protocol_do_not_touch_the_traffic() {
    let elsewhere = rule("input", 4, json!([iifname("mgmt0"), {"drop": null}]));
    let udp = json!({"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 80}});
    let udp = rule("input", 5, json!([udp, {"drop": null}]));
    let found = nft(json!([chain("input", "accept"), elsewhere, udp]));
    assert_eq!(judged(ForwardingMethod::Nat, "web1", &found), [""; 0]);
    let here = rule("input", 4, json!([iifname("eth1"), {"drop": null}]));
    let found = nft(json!([chain("input", "accept"), here]));
    assert_eq!(judged(ForwardingMethod::Nat, "web1", &found).len(), 1);
}

#[test]
fn iptables_rules_are_followed_too() {
    let text = "\
# Generated by iptables-save v1.4.21
*nat
:PREROUTING DROP [0:0]
COMMIT
*filter
:INPUT ACCEPT [12:840]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [9:700]
:web - [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m comment --comment \"the web -j DROP\" -j web
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A web ! -s 192.168.4.0/24 -j RETURN
-A web -p tcp -m tcp --dport 8000:8080 -j ACCEPT
COMMIT
";
    let found = FirewallEvidence {
        iptables: Some(text.to_owned()),
        ..FirewallEvidence::default()
    };
    assert_eq!(
        judged(ForwardingMethod::Nat, "web1", &found),
        [
            "requests from the director: filter -A INPUT -j REJECT --reject-with icmp-host-prohibited | \
          iptables -t filter -D INPUT -j REJECT --reject-with icmp-host-prohibited"
        ]
    );
    assert_eq!(
        judged(ForwardingMethod::Nat, "director", &found)[1],
        "answers of the real servers: policy DROP of filter FORWARD | iptables -t filter -P FORWARD ACCEPT"
    );
    let open = text.replace("8000:8080", "80");
    let found = FirewallEvidence {
        iptables: Some(open),
        ..FirewallEvidence::default()
    };
    assert_eq!(judged(ForwardingMethod::Nat, "web1", &found), [""; 0]);
}

#[test]
fn rules_that_could_not_be_read_are_not_taken_for_none() {
    let found = FirewallEvidence {
        unread: Some("the kernel has rules and there is no `nft` to read them".to_owned()),
        ..FirewallEvidence::default()
    };
    assert_eq!(obstacles(&found, &[]), Err(found.unread.clone().unwrap()));
    let broken = FirewallEvidence {
        nft: Some("{".to_owned()),
        ..FirewallEvidence::default()
    };
    assert!(obstacles(&broken, &[]).is_err());
}

fn jump(target: &str) -> serde_json::Value {
    json!({"jump": {"target": target}})
}

#[test]
fn what_firewalld_lets_through_of_its_own_translations_opens_nothing() {
    let dnat = json!({"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}});
    let chains = ["zones", "zone_public"].map(
        |name| json!({"chain": {"family": "inet", "table": "guard", "name": name, "handle": 1}}),
    );
    let reject = json!({"reject": {"type": "icmpx", "expr": "admin-prohibited"}});
    let found = nft(json!([
        chain("input", "accept"),
        chains[0],
        chains[1],
        rule(
            "input",
            2,
            json!([state(json!({"set": ["established", "related"]})), {"accept": null}])
        ),
        rule("input", 3, json!([dnat, {"accept": null}])),
        rule("input", 4, json!([iifname("lo"), {"accept": null}])),
        rule("input", 5, json!([jump("zones")])),
        rule("input", 6, json!([reject])),
        rule("zones", 7, json!([{"goto": {"target": "zone_public"}}])),
        rule(
            "zone_public",
            8,
            json!([dport(json!(22)), {"accept": null}])
        ),
    ]));
    assert_eq!(
        judged(ForwardingMethod::Nat, "web1", &found),
        [
            "requests from the director: inet guard input: reject | nft delete rule inet guard input handle 6"
        ]
    );
}

#[test]
fn rules_that_iptables_made_in_nf_tables_are_read_from_iptables() {
    let of_filter = |object: &str| {
        let mut object: serde_json::Value = serde_json::from_str(object).unwrap();
        for value in object.as_object_mut().unwrap().values_mut() {
            value["family"] = json!("ip");
            value["table"] = json!("filter");
        }
        object
    };
    let objects = [
        r#"{"chain": {"name": "INPUT", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}"#,
        r#"{"rule": {"chain": "INPUT", "handle": 3, "expr": [{"xt": {"type": "target", "name": "REJECT"}}]}}"#,
        r#"{"rule": {"chain": "INPUT", "handle": 4, "expr": [{"drop": null}]}}"#,
    ]
    .map(of_filter);
    let mut found = nft(json!(objects));
    assert!(found.nft_has_extensions());
    found.iptables = Some(
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j REJECT --reject-with \
         icmp-port-unreachable\n-A INPUT -j DROP\nCOMMIT\n"
            .to_owned(),
    );
    // Once, with the command of the tool that made them.
    assert_eq!(
        judged(ForwardingMethod::Nat, "web1", &found),
        [
            "requests from the director: filter -A INPUT -p tcp -m tcp --dport 80 -j REJECT --reject-with \
             icmp-port-unreachable | iptables -t filter -D INPUT -p tcp -m tcp --dport 80 -j REJECT --reject-with \
             icmp-port-unreachable",
            "requests from the director: filter -A INPUT -j DROP | iptables -t filter -D INPUT -j DROP"
        ]
    );
}

/// JSON of the shape nft prints, with anything in it.
fn statement() -> impl Strategy<Value = serde_json::Value> {
    let value = prop_oneof![
        any::<u16>().prop_map(|n| json!(n)),
        "[a-z@*.0-9/]{0,8}".prop_map(|s| json!(s)),
        Just(json!({"set": [80, "x"]})),
        Just(json!({"range": [1]})),
        Just(json!({"prefix": {"addr": "192.168.4.0", "len": 99}})),
        Just(json!(null)),
    ];
    let left = prop_oneof![
        Just(json!({"payload": {"protocol": "ip", "field": "saddr"}})),
        Just(json!({"payload": {"protocol": "tcp", "field": "dport"}})),
        Just(json!({"meta": {"key": "iifname"}})),
        Just(json!({"ct": {"key": "state"}})),
        Just(json!(7)),
    ];
    prop_oneof![
        (left, value, "==|!=|in|<").prop_map(
            |(left, right, op)| json!({"match": {"op": op, "left": left, "right": right}})
        ),
        Just(json!({"drop": null})),
        Just(json!({"jump": {"target": "input"}})),
        Just(json!(null)),
    ]
}

proptest! {
    #[test]
    fn any_ruleset_is_judged_without_panic(
        statements in prop::collection::vec(statement(), 0..5),
        text in "\\PC{0,60}",
    ) {
        let found = nft(json!([chain("input", "drop"), rule("input", 2, json!(statements))]));
        judged(ForwardingMethod::Dr, "web1", &found);
        let found = FirewallEvidence {
            iptables: Some(format!("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT {text}\nCOMMIT\n")),
            ..FirewallEvidence::default()
        };
        judged(ForwardingMethod::Dr, "web1", &found);
    }
}
