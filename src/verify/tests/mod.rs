//! Healthy labs pass; every single thing that is broken is named, and nothing beside it fails.

mod absence;
mod answers;
mod boot;
mod document;
mod faults;
mod fixes;
mod skew;
mod wire;

use super::check;
use super::evidence::Evidence;
use super::fixtures::healthy;
use super::fixtures::labs::{lab, name, plans};
use super::fixtures::wires::Wires;
use super::verdict::{Status, Verdict};
use crate::agent::protocol::{HostEvidence, Response};
use crate::model::{ForwardingMethod, Scheduler};
use crate::resource::{AddressState, Observed, ResourceId};

fn evidence(mode: ForwardingMethod) -> Evidence {
    let lab = lab(mode, Scheduler::Wrr, &[1, 1]);
    healthy::evidence(&lab, &plans(&lab))
}

fn with_status(verdict: &Verdict, status: Status) -> Vec<String> {
    let matching = verdict.checks.iter().filter(|c| c.status == status);
    matching.map(|check| check.id.to_string()).collect()
}

/// `HOST/check: expected → observed` of everything that failed.
fn causes(verdict: &Verdict) -> Vec<String> {
    let failed = verdict.checks.iter().filter(|c| c.status == Status::Fail);
    failed
        .map(|check| format!("{}: {} → {}", check.id, check.expected, check.observed))
        .collect()
}

fn found<'e>(evidence: &'e mut Evidence, host: &str) -> &'e mut HostEvidence {
    &mut evidence.record_mut(host).before.as_mut().unwrap().found
}

fn found_after<'e>(evidence: &'e mut Evidence, host: &str) -> &'e mut HostEvidence {
    &mut evidence.record_mut(host).after.as_mut().unwrap().found
}

/// Changes the files that a boot reads, as JSON.
fn change_files(evidence: &mut Evidence, host: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let files = &mut found(evidence, host).boot_files;
    let mut json = serde_json::to_value(files.take().unwrap()).unwrap();
    change(&mut json);
    *files = serde_json::from_value(json).unwrap();
}

/// The addresses with this address's number are gone, and `state` is there in their place.
fn readdress(evidence: &mut Evidence, host: &str, address: &str, state: Option<AddressState>) {
    let address: std::net::Ipv4Addr = address.parse().unwrap();
    let addresses = &mut found(evidence, host).addresses;
    addresses.retain(|state| state.address.addr() != address);
    addresses.extend(state);
}

fn observe(evidence: &mut Evidence, host: &str, id: &str, observed: Observed) {
    let sighting = evidence.record_mut(host).before.as_mut().unwrap();
    let resources = &sighting.asked.resources;
    let at = resources
        .iter()
        .position(|r| r.id() == ResourceId(id.to_owned()));
    sighting.found.observed[at.expect("a resource that was asked for")] = Ok(observed);
}

fn set_sysctl(evidence: &mut Evidence, host: &str, key: &str, value: &str) {
    let value = Some(value.to_owned());
    observe(
        evidence,
        host,
        &format!("sysctl {key}"),
        Observed::Sysctl { value },
    );
}

/// Requests whose answer was `page` get none any more.
fn silence(evidence: &mut Evidence, page: &str) {
    for response in evidence.fetched_mut().as_mut().unwrap() {
        if response.body == page {
            *response = Response {
                status: 0,
                curl_exit: 28,
                body: String::new(),
                ..*response
            };
        }
    }
}

/// In place of all that was captured, what `traffic` puts on the wires.
fn recapture(evidence: &mut Evidence, traffic: impl FnOnce(&mut Wires<'_>, &[u16])) {
    let lab = evidence.lab().clone();
    let plans = plans(&lab);
    let marked = evidence.marked().unwrap();
    let ports: Vec<u16> = healthy::ports(evidence)
        .into_iter()
        .filter(|port| marked.contains(*port))
        .collect();
    let mut wires = Wires::new(&lab, &plans);
    traffic(&mut wires, &ports);
    for host in lab.hosts() {
        evidence.record_mut(host.name.as_str()).captured = Ok(wires.captured(&host.name));
    }
}

/// Every answer comes from web2, past the director, because it answers ARP for the VIP.
fn hijack(evidence: &mut Evidence, page: &str, mac: &str) {
    recapture(evidence, |wires, ports| {
        for port in ports {
            let asked = format!("192.168.4.10:{port} → 192.168.4.15:80");
            wires.goes((("client", 0), ("web2", 0)), &asked, 2);
            let answer = format!("192.168.4.15:80 → 192.168.4.10:{port}");
            wires.goes((("web2", 0), ("client", 0)), &answer, 0x12);
        }
        wires.answers_arp(("director", 0));
        wires.answers_arp(("web2", 0));
    });
    for response in evidence.fetched_mut().as_mut().unwrap() {
        response.body = page.to_owned();
    }
    found_after(evidence, "client").neighbours[0].mac = Some(mac.to_owned());
    let director = found_after(evidence, "director");
    director.ipvs_connections = Some(Vec::new());
    director.ipvs_totals.as_mut().unwrap().connections = 7;
}

#[test]
fn healthy_labs_pass_with_every_mode_scheduler_and_weights() {
    for mode in [ForwardingMethod::Nat, ForwardingMethod::Dr] {
        for scheduler in Scheduler::ALL {
            for weights in [&[1][..], &[1, 1], &[1, 3, 0], &[5, 2, 3, 1, 1, 1, 1, 1]] {
                let lab = lab(mode, scheduler, weights);
                let verdict = check(&healthy::evidence(&lab, &plans(&lab)));
                assert!(
                    verdict.passed,
                    "{mode} {scheduler} {weights:?}: {:#?}",
                    causes(&verdict)
                );
                assert!(verdict.checks.len() > 20);
                assert!(verdict.distribution.values().sum::<u32>() >= 100);
            }
        }
    }
}

#[test]
fn arp_ignore_off_on_one_real_server_is_named_with_host_setting_and_value() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.all.arp_ignore", "0");
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.eth0.arp_ignore", "0");
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["web2/effective arp_ignore on eth0: 1 or 2 → 0"]
    );
    assert_eq!(with_status(&verdict, Status::Blocked), [""; 0]);
    assert!(!verdict.passed);
}

#[test]
fn a_hijacked_vip_is_blocked_by_the_setting_that_lets_it_happen() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.all.arp_ignore", "0");
    set_sysctl(&mut evidence, "web2", "net.ipv4.conf.eth0.arp_ignore", "0");
    hijack(&mut evidence, "192.168.4.110", "52:54:00:00:00:03");
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["web2/effective arp_ignore on eth0: 1 or 2 → 0"]
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        [
            "client/ARP answers for 192.168.4.15",
            "client/neighbour 192.168.4.15",
            "client/path of the request",
            "client/path by web1",
            "client/path by web2",
            "client/page of web1",
            "client/distribution",
            "director/connections",
            "web1/answers",
            "web2/answers",
        ]
    );
    let neighbour = verdict
        .checks
        .iter()
        .find(|c| c.id.subject.to_string().starts_with("neighbour"));
    assert_eq!(neighbour.unwrap().observed, "52:54:00:00:00:03 (web2)");
}

#[test]
fn a_hijacked_vip_that_no_setting_explains_is_itself_the_cause() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    hijack(&mut evidence, "192.168.4.110", "52:54:00:00:00:03");
    assert_eq!(
        causes(&check(&evidence)),
        [
            "client/ARP answers for 192.168.4.15: 52:54:00:00:00:01 (director) alone → \
             52:54:00:00:00:01 (director), 52:54:00:00:00:03 (web2)"
        ]
    );
}

#[test]
fn a_missing_default_route_blocks_what_the_client_sees() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    observe(
        &mut evidence,
        "web1",
        "default route",
        Observed::DefaultRoute { routes: vec![] },
    );
    let web1 = found(&mut evidence, "web1");
    web1.routes[0].interface = None;
    web1.routes[0].via = None;
    silence(&mut evidence, "192.168.2.100");
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        ["web1/route to 192.168.4.10: via 192.168.2.5 dev eth1 → no route"]
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        [
            "client/requests answered",
            "client/page of web1",
            "client/distribution",
            "web1/answers"
        ]
    );
    let cause = verdict
        .checks
        .iter()
        .find(|c| c.status == Status::Fail)
        .unwrap();
    assert_eq!(
        cause.fix,
        ["ip route replace default via 192.168.2.5 dev eth1"]
    );
}

fn address(interface: &str, address: &str) -> AddressState {
    AddressState {
        interface: interface.parse().unwrap(),
        address: address.parse().unwrap(),
        label: interface.to_owned(),
        broadcast: None,
    }
}

#[test]
fn one_persistent_client_stays_with_one_real_server() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let mut json = serde_json::to_value(&lab).unwrap();
    json["parts"]["services"][0]["persistence"] = serde_json::json!({"secs": 300, "nanos": 0});
    let lab: crate::model::Lab = serde_json::from_value(json).unwrap();
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    assert!(check(&evidence).passed);
    evidence.fetched_mut().as_mut().unwrap()[5].body = "192.168.4.110".to_owned();
    assert_eq!(
        causes(&check(&evidence)),
        ["client/distribution: all 100 from one real server → web1 99, web2 1"]
    );
}

#[test]
fn connections_of_others_excuse_an_uneven_share_but_no_silent_real_server() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    found_after(&mut evidence, "director")
        .ipvs_totals
        .as_mut()
        .unwrap()
        .connections += 9;
    evidence.fetched_mut().as_mut().unwrap()[0].body = "192.168.4.110".to_owned();
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    for response in evidence.fetched_mut().as_mut().unwrap() {
        response.body = "192.168.4.110".to_owned();
    }
    assert_eq!(
        causes(&check(&evidence)),
        ["client/page of web1: answers with `192.168.4.100` → 0 answers"]
    );
}

#[test]
fn a_quiesced_real_server_that_answers_is_named() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 0]);
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    evidence.fetched_mut().as_mut().unwrap()[0].body = "192.168.4.110".to_owned();
    assert_eq!(
        causes(&check(&evidence)),
        ["client/no page of web2: 0 answers → 1 answer"]
    );
}

#[test]
fn two_real_servers_with_one_page_are_told_apart_by_the_connection_table() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 3]);
    let mut json = serde_json::to_value(&lab).unwrap();
    for server in json["parts"]["services"][0]["real_servers"]
        .as_array_mut()
        .unwrap()
    {
        server["page"] = "welcome".into();
    }
    let lab: crate::model::Lab = serde_json::from_value(json).unwrap();
    let verdict = check(&healthy::evidence(&lab, &plans(&lab)));
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(verdict.distribution[&name("web2")], 75);
}
