//! One file per verb. Each verb is an options struct with one `exec` that wires the parts together.
//!
//! In: options and a [`Context`]. Out: an [`Answer`], or a [`CommandError`] when there is none. Nothing here
//! prints or ends the process; that is [`crate::cli`]'s.

pub mod breaking;
pub mod completions;
mod confirmation;
pub mod down;
pub mod exec;
pub mod explain;
pub mod hint;
pub mod ipvs;
pub mod man;
pub mod plan;
pub mod repair;
pub mod sandbox;
pub mod ssh;
pub mod trace;
pub mod up;
pub mod verify;

mod deployment;
mod error;
mod exercise;
mod labs;
mod trouble;
mod vantage_point;

use std::sync::{Arc, Mutex, PoisonError};

use crate::report::Style;
use crate::sys::dirs::Dirs;
use crate::sys::progress::Progress;

pub use error::CommandError;
pub use trouble::Trouble;

/// Puts a yes-or-no question to a person.
pub type Asker = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What every verb is given.
#[derive(Clone)]
pub struct Context {
    /// Where things are kept.
    pub dirs: Dirs,
    /// Who hears what is going on.
    pub progress: Arc<dyn Progress>,
    /// How text looks.
    pub style: Style,
    /// Puts a yes-or-no question to a person; `None` when there is nobody to ask.
    pub ask: Option<Asker>,
    /// What a person should know when the command is interrupted now.
    pub situation: Situation,
}

/// What state things are in, for whoever interrupts.
#[derive(Debug, Clone, Default)]
pub struct Situation(Arc<Mutex<String>>);

impl Situation {
    /// From now on it is this.
    pub fn set(&self, text: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// What it is; empty when there is nothing to say.
    #[must_use]
    pub fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As asked.
    Done,
    /// lvslab or this machine is at fault.
    Internal,
    /// What was asked cannot be.
    Usage,
    /// A host failed.
    HostFailed,
    /// A host is unreachable, or the lab is not up.
    Unreachable,
    /// Changes were taken back by themselves.
    RolledBack,
    /// The lab does not do what it should.
    NotVerified,
    /// A host is locked by another run.
    Locked,
    /// The remote command ended with this.
    Remote(u8),
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// For standard error: what went wrong, with the next step.
    pub complaint: String,
    /// How it ended.
    pub status: Status,
}

impl Answer {
    /// An answer without a complaint.
    #[must_use]
    pub fn done(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            complaint: String::new(),
            status: Status::Done,
        }
    }

    /// A document for programs.
    ///
    /// # Errors
    /// When it has maps whose keys are no strings; none of ours has.
    pub fn document(
        document: &impl serde::Serialize,
        status: Status,
    ) -> Result<Self, CommandError> {
        let text = crate::report::json::document(document)
            .map_err(|error| CommandError::io("write the document")(error.into()))?;
        Ok(Self {
            text,
            complaint: String::new(),
            status,
        })
    }
}
