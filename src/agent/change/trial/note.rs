//! The files of a trial, in `/var/lib/lvslab/trial`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::guard_lock;
use super::super::journal::Entry;
use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::system::root::Root;
use crate::model::LabId;
use crate::sys::atomic;

/// The state of a trial, `/var/lib/lvslab/trial/LAB.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The run whose apply it is.
    pub(super) run: String,
    #[serde(rename = "standing")]
    pub(super) state: TrialState,
    /// Entries that this apply put back and the lab's journal forgot; a rollback notes them again.
    pub(super) forgotten: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TrialState {
    Armed,
    RolledBack { failed: Vec<String> },
}

/// The files of one lab's trial.
pub(super) struct Files {
    directory: PathBuf,
    pub(super) lab: LabId,
}

impl Files {
    pub(super) fn of(root: &Root, lab: &LabId) -> Self {
        Self {
            directory: directory(root),
            lab: lab.clone(),
        }
    }

    fn note_path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.lab))
    }

    pub(super) fn journal_path(&self) -> PathBuf {
        self.directory.join(format!("{}.jsonl", self.lab))
    }

    pub(super) fn guard_lock_path(&self) -> PathBuf {
        self.directory.join(format!("{}.guard", self.lab))
    }

    /// The note; `None` where there is no trial.
    pub(super) fn note(&self) -> Result<Option<Note>, AgentError> {
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

    /// Replaces the note; it is on disk when this returns.
    pub(super) fn write(&self, note: &Note) -> Result<(), AgentError> {
        let path = self.note_path();
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.directory)?;
            atomic::write(&path, &serde_json::to_vec(note)?, 0o600)
        };
        write().map_err(|error| host(describe("cannot write", &path), error))
    }

    /// A lock for the guard that is about to start.
    pub(super) fn take_guard_lock(&self) -> Result<File, AgentError> {
        let path = self.guard_lock_path();
        let take = || {
            fs::create_dir_all(&self.directory)?;
            guard_lock::take(&path)
        };
        take().map_err(|error| host(describe("cannot lock", &path), error))
    }

    /// The trial's note, if it is armed and has no living guard.
    pub(super) fn unguarded(&self) -> Result<Option<Note>, AgentError> {
        let armed = |note: &Note| note.state == TrialState::Armed;
        let Some(note) = self.note()?.filter(armed) else {
            return Ok(None);
        };
        let path = self.guard_lock_path();
        let guarded = guard_lock::is_held(&path)
            .map_err(|error| host(describe("cannot look at", &path), error))?;
        Ok((!guarded).then_some(note))
    }

    /// Removes the trial's files, the note last: without it there is no trial.
    pub(super) fn remove(&self) -> Result<(), AgentError> {
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

pub(super) fn directory(root: &Root) -> PathBuf {
    root.state().join("trial")
}

fn describe(what: &str, path: &Path) -> String {
    format!("{what} {}", path.display())
}
