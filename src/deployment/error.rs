//! Why a lab's hosts cannot be worked with at all. What goes wrong on one host is a [`super::Trouble`].

use crate::exit::Status;
use crate::labs::LabsError;
use crate::sandbox::image::ImageError;
use crate::sandbox::{Kind, SandboxError};
use crate::sys::local::LocalError;

/// Why a lab's hosts cannot be worked with at all.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    #[error(transparent)]
    Labs(#[from] LabsError),
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The sandbox's kernel and system cannot be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl DeploymentError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Labs(error) => error.hint(),
            Self::Local(_) => None,
            Self::Image(error) => Some(error.hint()),
            Self::Sandbox(error) => error.hint(),
        }
    }

    /// How a command ends with it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Labs(error) => error.status(),
            Self::Local(_) | Self::Image(_) => Status::Internal,
            Self::Sandbox(error) => sandbox_status(error),
        }
    }
}

fn sandbox_status(error: &SandboxError) -> Status {
    match error.kind() {
        Kind::Request => Status::Usage,
        Kind::Busy => Status::Locked,
        Kind::Unreachable => Status::Unreachable,
        Kind::Failure => Status::Internal,
    }
}
