//! What applying and putting back need from a machine; [`crate::agent::resource::Local`] is the real one.

use std::fs::File;
use std::io;
use std::process::ChildStdin;

use super::journal::Item;
use crate::agent::protocol::ResourceError;
use crate::model::LabId;
use crate::resource::{Observed, Resource};

/// What a change brought beside the resource itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::agent) struct Applied {
    /// Packages that are newly installed.
    pub installed: Vec<String>,
}

/// What a guard of changes on trial is started with.
#[derive(Debug)]
pub(in crate::agent) struct GuardStart<'a> {
    pub lab: &'a LabId,
    pub run: &'a str,
    /// How long it waits for a confirmation after the end of the apply.
    pub seconds: u32,
    /// The lock of [`super::guard_lock`], which the guard holds for as long as it lives.
    pub alive: File,
}

/// A machine that can be looked at and changed, one resource at a time.
pub(in crate::agent) trait Machine {
    /// The resource's present state.
    fn observe(&mut self, resource: &Resource) -> Result<Observed, ResourceError>;

    /// What else a change of `resource` changes, in the order for the journal: after the resource, the last of these
    /// is put back first.
    fn side_effects(&mut self, resource: &Resource) -> Result<Vec<Item>, ResourceError>;

    /// Changes the machine from `observed` to what `resource` asks for.
    fn apply(&mut self, resource: &Resource, observed: &Observed)
    -> Result<Applied, ResourceError>;

    /// Changes the machine from `now` back to `before`.
    fn restore(
        &mut self,
        resource: &Resource,
        before: &Observed,
        now: &Observed,
    ) -> Result<(), ResourceError>;

    /// Removes a directory if it is empty, and says whether it is gone.
    fn remove_directory(&mut self, path: &str) -> Result<bool, ResourceError>;

    /// Restarts a service, so that it reads its files again.
    fn restart(&mut self, service: &str) -> Result<(), ResourceError>;

    /// Starts the guard of a trial (`lvslab guard`) and returns its input, whose end tells the guard that the apply is
    /// over; `None` on a machine in memory.
    fn start_guard(&mut self, start: GuardStart<'_>) -> io::Result<Option<ChildStdin>>;

    /// Removes packages with their configuration, except those that other packages have come to need.
    fn purge(&mut self, package: &str, installed: &[String]) -> Result<(), ResourceError>;
}
