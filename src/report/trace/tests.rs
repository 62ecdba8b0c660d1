use super::*;
use crate::model::Scheduler;
use crate::packet::Flags;
use crate::report::Ink;
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, plans};
use crate::verify::fixtures::wires::Wires;

/// A lab with other traffic on its wires than a healthy one has.
fn carrying(mode: ForwardingMethod, traffic: impl FnOnce(&mut Wires<'_>, u16)) -> Evidence {
    let lab = lab(mode, Scheduler::Wrr, &[1, 1]);
    let plans = plans(&lab);
    let mut evidence = healthy::evidence(&lab, &plans);
    let mut wires = Wires::new(&lab, &plans);
    traffic(&mut wires, evidence.marked().unwrap().first);
    for host in lab.hosts() {
        evidence.record_mut(host.name.as_str()).captured = Ok(wires.captured(&host.name));
    }
    let first = evidence.marked().unwrap().first;
    let fetched = evidence.fetched_mut().as_mut().unwrap();
    fetched.retain(|response| response.local_port == first);
    evidence
}

fn healthy_one(mode: ForwardingMethod) -> Evidence {
    carrying(mode, |wires, port| wires.request(0, port))
}

fn wide() -> Style {
    Style::new(Ink::Plain, 120)
}

#[test]
fn direct_routing_changes_a_mac_and_the_reply_passes_the_director_by() {
    insta::assert_snapshot!(trace(&healthy_one(ForwardingMethod::Dr), wide()));
}

#[test]
fn nat_rewrites_the_destination_and_then_the_source() {
    insta::assert_snapshot!(trace(&healthy_one(ForwardingMethod::Nat), wide()));
}

#[test]
fn a_narrow_terminal_has_what_was_rewritten_on_lines_of_its_own() {
    let text = trace(&healthy_one(ForwardingMethod::Nat), Style::plain());
    assert!(
        text.contains("\n                  ← destination was 192.168.4.5:80\n"),
        "{text}"
    );
}

#[test]
fn a_request_that_a_real_server_took_from_the_wire_is_no_balancing() {
    let evidence = carrying(ForwardingMethod::Dr, |wires, port| {
        let asked = format!("192.168.4.10:{port} → 192.168.4.15:80");
        wires.goes((("client", 0), ("web2", 0)), &asked, Flags::SYN);
        let reply = format!("192.168.4.15:80 → 192.168.4.10:{port}");
        wires.goes(
            (("web2", 0), ("client", 0)),
            &reply,
            Flags::SYN | Flags::ACK,
        );
    });
    insta::assert_snapshot!(trace(&evidence, wide()));
    assert!(!document(&evidence).as_promised);
}

#[test]
fn a_request_that_is_lost_shows_how_far_it_came() {
    let mut evidence = carrying(ForwardingMethod::Nat, |wires, port| {
        let asked = format!("192.168.4.10:{port} → 192.168.4.5:80");
        wires.goes((("client", 0), ("director", 0)), &asked, Flags::SYN);
        let inside = format!("192.168.4.10:{port} → 192.168.2.100:80");
        wires.gets_lost((("director", 1), ("web1", 1)), &inside, Flags::SYN);
    });
    for response in evidence.fetched_mut().as_mut().unwrap() {
        response.status = 0;
        response.curl_exit = 28;
    }
    insta::assert_snapshot!(trace(&evidence, wide()));
}

#[test]
fn colour_adds_escape_sequences_and_nothing_else() {
    let evidence = healthy_one(ForwardingMethod::Nat);
    let ansi = trace(&evidence, Style::new(Ink::Ansi, 120));
    assert_ne!(ansi, trace(&evidence, wide()));
    assert_eq!(clean::block(&ansi), trace(&evidence, wide()));
    // Rewritten parts are set off: the new destination, and the receiver.
    assert!(ansi.contains("\u{1b}[1m192.168.2.100:80\u{1b}[0m"));
}

#[test]
fn the_document_has_every_hop_and_whether_it_is_as_promised() {
    let json = serde_json::to_value(document(&healthy_one(ForwardingMethod::Dr))).unwrap();
    assert_eq!(json["schema"], "lvslab.trace/1");
    assert_eq!(json["as_promised"], true);
    let journey = &json["journeys"][0];
    assert_eq!(journey["request_as_promised"], true);
    let stops = journey["request"]["stops"].as_array().unwrap();
    let hosts: Vec<_> = stops
        .iter()
        .map(|stop| stop["host"].as_str().unwrap())
        .collect();
    assert_eq!(hosts, ["client", "director", "web1"]);
    assert_eq!(stops[1]["left"]["receiver"], "web1");
    assert_eq!(stops[2]["accepted_for"], "lo:0");
    assert_eq!(journey["reply"]["stops"][0]["left"]["flags"], "SYN,ACK");
}

#[test]
fn nothing_seen_is_not_as_promised() {
    let mut evidence = carrying(ForwardingMethod::Dr, |_, _| {});
    evidence.fetched_mut().as_mut().unwrap().clear();
    assert!(!document(&evidence).as_promised);
    assert!(trace(&evidence, wide()).contains("no frame of a request was seen"));
}

#[test]
fn the_capture_file_has_one_interface_per_hosts_interface() {
    let file = crate::report::capture::pcapng(&healthy_one(ForwardingMethod::Nat));
    let text = String::from_utf8_lossy(&file);
    for name in [
        "client:eth0",
        "director:eth0",
        "director:eth1",
        "web1:eth1",
        "web2:eth1",
    ] {
        assert!(text.contains(name), "{name}");
    }
}
