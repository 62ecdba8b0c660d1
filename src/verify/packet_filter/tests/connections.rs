//! What follows the first packet of a connection, and the flags that tell them apart.

use super::*;

fn filter(rules: &str) -> FirewallEvidence {
    iptables(&format!(
        "*filter
{rules}
COMMIT
"
    ))
}

/// As it is typed from memory, with the rule for established connections forgotten.
const NEW_ONLY: &str = "\
:INPUT DROP [7:420]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [5:300]
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -m state --state NEW -j ACCEPT";

#[test]
fn a_real_server_that_lets_in_only_new_connections_fails() {
    for mode in [ForwardingMethod::Nat, ForwardingMethod::Dr] {
        assert_eq!(
            judged(mode, "web1", &filter(NEW_ONLY)),
            [
                "later packets from the client: policy DROP of filter INPUT | iptables -t filter -P INPUT ACCEPT"
            ]
        );
        let both = NEW_ONLY.replace("NEW", "NEW,ESTABLISHED");
        assert_eq!(judged(mode, "web1", &filter(&both)), [""; 0]);
        // A director's connections may stay new, for IPVS takes them out of connection tracking.
        let director = judged(mode, "director", &filter(NEW_ONLY));
        assert_eq!(director, [""; 0]);
    }
}

#[test]
fn connections_that_are_not_tracked_have_no_certain_state() {
    let filtered = format!("*filter\n{NEW_ONLY}\nCOMMIT\n");
    let with_raw = |rule: &str| {
        iptables(&format!(
            "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {rule}\nCOMMIT\n{filtered}"
        ))
    };
    for (rule, certain) in [
        ("-p tcp -m tcp --dport 80 -j CT --notrack", false),
        ("-p tcp -m tcp --dport 80 -j NOTRACK", false),
        ("-p udp -j CT --notrack", true),
        ("-p tcp -m tcp --dport 80 -j CT --zone 1", true),
    ] {
        let found = judged(ForwardingMethod::Dr, "web1", &with_raw(rule));
        assert_eq!(!found.is_empty(), certain, "{rule}: {found:?}");
    }
    let drop = rule("input", 4, json!([state(json!("new")), {"drop": null}]));
    let untrack = rule("input", 3, json!([{"notrack": null}]));
    let found = nft(json!([chain("input", "accept"), untrack, drop]));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
}

#[test]
fn new_connections_are_told_by_their_flags() {
    let drops = |options: &str| {
        filter(&format!(
            ":INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 80 {options} -j DROP"
        ))
    };
    for (options, taken) in [
        (
            "--tcp-flags FIN,SYN,RST,ACK SYN",
            Some("requests from the director"),
        ),
        ("--syn", Some("requests from the director")),
        (
            "! --tcp-flags FIN,SYN,RST,ACK SYN",
            Some("later packets from the client"),
        ),
        (
            "! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW",
            None,
        ),
        ("--tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE", None),
        ("--tcp-flags ALL ACK", Some("later packets from the client")),
        ("--tcp-flags FIN,ODD SYN", None),
    ] {
        let found = judged(ForwardingMethod::Dr, "web1", &drops(options));
        let taken: Vec<String> = taken
            .into_iter()
            .map(|taken| format!("{taken}: "))
            .collect();
        assert_eq!(found.len(), taken.len(), "{options}: {found:?}");
        assert!(
            found.iter().zip(&taken).all(|(f, t)| f.starts_with(t)),
            "{options}: {found:?}"
        );
    }
}

/// `left` of nft 1.0.6 for `tcp flags` and `tcp flags & (fin | syn | rst | ack)`.
fn flags(masked: bool) -> serde_json::Value {
    let field = json!({"payload": {"protocol": "tcp", "field": "flags"}});
    if masked {
        json!({"&": [field, ["fin", "syn", "rst", "ack"]]})
    } else {
        field
    }
}

#[test]
fn flags_are_read_from_nft() {
    let drops = |left: serde_json::Value, op: &str, right: serde_json::Value| {
        let flags = json!({"match": {"op": op, "left": left, "right": right}});
        nft(json!([
            chain("input", "accept"),
            rule("input", 4, json!([flags, {"drop": null}]))
        ]))
    };
    let lift = "nft delete rule inet guard input handle 4";
    for (masked, op, right, taken, words) in [
        (
            true,
            "==",
            json!("syn"),
            "requests from the director",
            "tcp flags & (fin | syn | rst | ack) == syn",
        ),
        (
            false,
            "==",
            json!("syn"),
            "requests from the director",
            "tcp flags syn",
        ),
        (
            false,
            "in",
            json!(["syn", "fin"]),
            "requests from the director",
            "tcp flags syn, fin",
        ),
        (
            false,
            "!",
            json!("syn"),
            "later packets from the client",
            "tcp flags ! syn",
        ),
        (
            false,
            "!=",
            json!("syn"),
            "later packets from the client",
            "tcp flags != syn",
        ),
    ] {
        assert_eq!(
            judged(
                ForwardingMethod::Dr,
                "web1",
                &drops(flags(masked), op, right)
            ),
            [format!("{taken}: inet guard input: {words} drop | {lift}")]
        );
    }
    let of_answers = json!({"set": [{"|": ["syn", "ack"]}, {"|": ["rst", "ack"]}]});
    assert_eq!(
        judged(
            ForwardingMethod::Dr,
            "web1",
            &drops(flags(false), "==", of_answers.clone())
        ),
        [""; 0]
    );
    assert_eq!(
        judged(
            ForwardingMethod::Dr,
            "client",
            &drops(flags(false), "==", of_answers)
        )
        .len(),
        1
    );
    let unknown = drops(flags(false), "==", json!("odd"));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &unknown), [""; 0]);
}
