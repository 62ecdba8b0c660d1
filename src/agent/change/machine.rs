//! What applying and putting back need of a machine; [`crate::agent::resource::Local`] is the real one.

use std::fs::File;
use std::io;
use std::process::ChildStdin;

use super::journal::Item;
use crate::agent::protocol::ResourceError;
use crate::model::LabId;
use crate::resource::{Observed, Resource};

/// What came of a change beyond the resource itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::agent) struct Applied {
    /// Packages that are on the machine now and were not before.
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
    /// What is true now.
    fn observe(&mut self, resource: &Resource) -> Result<Observed, ResourceError>;

    /// What else changes when `resource` does, in the order in which it is to be noted: it is put back
    /// after the resource, last first.
    fn side_effects(&mut self, resource: &Resource) -> Result<Vec<Item>, ResourceError>;

    /// Makes `resource` true where `observed` is what is now.
    fn apply(&mut self, resource: &Resource, observed: &Observed)
    -> Result<Applied, ResourceError>;

    /// Makes `before` true again where `now` is what is now.
    fn restore(
        &mut self,
        resource: &Resource,
        before: &Observed,
        now: &Observed,
    ) -> Result<(), ResourceError>;

    /// Removes a directory if it is empty; whether there is none now.
    fn remove_directory(&mut self, path: &str) -> Result<bool, ResourceError>;

    /// Has a running service read its files again.
    fn restart(&mut self, service: &str) -> Result<(), ResourceError>;

    /// Starts the guard of changes on trial (`lvslab guard`), which counts from the end of its input;
    /// `None` where there is none to start.
    fn start_guard(&mut self, start: GuardStart<'_>) -> io::Result<Option<ChildStdin>>;

    /// Removes packages with their configuration; those that others need by now may stay.
    fn purge(&mut self, package: &str, installed: &[String]) -> Result<(), ResourceError>;
}
