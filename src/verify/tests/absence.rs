//! What cannot be judged never passes.

use std::time::Duration;

use proptest::prelude::*;

use super::{evidence, found, silence, with_status};
use crate::model::{ForwardingMethod, Scheduler};
use crate::verify::check;
use crate::verify::evidence::{Absence, AbsenceKind, Evidence};
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, name, plans};
use crate::verify::verdict::Status;

#[test]
fn an_unreachable_host_is_an_error_and_never_passes() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Wrr, &[1, 1]);
    let known: Vec<_> = plans(&lab)
        .into_iter()
        .filter(|p| p.host != name("web2"))
        .collect();
    let mut evidence = healthy::evidence(&lab, &known);
    evidence.absent(
        &name("web2"),
        Absence {
            kind: AbsenceKind::Unreachable,
            cause: "cannot connect: connection refused at 10.20.0.12:22".to_owned(),
            hint: Some("is sshd running there?".to_owned()),
        },
    );
    let verdict = check(&evidence);
    assert!(!verdict.passed);
    assert_eq!(
        with_status(&verdict, Status::Unreachable),
        ["web2/evidence"]
    );
    assert_eq!(with_status(&verdict, Status::Error), [""; 0]);
    assert_eq!(with_status(&verdict, Status::Fail), [""; 0]);
    assert_eq!(evidence.unreachable().count(), 1);

    silence(&mut evidence, "192.168.4.110");
    let verdict = check(&evidence);
    assert_eq!(with_status(&verdict, Status::Fail), [""; 0]);
    assert!(with_status(&verdict, Status::Blocked).contains(&"client/distribution".to_owned()));
}

#[test]
fn a_host_lost_after_planning_has_errors_and_blocks_what_compares_with_it() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    evidence.absent(
        &name("director"),
        Absence {
            kind: AbsenceKind::Unreachable,
            cause: "the session ended".to_owned(),
            hint: None,
        },
    );
    let verdict = check(&evidence);
    assert_eq!(with_status(&verdict, Status::Error), [""; 0]);
    let unreachable = with_status(&verdict, Status::Unreachable);
    assert!(unreachable.contains(&"director/ipvs tcp 192.168.4.15:80".to_owned()));
    assert!(
        unreachable.iter().all(|id| id.starts_with("director/")),
        "{unreachable:?}"
    );
    assert_eq!(
        with_status(&verdict, Status::Blocked),
        [
            "client/ARP answers for 192.168.4.15",
            "client/neighbour 192.168.4.15",
            "client/path of the request",
            "client/path of the reply",
            "client/path by web1",
            "client/path by web2",
            "web1/answers",
            "web2/answers"
        ]
    );
}

#[test]
fn a_host_lost_between_two_rounds_counts_as_unreachable() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    assert_eq!(check(&evidence).exit_code(), 0);
    evidence.record_mut("director").after = Err(Absence {
        kind: AbsenceKind::Unreachable,
        cause: "the session ended".to_owned(),
        hint: None,
    });
    let verdict = check(&evidence);
    assert_eq!(verdict.unreachable, [name("director")]);
    assert_eq!(verdict.exit_code(), 4);
    let lost = with_status(&verdict, Status::Unreachable);
    assert_eq!(lost, ["director/connections", "director/replies"]);
}

#[test]
fn a_host_that_was_lost_is_the_reason_for_what_it_was_not_asked_any_more() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    *evidence.fetched_mut() = Err(Absence {
        kind: AbsenceKind::Unreachable,
        cause: "the session ended".to_owned(),
        hint: None,
    });
    let record = evidence.record_mut("client");
    let not_asked = || Absence {
        kind: AbsenceKind::NotAsked,
        cause: "it was not asked".to_owned(),
        hint: None,
    };
    record.after = Err(not_asked());
    record.captured = Err(not_asked());
    let verdict = check(&evidence);
    assert_eq!(verdict.unreachable, [name("client")]);
    assert_eq!(
        with_status(&verdict, Status::Unreachable),
        [
            "client/ARP answers for 192.168.4.5",
            "client/requests answered"
        ]
    );
    assert!(
        with_status(&verdict, Status::Blocked).contains(&"client/path of the request".to_owned())
    );
    assert_eq!(with_status(&verdict, Status::Skipped), [""; 0]);
}

#[test]
fn without_requests_nothing_about_them_passes() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    *evidence.fetched_mut() = Err(Absence {
        kind: AbsenceKind::Failed,
        cause: "curl is not installed".to_owned(),
        hint: Some("apt-get install curl".to_owned()),
    });
    let verdict = check(&evidence);
    assert_eq!(
        with_status(&verdict, Status::Error),
        ["client/requests answered"]
    );
    assert!(with_status(&verdict, Status::Blocked).contains(&"director/connections".to_owned()));

    *evidence.fetched_mut() = Ok(Vec::new());
    assert!(!check(&evidence).passed);
}

#[test]
fn evidence_of_nothing_does_not_pass() {
    let lab = lab(ForwardingMethod::Dr, Scheduler::Rr, &[1]);
    let verdict = check(&Evidence::new(&lab, 100, Duration::ZERO));
    assert!(!verdict.passed);
    assert_eq!(verdict.count().pass, 0);
    assert_eq!(verdict.exit_code(), 6);
}

#[test]
fn a_host_that_was_not_asked_is_skipped_and_the_lab_not_proven() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let web2 = Evidence::new(evidence.lab(), 100, Duration::ZERO).hosts()[&name("web2")].clone();
    *evidence.record_mut("web2") = web2;
    let verdict = check(&evidence);
    assert!(with_status(&verdict, Status::Skipped).contains(&"web2/evidence".to_owned()));
    assert!(!verdict.passed);
    assert_eq!(verdict.exit_code(), 6);
}

proptest! {
    #[test]
    fn checking_never_panics_on_truncated_evidence(
        observed in 0usize..12,
        routes in 0usize..3,
        responses in 0usize..5,
        nat in any::<bool>(),
    ) {
        let mut evidence = evidence(if nat { ForwardingMethod::Nat } else { ForwardingMethod::Dr });
        for host in ["client", "director", "web1", "web2"] {
            let found = found(&mut evidence, host);
            found.observed.truncate(observed);
            found.routes.truncate(routes);
            found.links.clear();
            found.boot_files = None;
            found.ipvs_totals = None;
        }
        evidence.fetched_mut().as_mut().unwrap().truncate(responses);
        let verdict = check(&evidence);
        prop_assert!(!verdict.passed);
    }
}
