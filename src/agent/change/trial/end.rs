//! How a trial ends: confirmed, rolled back by its guard, or rolled back by a boot.

use std::time::{Duration, Instant};

use super::super::journal::{Journal, labs_with_files};
use super::super::lock::HostLock;
use super::super::machine::Machine;
use super::super::put_back::{put_back, restart_readers};
use super::LOOK;
use super::note::{Files, Note, TrialState, directory};
use crate::agent::protocol::{AgentError, OutcomeResult, TrialEnd};
use crate::agent::system::root::Root;
use crate::model::LabId;

/// How long to wait for the host's lock: the run that holds it may be stopping or starting services.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// Keeps pending changes, whichever run made them.
///
/// # Errors
/// When the trial's files cannot be removed.
pub(in crate::agent) fn keep(root: &Root, lab: &LabId) -> Result<(), AgentError> {
    Files::of(root, lab).remove()
}

/// Confirms the changes of `run`, if their trial is not over, and says how it ended.
///
/// # Errors
/// When the host stays locked, or the trial's files cannot be read or removed.
pub(in crate::agent) fn confirm(
    root: &Root,
    lab: &LabId,
    run: &str,
) -> Result<TrialEnd, AgentError> {
    let _lock = patiently(root, run)?;
    let files = Files::of(root, lab);
    let note = files.note()?.filter(|note| note.run == run);
    let Some(note) = note else {
        return Ok(TrialEnd::Unknown);
    };
    files.remove()?;
    Ok(match note.state {
        TrialState::Armed => TrialEnd::Committed,
        TrialState::RolledBack { failed } => TrialEnd::RolledBack { failed },
    })
}

/// Whether the changes of `run` are still to be confirmed.
///
/// # Errors
/// When the trial's note cannot be read.
pub(in crate::agent) fn awaits_confirmation(
    root: &Root,
    lab: &LabId,
    run: &str,
) -> Result<bool, AgentError> {
    Ok(armed_note(&Files::of(root, lab), run)?.is_some())
}

/// Rolls back the changes of `run`, unless they were confirmed after all.
///
/// # Errors
/// When the host stays locked, or the trial's files cannot be used.
pub(in crate::agent) fn roll_back_unconfirmed<M: Machine>(
    machine: &mut M,
    root: &Root,
    lab: &LabId,
    run: &str,
) -> Result<(), AgentError> {
    let _lock = patiently(root, &format!("rollback of {run}"))?;
    let files = Files::of(root, lab);
    match armed_note(&files, run)? {
        Some(note) => roll_back(machine, root, &files, note),
        None => Ok(()),
    }
}

fn armed_note(files: &Files, run: &str) -> Result<Option<Note>, AgentError> {
    let is_meant = |note: &Note| note.run == run && note.state == TrialState::Armed;
    Ok(files.note()?.filter(is_meant))
}

fn patiently(root: &Root, run: &str) -> Result<HostLock, AgentError> {
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match HostLock::take(root, run) {
            Err(AgentError::Locked { .. }) if Instant::now() < end => std::thread::sleep(LOOK),
            result => return result,
        }
    }
}

/// Rolls back the trials whose guard died with an earlier boot of this host.
///
/// A trial whose guard is alive is left to the guard, so starting the boot unit by hand changes no trial, and neither
/// does the `up` that starts the unit itself.
///
/// # Errors
/// When a trial's files cannot be used, or another run holds the host's lock for too long.
pub(in crate::agent) fn after_boot<M: Machine>(
    machine: &mut M,
    root: &Root,
) -> Result<(), AgentError> {
    after_boot_within(LOCK_PATIENCE, machine, root)
}

fn after_boot_within<M: Machine>(
    patience: Duration,
    machine: &mut M,
    root: &Root,
) -> Result<(), AgentError> {
    let end = Instant::now() + patience;
    for lab in labs_with_files(&directory(root), ".json") {
        let files = Files::of(root, &lab);
        while let Some(note) = files.unguarded()? {
            // An `up` that holds the lock takes the trial over with a guard of its own, a `down` ends the trial.
            let _lock = match HostLock::take(root, &format!("rollback of {}", note.run)) {
                Err(AgentError::Locked { .. }) if Instant::now() < end => {
                    std::thread::sleep(LOOK);
                    continue;
                }
                result => result?,
            };
            // Only the holder of the lock can rely on what the note says.
            if let Some(note) = files.unguarded()? {
                roll_back(machine, root, &files, note)?;
            }
        }
    }
    Ok(())
}

/// Rolls back under the host's lock. The note lists what could not be put back.
fn roll_back<M: Machine>(
    machine: &mut M,
    root: &Root,
    files: &Files,
    note: Note,
) -> Result<(), AgentError> {
    let mut journal = Journal::at(files.journal_path())?;
    let mut outcomes = put_back(machine, &mut journal, |_| true, &mut |_| Ok(()));
    outcomes.extend(restart_readers(machine, &mut journal));
    let mut of_lab = Journal::open(root, &files.lab)?;
    // All are ended before they are noted again, which keeps their order: a directory is put back after the file for
    // which it was made, even if that file's entry never ended.
    for entry in &note.forgotten {
        of_lab.undone(entry.item.id())?;
    }
    for entry in note.forgotten {
        of_lab.before(entry)?;
    }
    let failed = outcomes
        .into_iter()
        .filter_map(|outcome| match outcome.result {
            OutcomeResult::Failed { error } => Some(format!("{}: {error}", outcome.resource)),
            _ => None,
        });
    files.write(&Note {
        run: note.run,
        state: TrialState::RolledBack {
            failed: failed.collect(),
        },
        forgotten: Vec::new(),
    })
}

#[cfg(test)]
#[path = "../tests/trial.rs"]
mod tests;
