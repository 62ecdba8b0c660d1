//! Whole rulesets as tools that people use leave them.

use super::*;

/// `ufw default deny incoming; ufw enable` of ufw 0.36.2, as iptables-save 1.8.9 shows it.
const UFW: &str = include_str!("ufw.iptables-save");

/// A host that lets ssh and the web in, as nft 1.0.6 shows it; the verdict map of its states is what nft(8) begins with.
const STOCK: &str = include_str!("stock.nft.json");

fn printed(nft: &str) -> FirewallEvidence {
    FirewallEvidence {
        nft: Some(nft.to_owned()),
        ..FirewallEvidence::default()
    }
}

/// Every host of both labs but a NAT director, which has to forward as well.
const RECEIVERS: [(ForwardingMethod, &str); 5] = [
    (ForwardingMethod::Nat, "client"),
    (ForwardingMethod::Nat, "web1"),
    (ForwardingMethod::Dr, "client"),
    (ForwardingMethod::Dr, "director"),
    (ForwardingMethod::Dr, "web1"),
];

#[test]
fn ufw_lets_through_what_it_is_told_to() {
    let allowed = "-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT";
    let open = iptables(&UFW.replace("COMMIT", allowed));
    for (mode, host) in RECEIVERS {
        assert_eq!(judged(mode, host, &open), [""; 0], "{host} {mode}");
    }
}

#[test]
fn ufw_without_the_port_fails_until_what_is_printed_is_typed() {
    for (mode, host, packet) in [
        (ForwardingMethod::Nat, "web1", "requests from the director"),
        (ForwardingMethod::Dr, "web1", "requests from the director"),
        (ForwardingMethod::Dr, "director", "requests from the client"),
    ] {
        assert_eq!(
            judged(mode, host, &iptables(UFW)),
            [format!(
                "{packet}: policy DROP of filter INPUT | iptables -t filter -P INPUT ACCEPT"
            )]
        );
        let lifted = iptables(&UFW.replace(":INPUT DROP", ":INPUT ACCEPT"));
        assert_eq!(judged(mode, host, &lifted), [""; 0]);
    }
    // What a client gets are answers.
    assert_eq!(
        judged(ForwardingMethod::Nat, "client", &iptables(UFW)),
        [""; 0]
    );
}

/// `ufw default reject incoming`.
#[test]
fn what_drops_a_packet_once_a_rule_is_lifted_is_lifted_with_it() {
    let reject = "-A ufw-reject-input -j REJECT --reject-with icmp-port-unreachable\n";
    let found = judged(
        ForwardingMethod::Dr,
        "web1",
        &iptables(&UFW.replace("COMMIT", &format!("{reject}COMMIT"))),
    );
    let lifts: Vec<&str> = found
        .iter()
        .filter_map(|one| Some(one.split_once(" | ")?.1))
        .collect();
    assert_eq!(
        lifts,
        [
            "iptables -t filter -D ufw-reject-input -j REJECT --reject-with icmp-port-unreachable",
            "iptables -t filter -P INPUT ACCEPT"
        ]
    );
}

#[test]
fn a_verdict_map_of_states_is_read() {
    for (mode, host) in RECEIVERS {
        assert_eq!(
            judged(mode, host, &printed(STOCK)),
            [""; 0],
            "{host} {mode}"
        );
    }
    assert_eq!(
        judged(ForwardingMethod::Nat, "director", &printed(STOCK)),
        [
            "answers of the real servers: policy drop of chain inet filter forward | \
          nft 'chain inet filter forward { policy accept; }'"
        ]
    );
    let closed = STOCK.replace("\"right\": 80", "\"right\": 8080");
    assert_eq!(
        judged(ForwardingMethod::Dr, "web1", &printed(&closed)),
        [
            "requests from the director: policy drop of chain inet filter input | \
          nft 'chain inet filter input { policy accept; }'"
        ]
    );
    let refusing = STOCK.replace("\"invalid\"", "\"new\"");
    assert_eq!(
        judged(ForwardingMethod::Dr, "web1", &printed(&refusing)),
        [
            "requests from the director: inet filter input: ct state vmap { new : drop, established : accept, \
          related : accept } | nft delete rule inet filter input handle 5"
        ]
    );
}

#[test]
fn a_map_that_is_not_known_accuses_nobody() {
    for data in [
        json!("@ports"),
        json!({"set": [["*", {"drop": null}], [{"elem": {"val": 80}}, {"accept": null}]]}),
    ] {
        let key = json!({"payload": {"protocol": "tcp", "field": "dport"}});
        let map = rule("input", 4, json!([{"vmap": {"key": key, "data": data}}]));
        let found = nft(json!([chain("input", "drop"), map]));
        assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
    }
}

#[test]
fn a_way_back_that_may_be_taken_makes_what_follows_uncertain() {
    let rules = |first: &str, policy: &str| {
        iptables(&format!(
            "*filter\n:INPUT {policy} [0:0]\n:odd - [0:0]\n:log - [0:0]\n-A INPUT -j odd\n\
             -A odd -m limit --limit 3/min {first}\n-A odd -j DROP\n-A log -j LOG\nCOMMIT\n"
        ))
    };
    for uncertain in ["-j RETURN", "-g log"] {
        assert_eq!(
            judged(ForwardingMethod::Dr, "web1", &rules(uncertain, "ACCEPT")),
            [""; 0]
        );
    }
    // What goes on in any case, or is dropped in any case, is dropped.
    for certain in ["-j log", "-j LOG --log-prefix \"odd \"", "-j DROP"] {
        assert_eq!(
            judged(ForwardingMethod::Dr, "web1", &rules(certain, "ACCEPT")).len(),
            1
        );
    }
}

#[test]
fn rules_about_the_kind_of_destination_are_read() {
    let drops = |kind: &str| {
        iptables(&format!(
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m addrtype {kind} -j DROP\nCOMMIT\n"
        ))
    };
    for harmless in [
        "--dst-type BROADCAST",
        "! --dst-type LOCAL",
        "--src-type LOCAL",
    ] {
        assert_eq!(
            judged(ForwardingMethod::Dr, "web1", &drops(harmless)),
            [""; 0]
        );
    }
    assert_eq!(
        judged(ForwardingMethod::Dr, "web1", &drops("--dst-type LOCAL")).len(),
        1
    );
    let local = |flags: serde_json::Value| {
        let of_host = json!({"fib": {"result": "type", "flags": flags}});
        let of_host = json!({"match": {"op": "==", "left": of_host, "right": "local"}});
        let drop = rule("input", 4, json!([of_host, {"drop": null}]));
        nft(json!([chain("input", "accept"), drop]))
    };
    assert_eq!(
        judged(ForwardingMethod::Dr, "web1", &local(json!(["daddr"]))),
        [
            "requests from the director: inet guard input: fib daddr type local drop | \
          nft delete rule inet guard input handle 4"
        ]
    );
    // The VIP is on lo, not where requests come in.
    let found = local(json!(["daddr", "iif"]));
    assert_eq!(judged(ForwardingMethod::Dr, "web1", &found), [""; 0]);
}
