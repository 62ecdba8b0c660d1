//! What the captured frames prove, and what they say when something is wrong.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::{causes, evidence, found, recapture, set_sysctl, silence, with_status};
use crate::agent::protocol::{Captured, ConnectionEntry, Ports};
use crate::model::{ForwardingMethod, Scheduler};
use crate::packet::{Flags, Mac};
use crate::verify::evidence::{Absence, AbsenceKind, Evidence};
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, name, plans};
use crate::verify::verdict::{Status, Verdict};
use crate::verify::{check, journeys};

const SYN: u8 = Flags::SYN;
const ANSWER: u8 = Flags::SYN | Flags::ACK;

fn observed<'v>(verdict: &'v Verdict, subject: &str) -> &'v str {
    let check = verdict
        .checks
        .iter()
        .find(|c| c.id.subject.to_string() == subject);
    &check.expect(subject).observed
}

#[test]
fn a_nat_journey_crosses_the_director_both_ways_and_names_every_rewrite() {
    let evidence = evidence(ForwardingMethod::Nat);
    let journeys = journeys(&evidence);
    assert_eq!(journeys.len(), 2);
    insta::assert_snapshot!(serde_json::to_string_pretty(&journeys[0]).unwrap());
    let verdict = check(&evidence);
    assert_eq!(
        observed(&verdict, "path of the request"),
        "client → director → web1, client → director → web2"
    );
    assert_eq!(
        observed(&verdict, "path of the reply"),
        "web1 → director → client, web2 → director → client"
    );
}

#[test]
fn a_dr_reply_comes_straight_from_the_real_server() {
    let verdict = check(&evidence(ForwardingMethod::Dr));
    assert!(verdict.passed);
    assert_eq!(
        observed(&verdict, "path of the reply"),
        "web1 → client, web2 → client"
    );
    assert_eq!(
        observed(&verdict, "ARP answers for 192.168.4.15"),
        "52:54:00:00:00:01 (director)"
    );
}

#[test]
fn a_real_server_that_answers_arp_points_at_its_arp_ignore() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.all.arp_ignore", "0");
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.eth0.arp_ignore", "0");
    recapture(&mut evidence, |wires, ports| {
        for (server, port) in ports.iter().enumerate() {
            wires.request(server, *port);
        }
        wires.answers_arp(("director", 0));
        wires.answers_arp(("web2", 0));
    });
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["web2/effective arp_ignore on eth0: 1 or 2 → 0"]
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        ["client/ARP answers for 192.168.4.15"]
    );
    assert_eq!(
        observed(&verdict, "ARP answers for 192.168.4.15"),
        "52:54:00:00:00:01 (director), 52:54:00:00:00:03 (web2)"
    );
}

#[test]
fn a_stranger_with_the_vip_is_itself_the_cause() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    recapture(&mut evidence, |wires, ports| {
        wires.request(0, ports[0]);
        wires.request(1, ports[1]);
        wires.answers_arp(("director", 0));
        wires.claims(Mac([2, 0, 0, 0, 0, 9]), None);
    });
    assert_eq!(
        causes(&check(&evidence)),
        [
            "client/ARP answers for 192.168.4.15: 52:54:00:00:00:01 (director) alone → \
          02:00:00:00:00:09 (no host of this lab), 52:54:00:00:00:01 (director)"
        ]
    );
}

#[test]
fn nobody_who_answers_arp_is_a_failure_too() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    recapture(&mut evidence, |wires, ports| {
        wires.request(0, ports[0]);
        wires.request(1, ports[1]);
    });
    let causes = causes(&check(&evidence));
    assert_eq!(causes.len(), 1);
    assert!(causes[0].ends_with("→ nobody answered"), "{causes:?}");
}

#[test]
fn nat_replies_that_bypass_the_director_are_seen_on_the_wire() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    // web1 has a second leg that its plan knows nothing of; its frames there are not captured.
    recapture(&mut evidence, |wires, ports| {
        let request = format!("192.168.4.10:{} → 192.168.4.5:80", ports[0]);
        wires.goes((("client", 0), ("director", 0)), &request, SYN);
        let inside = format!("192.168.4.10:{} → 192.168.2.100:80", ports[0]);
        wires.goes((("director", 1), ("web1", 1)), &inside, SYN);
        wires.request(1, ports[1]);
        wires.answers_arp(("director", 0));
    });
    silence(&mut evidence, "192.168.2.100");
    let verdict = check(&evidence);
    assert_eq!(
        observed(&verdict, "path of the reply"),
        "web1 sent no answer"
    );
    // Nothing else explains it: the wire is the cause, and what the client misses is its consequence.
    assert_eq!(causes(&verdict).len(), 1);
    assert!(causes(&verdict)[0].starts_with("client/path of the reply: "));
    assert!(
        with_status(&verdict, Status::Blocked).contains(&"client/requests answered".to_owned())
    );
}

#[test]
fn a_frame_that_never_arrives_is_lost_on_its_way_to_a_host() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    recapture(&mut evidence, |wires, ports| {
        let request = format!("192.168.4.10:{} → 192.168.4.15:80", ports[0]);
        wires.goes((("client", 0), ("director", 0)), &request, SYN);
        wires.gets_lost((("director", 0), ("web1", 0)), &request, SYN);
        wires.request(1, ports[1]);
        wires.answers_arp(("director", 0));
    });
    let verdict = check(&evidence);
    assert_eq!(
        observed(&verdict, "path of the request"),
        "client → director → web1, where it did not arrive"
    );
    assert_eq!(causes(&verdict).len(), 1);
}

#[test]
fn a_director_that_does_not_hand_requests_on_is_where_they_end() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    set_sysctl(&mut evidence, "director", "net.ipv4.ip_forward", "0");
    let inner = "net.ipv4.conf.eth1.forwarding";
    set_sysctl(&mut evidence, "director", inner, "0");
    recapture(&mut evidence, |wires, ports| {
        let request = format!("192.168.4.10:{} → 192.168.4.5:80", ports[0]);
        wires.goes((("client", 0), ("director", 0)), &request, SYN);
        wires.answers_arp(("director", 0));
    });
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["director/effective forwarding on eth1: 1 → 0"]
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        [
            "client/path of the request",
            "client/path of the reply",
            "client/path by web1",
            "client/path by web2"
        ]
    );
}

#[test]
fn dr_answers_by_the_director_are_no_direct_routing() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    recapture(&mut evidence, |wires, ports| {
        let request = format!("192.168.4.10:{} → 192.168.4.15:80", ports[0]);
        let reply = format!("192.168.4.15:80 → 192.168.4.10:{}", ports[0]);
        wires.goes((("client", 0), ("director", 0)), &request, SYN);
        wires.goes((("director", 0), ("web1", 0)), &request, SYN);
        wires.goes((("web1", 0), ("director", 0)), &reply, ANSWER);
        wires.goes((("director", 0), ("client", 0)), &reply, ANSWER);
        wires.request(1, ports[1]);
        wires.answers_arp(("director", 0));
    });
    let causes = causes(&check(&evidence));
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert!(
        causes[0].starts_with("client/path of the reply"),
        "{causes:?}"
    );
    assert!(
        causes[0].ends_with("→ web1 → director → client"),
        "{causes:?}"
    );
}

#[test]
fn a_host_that_cannot_capture_is_an_error_where_its_frames_are_missing() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    evidence.record_mut("client").captured = Ok(Captured {
        failures: [(
            "eth0".parse().unwrap(),
            "Operation not permitted".to_owned(),
        )]
        .into(),
        ..Captured::default()
    });
    let verdict = check(&evidence);
    assert_eq!(
        with_status(&verdict, Status::Error),
        ["client/ARP answers for 192.168.4.15"]
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        [
            "client/path of the request",
            "client/path of the reply",
            "client/path by web1",
            "client/path by web2"
        ]
    );
    assert!(!verdict.passed);
    assert_eq!(with_status(&verdict, Status::Fail), [""; 0]);
}

#[test]
fn a_silent_real_server_blocks_the_path_to_it_alone() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    let absence = Absence {
        kind: AbsenceKind::Unreachable,
        cause: "the session ended".to_owned(),
        hint: None,
    };
    evidence.record_mut("web2").captured = Err(absence);
    let verdict = check(&evidence);
    assert!(!verdict.passed);
    assert_eq!(with_status(&verdict, Status::Fail), [""; 0]);
}

#[test]
fn a_document_of_before_there_were_captures_is_judged_without_them() {
    let mut json: serde_json::Value =
        serde_json::from_str(&evidence(ForwardingMethod::Nat).to_json()).unwrap();
    json.as_object_mut().unwrap().remove("marked");
    for host in json["hosts"].as_object_mut().unwrap().values_mut() {
        host.as_object_mut().unwrap().remove("captured");
    }
    let evidence = Evidence::from_json(&json.to_string()).unwrap();
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(
        with_status(&verdict, Status::Skipped),
        [
            "client/ARP answers for 192.168.4.5",
            "client/path of the request",
            "client/path of the reply",
            "client/path by web1",
            "client/path by web2"
        ]
    );
    assert_eq!(
        observed(&verdict, "path by web2"),
        "this evidence was collected without captures"
    );
}

#[test]
fn the_one_real_server_that_is_wrong_on_the_wire_is_found() {
    let lab = lab(ForwardingMethod::Nat, Scheduler::Wrr, &[1, 3, 1, 2]);
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    assert!(check(&evidence).passed);
    // web3's replies take another way; that the answers come all the same must not hide it.
    recapture(&mut evidence, |wires, ports| {
        assert_eq!(ports.len(), 7);
        for (server, port) in healthy::servers(&lab, 7).into_iter().zip(ports) {
            if server != 2 {
                wires.request(server, *port);
                continue;
            }
            let request = format!("192.168.4.10:{port} → 192.168.4.5:80");
            wires.goes((("client", 0), ("director", 0)), &request, SYN);
            let inside = format!("192.168.4.10:{port} → 192.168.2.120:80");
            wires.goes((("director", 1), ("web3", 1)), &inside, SYN);
            let reply = format!("192.168.2.120:80 → 192.168.4.10:{port}");
            wires.gets_lost((("web3", 1), ("web1", 1)), &reply, ANSWER);
        }
        wires.answers_arp(("director", 0));
    });
    let verdict = check(&evidence);
    assert_eq!(causes(&verdict).len(), 1, "{:?}", causes(&verdict));
    assert_eq!(
        observed(&verdict, "path of the reply"),
        "web3 → web1, where it did not arrive"
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        ["client/path by web3"]
    );
}

#[test]
fn a_real_server_that_no_captured_request_went_to_is_skipped_and_said_so() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Sh, &[1, 1]);
    let verdict = check(&healthy::evidence(&lab, &plans(&lab)));
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(
        with_status(&verdict, Status::Skipped),
        ["client/path by web2", "client/page of web2", "web2/answers"]
    );
    assert_eq!(
        observed(&verdict, "path by web2"),
        "none of the 2 requests that were captured went there"
    );
    assert_eq!(
        observed(&verdict, "page of web2"),
        "sh keeps this client with one real server"
    );
}

#[test]
fn captures_are_part_of_the_document_and_judged_again_from_it() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    recapture(&mut evidence, |wires, _| wires.answers_arp(("web1", 0)));
    let again = Evidence::from_json(&evidence.to_json()).unwrap();
    assert_eq!(check(&again), check(&evidence));
    assert!(!check(&again).passed);
}

#[test]
fn ports_of_runs_that_follow_each_other_differ() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1]);
    let ports = |taken| Evidence::new(&lab, 1, taken).marked().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for eighth in 0..1200 {
        let taken = Duration::from_secs(1_795_000_000) + Duration::from_millis(eighth * 125);
        let Ports { first, last } = ports(taken);
        assert!(first >= 10_000 && last < 32_768);
        for port in first..=last {
            assert!(seen.insert(port));
        }
    }
}

#[test]
fn ports_that_the_director_still_remembers_are_not_marked_again() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let all = evidence.marked().unwrap();
    let remembered = |port| ConnectionEntry {
        client: SocketAddrV4::new([192, 168, 4, 10].into(), port),
        service: "192.168.4.15:80".parse().unwrap(),
        destination: "192.168.4.100:80".parse().unwrap(),
        state: "FIN_WAIT".to_owned(),
    };
    let mut marked_with = |ports: Vec<u16>| {
        let director = evidence.record_mut("director").before.as_mut().unwrap();
        director.found.ipvs_connections = Some(ports.into_iter().map(remembered).collect());
        healthy::marked(&evidence).unwrap()
    };
    let Ports { first, last } = all;
    assert_eq!(marked_with(vec![]), all);
    assert_eq!(
        marked_with(vec![first, first + 1]),
        Ports {
            first: first + 2,
            last
        }
    );
    assert_eq!(
        marked_with(vec![first, first + 4]),
        Ports {
            first: first + 1,
            last: first + 3
        }
    );
    assert_eq!(marked_with((first..=last).collect()), all);
}

#[test]
fn a_changed_default_route_is_the_cause_of_replies_that_are_not_sent() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    found(&mut evidence, "web1").routes[0].via = Some("192.168.2.77".parse().unwrap());
    recapture(&mut evidence, |wires, ports| {
        let request = format!("192.168.4.10:{} → 192.168.4.5:80", ports[0]);
        wires.goes((("client", 0), ("director", 0)), &request, SYN);
        let inside = format!("192.168.4.10:{} → 192.168.2.100:80", ports[0]);
        wires.goes((("director", 1), ("web1", 1)), &inside, SYN);
        wires.answers_arp(("director", 0));
    });
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["web1/route to 192.168.4.10: via 192.168.2.5 dev eth1 → via 192.168.2.77 dev eth1"]
    );
    let reply = verdict
        .checks
        .iter()
        .find(|c| c.id.subject.to_string() == "path of the reply")
        .unwrap();
    assert_eq!(
        reply.blocked_by[0].to_string(),
        "web1/route to 192.168.4.10"
    );
    assert_eq!(reply.host, name("client"));
}
