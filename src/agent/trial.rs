//! Changes on trial: a host whose changes nobody confirms over a new connection puts them back by itself.
//!
//! A change of addresses, routes or the packet filter can leave a connection that is open working and let no
//! new one in. So before its first change an apply that is on trial notes what is there, beside the lab's
//! journal and in its format (`/var/lib/lvslab/trial/LAB.jsonl`), and starts a guard: a process of its own,
//! which outlives the session. When the apply has ended, however it did, the guard waits for so long and then
//! puts back what this apply changed, which need not be all that the lab has changed. If the host reboots
//! first, the guard dies with it and [`after_boot`] rolls back.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::error::host;
use super::guard_lock;
use super::journal::{Entry, Item, Journal, labs_with_files};
use super::kind::Local;
use super::lock::HostLock;
use super::machine::{GuardStart, Machine};
use super::protocol::{AgentError, OutcomeResult, TrialEnd};
use super::revert::{put_back, restart_readers};
use super::root::Root;
use super::serve::ignore;
use crate::model::LabName;
use crate::sys::atomic;

/// How often a guard looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(200);

/// How long to wait for the host's lock: whoever has it may be putting services back.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// How a trial stands, `/var/lib/lvslab/trial/LAB.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Whose apply it is.
    run: String,
    standing: Standing,
    /// What the lab's journal held before this apply put it back for good.
    forgotten: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Armed,
    RolledBack { failed: Vec<String> },
}

/// The files of one lab's trial.
struct Files {
    directory: PathBuf,
    lab: LabName,
}

impl Files {
    fn of(root: &Root, lab: &LabName) -> Self {
        Self {
            directory: directory(root),
            lab: lab.clone(),
        }
    }

    fn note_path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.lab))
    }

    fn journal_path(&self) -> PathBuf {
        self.directory.join(format!("{}.jsonl", self.lab))
    }

    fn guard_lock_path(&self) -> PathBuf {
        self.directory.join(format!("{}.guard", self.lab))
    }

    /// `None` where there is no trial.
    fn note(&self) -> Result<Option<Note>, AgentError> {
        let path = self.note_path();
        let failed = |error: &dyn std::fmt::Display| host(describe("cannot read", &path), error);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// On disk when it returns.
    fn write(&self, note: &Note) -> Result<(), AgentError> {
        let path = self.note_path();
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.directory)?;
            atomic::write(&path, &serde_json::to_vec(note)?, 0o600)
        };
        write().map_err(|error| host(describe("cannot write", &path), error))
    }

    /// Locked for a guard that is about to start.
    fn take_guard_lock(&self) -> Result<File, AgentError> {
        let path = self.guard_lock_path();
        let take = || {
            fs::create_dir_all(&self.directory)?;
            guard_lock::take(&path)
        };
        take().map_err(|error| host(describe("cannot lock", &path), error))
    }

    /// The trial that waits for its end on this host without a guard; `None` where there is none.
    fn unguarded(&self) -> Result<Option<Note>, AgentError> {
        let armed = |note: &Note| note.standing == Standing::Armed;
        let Some(note) = self.note()?.filter(armed) else {
            return Ok(None);
        };
        let path = self.guard_lock_path();
        let guarded = guard_lock::is_held(&path)
            .map_err(|error| host(describe("cannot look at", &path), error))?;
        Ok((!guarded).then_some(note))
    }

    /// The note goes last: without it there is no trial.
    fn remove(&self) -> Result<(), AgentError> {
        for path in [
            self.journal_path(),
            self.guard_lock_path(),
            self.note_path(),
        ] {
            atomic::remove(&path).map_err(|error| host(describe("cannot remove", &path), error))?;
        }
        // Another lab's trial may be in it.
        let _ = fs::remove_dir(&self.directory);
        Ok(())
    }
}

fn directory(root: &Root) -> PathBuf {
    root.state().join("trial")
}

fn describe(what: &str, path: &Path) -> String {
    format!("{what} {}", path.display())
}

/// One apply's trial; nothing is written before there is something to note.
pub(super) struct Trial<'a> {
    files: Files,
    run: &'a str,
    seconds: u32,
    armed: Option<Armed>,
}

struct Armed {
    journal: Journal,
    note: Note,
    /// Closed by the end of the apply, or of this process: from then on the guard counts.
    _apply_goes_on: Option<ChildStdin>,
}

impl<'a> Trial<'a> {
    /// For an apply of `run` under the host's lock, confirmed within `seconds` after its end or put back.
    ///
    /// A trial that an earlier apply left unconfirmed goes on as this one's: what is put back is the last
    /// state that was confirmed.
    ///
    /// # Errors
    /// When its files cannot be read or written, or no guard can be started.
    pub(super) fn begin<M: Machine>(
        machine: &mut M,
        root: &Root,
        lab: &LabName,
        (run, seconds): (&'a str, u32),
    ) -> Result<Self, AgentError> {
        let mut trial = Self {
            files: Files::of(root, lab),
            run,
            seconds,
            armed: None,
        };
        match trial.files.note()? {
            Some(note) if note.standing == Standing::Armed => trial.arm(machine, note.forgotten)?,
            Some(_) => trial.files.remove()?,
            None => {}
        }
        Ok(trial)
    }

    /// Whether there is something to confirm.
    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// What is there before it is changed, on disk when this returns.
    pub(super) fn before<M: Machine>(
        &mut self,
        machine: &mut M,
        entry: Entry,
    ) -> Result<(), AgentError> {
        self.armed(machine)?.journal.before(entry)
    }

    /// What is there before the lab's own entries are put back, which its journal forgets then.
    pub(super) fn before_forgetting<M: Machine>(
        &mut self,
        machine: &mut M,
        entries: &[Entry],
    ) -> Result<(), AgentError> {
        for entry in entries {
            let now = match &entry.item {
                Item::Directory { .. } => continue,
                Item::Resource { resource, .. } => Item::Resource {
                    resource: resource.clone(),
                    before: machine.observe(resource)?,
                },
            };
            let now = Entry {
                item: now,
                ..entry.clone()
            };
            self.before(machine, now)?;
        }
        if !entries.is_empty() {
            let Self { files, armed, .. } = self;
            if let Some(armed) = armed {
                armed.note.forgotten.extend_from_slice(entries);
                files.write(&armed.note)?;
            }
        }
        Ok(())
    }

    fn armed<M: Machine>(&mut self, machine: &mut M) -> Result<&mut Armed, AgentError> {
        if self.armed.is_none() {
            self.arm(machine, Vec::new())?;
        }
        self.armed
            .as_mut()
            .ok_or_else(|| host("cannot put the changes on trial", "it is over"))
    }

    fn arm<M: Machine>(
        &mut self,
        machine: &mut M,
        forgotten: Vec<Entry>,
    ) -> Result<(), AgentError> {
        let note = Note {
            run: self.run.to_owned(),
            standing: Standing::Armed,
            forgotten,
        };
        let alive = self.files.take_guard_lock()?;
        self.files.write(&note)?;
        let guard = machine
            .start_guard(GuardStart {
                lab: &self.files.lab,
                run: self.run,
                seconds: self.seconds,
                alive,
            })
            .map_err(|error| host("cannot start the guard of the changes", error))?;
        self.armed = Some(Armed {
            journal: Journal::at(self.files.journal_path())?,
            note,
            _apply_goes_on: guard,
        });
        Ok(())
    }
}

/// The changes stay, whoever's they are.
///
/// # Errors
/// When the trial's files cannot be removed.
pub(super) fn keep(root: &Root, lab: &LabName) -> Result<(), AgentError> {
    Files::of(root, lab).remove()
}

/// What became of the trial of `run`; one that was not over ends with this, and the changes stay.
///
/// # Errors
/// When the host stays locked, or the trial's files cannot be read or removed.
pub(super) fn confirm(root: &Root, lab: &LabName, run: &str) -> Result<TrialEnd, AgentError> {
    let _lock = patiently(root, run)?;
    let files = Files::of(root, lab);
    let note = files.note()?.filter(|note| note.run == run);
    let Some(note) = note else {
        return Ok(TrialEnd::Unknown);
    };
    files.remove()?;
    Ok(match note.standing {
        Standing::Armed => TrialEnd::Committed,
        Standing::RolledBack { failed } => TrialEnd::RolledBack { failed },
    })
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

/// The guard of `run`: waits for the end of `apply_goes_on`, then `seconds` for a confirmation, then puts back.
///
/// # Errors
/// When the host stays locked or the trial's files cannot be used.
pub fn guard(
    lab: &LabName,
    run: &str,
    seconds: u32,
    mut apply_goes_on: impl Read,
) -> io::Result<()> {
    outlive_the_session();
    let root = Root::machine();
    // Whatever comes, its end is the end of the apply.
    let _ = io::copy(&mut apply_goes_on, &mut io::sink());
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let files = Files::of(&root, lab);
    let is_ours = |note: &Note| note.run == run && note.standing == Standing::Armed;
    while Instant::now() < end {
        if !files
            .note()
            .map_err(io::Error::other)?
            .is_some_and(|n| is_ours(&n))
        {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    let _lock = patiently(&root, &format!("rollback of {run}")).map_err(io::Error::other)?;
    match files.note().map_err(io::Error::other)? {
        Some(note) if is_ours(&note) => {
            let mut machine = Local::new(root.clone(), None);
            roll_back(&mut machine, &root, &files, note).map_err(io::Error::other)
        }
        _ => Ok(()),
    }
}

/// Neither the end of the session nor a hang-up of its terminal ends this process.
fn outlive_the_session() {
    let ignored = ignore(Signal::SIGHUP);
    // It is no group leader, so there is nothing that could keep it from leaving.
    let _ = (ignored, nix::unistd::setsid());
}

/// Rolls back the trials whose guard died with an earlier boot of this host.
///
/// A trial whose guard is alive is left to the guard, so starting the boot unit by hand changes no trial, and neither
/// does the `up` that starts the unit itself.
///
/// # Errors
/// When a trial's files cannot be used, or another run holds the host's lock for too long.
pub(super) fn after_boot<M: Machine>(machine: &mut M, root: &Root) -> Result<(), AgentError> {
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

/// Under the host's lock. What fails is left as it is and said in the note.
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
    // In their order: a directory goes after the file that it was made for, also where the file never went.
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
        standing: Standing::RolledBack {
            failed: failed.collect(),
        },
        forgotten: Vec::new(),
    })
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
