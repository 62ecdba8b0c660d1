//! Shares that are not those of the scheduler, and what is recognised as the reason.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::num::NonZeroU32;

use super::{causes, evidence, found, found_after, with_status};
use crate::agent::protocol::{ConnectionEntry, Response};
use crate::model::ForwardingMethod;
use crate::resource::Observed;
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::fixtures::healthy::{self, ports};
use crate::verify::identity::Subject;
use crate::verify::verdict::{Check, Status, Verdict};

const PAGES: [&str; 2] = ["192.168.4.100", "192.168.4.110"];

fn responses(evidence: &mut Evidence) -> &mut Vec<Response> {
    evidence.fetched_mut().as_mut().unwrap()
}

fn distribution(verdict: &Verdict) -> &Check {
    let mut checks = verdict.checks.iter();
    let found = checks.find(|check| check.id.subject == Subject::Distribution);
    found.expect("a check of the distribution")
}

/// The director counted so many connections.
fn count(evidence: &mut Evidence, connections: u64) {
    let director = found_after(evidence, "director");
    director.ipvs_totals.as_mut().unwrap().connections = 7 + connections;
}

/// The director remembers connections from these ports to web1.
fn remember(evidence: &mut Evidence, ports: impl Iterator<Item = u16>) {
    let entries = ports.map(|port| ConnectionEntry {
        client: SocketAddrV4::new([192, 168, 4, 10].into(), port),
        service: "192.168.4.15:80".parse().unwrap(),
        destination: "192.168.4.100:80".parse().unwrap(),
        state: "FIN_WAIT".to_owned(),
    });
    found(evidence, "director").ipvs_connections = Some(entries.collect());
}

#[test]
fn keep_alive_is_the_cause_of_shares_that_it_skews() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    // One connection for all that follow the first: they all go where that went.
    let all = responses(&mut evidence);
    let port = all[1].local_port;
    for response in &mut all[2..] {
        response.connections = Some(0);
        response.local_port = port;
        response.body = PAGES[1].to_owned();
    }
    all[0].body = PAGES[1].to_owned();
    count(&mut evidence, 2);
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        [
            "client/fresh connections: a connection of its own for every answer → \
          2 connections for 100 answers; 98 came over one that was kept alive"
        ]
    );
    let distribution = distribution(&verdict);
    assert_eq!(distribution.status, Status::Blocked);
    assert_eq!(
        distribution.blocked_by[0].to_string(),
        "client/fresh connections"
    );
    assert_eq!(
        distribution.observed,
        "web1 0, web2 2, without 98 on connections that were kept alive"
    );
}

#[test]
fn requests_come_from_ports_that_the_director_does_not_remember() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let chosen = ports(&evidence);
    let marked = healthy::marked(&evidence).unwrap();
    // The last run's requests had every second of these.
    let remembered: Vec<u16> = chosen.iter().copied().skip(20).step_by(2).collect();
    remember(&mut evidence, remembered.iter().copied());
    let other = ports(&evidence);
    assert_eq!(other.len(), 100);
    assert!(other.iter().all(|port| !remembered.contains(port)));
    assert_eq!(other.iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(marked.contains(other[0]) && !marked.contains(other[99]));
}

#[test]
fn shares_that_are_not_exact_say_why() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    assert_eq!(check(&evidence).skew, [""; 0]);
    // Seven requests of web1's follow earlier connections to web2.
    let followed = ports(&evidence)[20..34].to_vec();
    remember(&mut evidence, followed.iter().copied());
    for response in responses(&mut evidence) {
        if followed.contains(&response.local_port) {
            response.body = PAGES[1].to_owned();
        }
    }
    count(&mut evidence, 86);
    let verdict = check(&evidence);
    assert_eq!(causes(&verdict), [""; 0]);
    assert_eq!(
        verdict.distribution.values().copied().collect::<Vec<_>>(),
        [43, 57]
    );
    assert_eq!(
        verdict.skew,
        ["without 14 from ports that the director may remember"]
    );
}

#[test]
fn persistence_that_is_not_planned_is_the_cause_of_shares_that_it_skews() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let seconds = NonZeroU32::new(300);
    let director = evidence.record_mut("director").before.as_mut().unwrap();
    for observed in director.found.observed.iter_mut().flatten() {
        if let Observed::Ipvs {
            status: Some(status),
        } = observed
        {
            status.service.persistence = seconds;
        }
    }
    for status in director.found.ipvs.iter_mut().flatten().flatten() {
        status.service.persistence = seconds;
    }
    for response in responses(&mut evidence) {
        response.body = PAGES[0].to_owned();
    }
    let verdict = check(&evidence);
    let causes = causes(&verdict);
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert!(causes[0].starts_with("director/ipvs tcp 192.168.4.15:80: "));
    let cause = verdict.checks.iter().find(|c| c.status == Status::Fail);
    assert_eq!(
        cause.and_then(|cause| cause.why.as_deref()),
        Some(
            "The service is persistent: for 300 s after its last connection the director sends a client to the real \
             server that it had before, without asking the scheduler, so the shares follow clients and not connections."
        )
    );
    let distribution = distribution(&verdict);
    assert_eq!(distribution.status, Status::Blocked);
    assert_eq!(
        distribution.blocked_by[0].to_string(),
        "director/ipvs tcp 192.168.4.15:80"
    );
    assert_eq!(
        distribution.observed,
        "web1 100, web2 0, the service being persistent for 300 s"
    );
}

#[test]
fn connections_that_a_dr_director_remembers_are_followed_and_take_no_turn() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    // Twelve ports in a row that came before: all of them go to web1 again, and are not counted.
    let all = responses(&mut evidence);
    let ports: Vec<u16> = all[40..52].iter().map(|r| r.local_port).collect();
    for response in &mut all[40..52] {
        response.body = PAGES[0].to_owned();
    }
    count(&mut evidence, 88);
    assert_eq!(
        check(&evidence).count().fail,
        2,
        "as if nothing was remembered"
    );
    remember(&mut evidence, ports.into_iter());
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(
        distribution(&verdict).observed,
        "web1 44, web2 44, without 12 from ports that the director may remember"
    );
    // The others are still judged.
    responses(&mut evidence)[60].body = PAGES[1].to_owned();
    assert_eq!(
        causes(&check(&evidence)),
        ["client/distribution: web1 44, web2 44 → \
          web1 43, web2 45, without 12 from ports that the director may remember"]
    );
}

#[test]
fn ports_that_come_again_within_a_run_are_no_false_alarm() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let all = responses(&mut evidence);
    for at in 50..100 {
        all[at].local_port = all[at - 10].local_port;
        all[at].body = all[at - 10].body.clone();
    }
    count(&mut evidence, 50);
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    // What is fewer than that was not balanced.
    count(&mut evidence, 49);
    assert!(causes(&check(&evidence))[0].starts_with("director/connections: "));
}

#[test]
fn a_port_that_comes_again_after_the_director_forgot_it_is_as_good_as_new() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let all = responses(&mut evidence);
    for response in all.iter_mut() {
        response.seconds = 3.0;
    }
    for at in 50..100 {
        all[at].local_port = all[at - 50].local_port;
    }
    // The director's table has forgotten the first ones, too.
    let kept: Vec<u16> = all[70..].iter().map(|r| r.local_port).collect();
    let director = found_after(&mut evidence, "director");
    let table = director.ipvs_connections.as_mut().unwrap();
    table.retain(|entry| kept.contains(&entry.client.port()));
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(distribution(&verdict).observed, "web1 50, web2 50");
    responses(&mut evidence)[0].body = PAGES[1].to_owned();
    assert_eq!(causes(&check(&evidence)).len(), 1);
}

#[test]
fn a_nat_director_takes_every_connection_for_a_new_one() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    let ports: Vec<u16> = responses(&mut evidence)[40..52]
        .iter()
        .map(|r| r.local_port)
        .collect();
    remember(&mut evidence, ports.into_iter());
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    assert_eq!(distribution(&verdict).observed, "web1 50, web2 50");
}

#[test]
fn requests_that_were_given_up_leave_the_shares_open() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let all = responses(&mut evidence);
    all.truncate(4);
    for at in [0, 2] {
        all[at].status = 0;
        all[at].curl_exit = 28;
    }
    let verdict = check(&evidence);
    assert_eq!(causes(&verdict).len(), 1);
    let distribution = distribution(&verdict);
    assert_eq!(distribution.status, Status::Blocked);
    assert_eq!(distribution.observed, "96 of 100 requests were not sent");
    assert_eq!(
        distribution.blocked_by[0].to_string(),
        "client/requests answered"
    );
    assert_eq!(with_status(&verdict, Status::Error), [""; 0]);
}
