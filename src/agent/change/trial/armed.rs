//! The trial of one apply, from its first change to the end of the apply.

use std::process::ChildStdin;

use super::super::journal::{Entry, Item, Journal};
use super::super::machine::{GuardStart, Machine};
use super::end::keep;
use super::note::{Files, Note, TrialState};
use crate::agent::protocol::error::host;
use crate::agent::protocol::{AgentError, Apply};
use crate::agent::system::root::Root;

/// One apply's trial. No file is written before the first change.
pub(in super::super) struct Trial<'a> {
    files: Files,
    run: &'a str,
    seconds: u32,
    armed: Option<Armed>,
}

struct Armed {
    journal: Journal,
    note: Note,
    /// The guard's input. It closes when the apply ends or this process dies, and the guard begins to count.
    _apply_goes_on: Option<ChildStdin>,
}

impl<'a> Trial<'a> {
    /// Begins the trial of `request`, under the host's lock. Returns `None` where it asks for no trial, which also
    /// keeps the changes of an earlier trial.
    ///
    /// A trial that an earlier apply left unconfirmed goes on as this one's, so a rollback leads to the last state
    /// that was confirmed.
    ///
    /// # Errors
    /// When its files cannot be read or written, or no guard can be started.
    pub(in super::super) fn begin<M: Machine>(
        machine: &mut M,
        root: &Root,
        request: &'a Apply,
    ) -> Result<Option<Self>, AgentError> {
        let Some(seconds) = request.confirm_within_seconds else {
            keep(root, &request.lab)?;
            return Ok(None);
        };
        let mut trial = Self {
            files: Files::of(root, &request.lab),
            run: &request.run,
            seconds,
            armed: None,
        };
        match trial.files.note()? {
            Some(note) if note.state == TrialState::Armed => trial.arm(machine, note.forgotten)?,
            Some(_) => trial.files.remove()?,
            None => {}
        }
        Ok(Some(trial))
    }

    /// Whether there are changes to confirm.
    pub(in super::super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Notes a state before its change; it is on disk when this returns.
    pub(in super::super) fn before<M: Machine>(
        &mut self,
        machine: &mut M,
        entry: Entry,
    ) -> Result<(), AgentError> {
        self.armed(machine)?.journal.before(entry)
    }

    /// Notes the present state of resources whose entries in the lab's journal are about to be put back and forgotten.
    pub(in super::super) fn before_forgetting<M: Machine>(
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
            state: TrialState::Armed,
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
