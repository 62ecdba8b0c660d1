//! One file per verb. Each verb is an options struct with one `exec` that wires the parts together.
//!
//! In: options and a [`Context`]. Out: an [`Answer`], or a [`CommandError`] when there is none. Nothing here
//! prints or ends the process; that is [`crate::cli`]'s.

pub mod breaking;
pub mod completions;
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
pub mod status;
pub mod trace;
pub mod up;
pub mod verify;

mod error;

pub use crate::context::Context;
pub use crate::exit::Status;
pub use error::CommandError;

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
