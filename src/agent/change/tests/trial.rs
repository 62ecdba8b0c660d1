//! Trials as laws, on the machine of the tests of applying.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::agent::change::apply::apply;
use crate::agent::change::apply::tests::{Host, Model, file, httpd, machine, plan, sysctl};
use crate::agent::change::guard_lock::tests::wait_until_free;
use crate::agent::protocol::{Apply, Outcome};
use crate::resource::Resource;

fn lab() -> LabId {
    "dr".parse().unwrap()
}

/// An apply of `run` on trial; its outcomes, and whether there is something to confirm.
fn on_trial(host: &mut Host, run: &str, resources: &[Resource]) -> (Vec<Outcome>, bool) {
    let request = Apply {
        lab: lab(),
        run: run.into(),
        resources: resources.to_vec(),
        confirm_within_seconds: Some(60),
    };
    let report = apply(&mut host.model, &host.root, &request, &mut |_| Ok(())).unwrap();
    (report.outcomes, report.on_trial)
}

/// As the guard does when the time is up.
fn time_is_up(host: &mut Host) {
    let files = Files::of(&host.root, &lab());
    let note = files.note().unwrap().unwrap();
    assert_eq!(note.state, TrialState::Armed);
    roll_back(&mut host.model, &host.root, &files, note).unwrap();
}

fn ended(host: &Host, run: &str) -> TrialEnd {
    confirm(&host.root, &lab(), run).unwrap()
}

/// What is there, in a form that does not depend on the order of changes.
fn everything(model: &Model) -> (std::collections::BTreeMap<String, String>, BTreeSet<String>) {
    let state = model.state.iter();
    (
        state
            .map(|(id, observed)| (id.clone(), format!("{observed:?}")))
            .collect(),
        model.directories.iter().cloned().collect(),
    )
}

#[test]
fn the_guard_starts_before_the_first_change_and_not_where_there_is_none() {
    let mut host = Host::new(machine(Some((true, true))));
    let wanted = [sysctl("a.a", "1"), file("/etc/new", "x")];
    assert!(on_trial(&mut host, "ann 1", &wanted).1);
    assert_eq!(
        host.log(),
        ["guard dr ann 1", "apply sysctl a.a", "apply file /etc/new"]
    );
    assert_eq!(ended(&host, "ann 1"), TrialEnd::Committed);
    assert!(!directory(&host.root).exists());
    assert!(!on_trial(&mut host, "ann 2", &wanted).1);
    assert_eq!(host.log(), [] as [&str; 0]);
    assert_eq!(ended(&host, "ann 2"), TrialEnd::Unknown);
}

#[test]
fn what_was_confirmed_before_survives_a_rollback_and_down_still_puts_it_back() {
    let mut host = Host::new(machine(Some((true, true))));
    let found = everything(&host.model);
    on_trial(
        &mut host,
        "ann 1",
        &[sysctl("a.a", "1"), file("/etc/new", "x")],
    );
    ended(&host, "ann 1");
    let confirmed = everything(&host.model);
    // The file is no longer asked for, so it goes; the setting changes; another one comes.
    on_trial(
        &mut host,
        "ann 2",
        &[sysctl("a.a", "2"), sysctl("b.b", "1")],
    );
    assert_ne!(everything(&host.model), confirmed);
    time_is_up(&mut host);
    assert_eq!(everything(&host.model), confirmed);
    assert_eq!(
        ended(&host, "ann 2"),
        TrialEnd::RolledBack { failed: vec![] }
    );
    host.revert(false);
    assert_eq!(everything(&host.model), found);
    assert!(!host.root.state().exists());
}

#[test]
fn a_run_over_an_unconfirmed_one_takes_its_trial_over() {
    let mut host = Host::new(machine(Some((true, true))));
    let found = everything(&host.model);
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    host.log();
    // It has nothing to change, and still there is something to confirm.
    assert!(on_trial(&mut host, "bob 2", &[sysctl("a.a", "1")]).1);
    assert_eq!(host.log(), ["guard dr bob 2"]);
    assert_eq!(ended(&host, "ann 1"), TrialEnd::Unknown);
    time_is_up(&mut host);
    assert_eq!(everything(&host.model), found);
    assert_eq!(
        ended(&host, "bob 2"),
        TrialEnd::RolledBack { failed: vec![] }
    );
}

#[test]
fn what_cannot_be_put_back_is_said() {
    let mut host = Host::new(machine(Some((true, true))));
    on_trial(
        &mut host,
        "ann 1",
        &[sysctl("a.a", "1"), sysctl("b.b", "1")],
    );
    host.model.changes = 0;
    host.model.fails_at = Some((1, false));
    time_is_up(&mut host);
    assert_eq!(
        ended(&host, "ann 1"),
        TrialEnd::RolledBack {
            failed: vec!["sysctl b.b: restore sysctl b.b: the model says no".into()]
        }
    );
}

/// Every process of the host ends, the guard among them.
fn processes_end(host: &mut Host) {
    host.model.end_processes();
    wait_until_free(&Files::of(&host.root, &lab()).guard_lock_path());
}

#[test]
fn a_boot_rolls_back_what_was_not_confirmed_before_it() {
    let mut host = Host::new(machine(Some((true, true))));
    let found = everything(&host.model);
    on_trial(
        &mut host,
        "ann 1",
        &[file("/etc/there", "ours"), httpd(&[])],
    );
    processes_end(&mut host);
    after_boot(&mut host.model, &host.root).unwrap();
    assert_eq!(everything(&host.model), found);
    host.log();
    after_boot(&mut host.model, &host.root).unwrap();
    assert_eq!(host.log(), [] as [&str; 0]);
    assert_eq!(
        ended(&host, "ann 1"),
        TrialEnd::RolledBack { failed: vec![] }
    );
    assert!(!directory(&host.root).exists());
}

#[test]
fn a_start_of_the_boot_unit_by_hand_leaves_a_trial_to_its_guard() {
    let mut host = Host::new(machine(Some((true, true))));
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    let changed = everything(&host.model);
    host.log();
    after_boot(&mut host.model, &host.root).unwrap();
    assert_eq!(host.log(), [] as [&str; 0]);
    assert_eq!(everything(&host.model), changed);
    assert_eq!(ended(&host, "ann 1"), TrialEnd::Committed);
}

#[test]
fn the_boot_unit_can_be_started_by_the_up_that_has_the_host_locked() {
    let mut host = Host::new(machine(Some((true, true))));
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    let _lock = HostLock::take(&host.root, "ann 1").unwrap();
    after_boot_within(Duration::ZERO, &mut host.model, &host.root).unwrap();
}

#[test]
fn the_boot_unit_needs_no_lock_where_there_is_no_trial() {
    let mut host = Host::new(machine(Some((true, true))));
    let lock = HostLock::take(&host.root, "bob 2").unwrap();
    after_boot_within(Duration::ZERO, &mut host.model, &host.root).unwrap();
    drop(lock);
    // Nor where it was rolled back, and its run has not asked yet how it ended.
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    processes_end(&mut host);
    time_is_up(&mut host);
    let _lock = HostLock::take(&host.root, "bob 2").unwrap();
    after_boot_within(Duration::ZERO, &mut host.model, &host.root).unwrap();
}

#[test]
fn a_boot_leaves_an_unguarded_trial_to_the_run_that_takes_it_over() {
    let mut host = Host::new(machine(Some((true, true))));
    let found = everything(&host.model);
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    processes_end(&mut host);
    let lock = HostLock::take(&host.root, "bob 2").unwrap();
    let refused = after_boot_within(Duration::ZERO, &mut host.model, &host.root).unwrap_err();
    assert!(matches!(refused, AgentError::Locked { .. }), "{refused}");
    drop(lock);
    on_trial(&mut host, "bob 2", &[sysctl("a.a", "1")]);
    host.log();
    after_boot_within(Duration::ZERO, &mut host.model, &host.root).unwrap();
    assert_eq!(host.log(), [] as [&str; 0]);
    time_is_up(&mut host);
    assert_eq!(everything(&host.model), found);
}

#[test]
fn down_ends_a_trial_with_everything_put_back() {
    let mut host = Host::new(machine(Some((true, true))));
    let found = everything(&host.model);
    on_trial(&mut host, "ann 1", &[sysctl("a.a", "1")]);
    host.revert(false);
    assert_eq!(everything(&host.model), found);
    assert!(!host.root.state().exists());
}

proptest! {
    // Every case writes and syncs real journals.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_rollback_leads_to_the_last_state_that_was_confirmed(
        confirmed in prop::collection::vec(plan(), 0..3),
        trials in prop::collection::vec((plan(), prop::option::of((1_usize..6, any::<bool>()))), 1..3),
    ) {
        let mut host = Host::new(machine(Some((true, true))));
        let found = everything(&host.model);
        for plan in confirmed {
            host.apply(&plan);
        }
        let before = everything(&host.model);
        let mut armed = false;
        for (number, (plan, fails_at)) in trials.into_iter().enumerate() {
            host.model.changes = 0;
            host.model.fails_at = fails_at;
            armed = on_trial(&mut host, &format!("run {number}"), &plan).1;
        }
        host.model.fails_at = None;
        if armed {
            time_is_up(&mut host);
        }
        prop_assert_eq!(everything(&host.model), before);
        host.revert(false);
        prop_assert_eq!(everything(&host.model), found);
    }
}
