//! Why a command has no answer.

use std::io;
use std::path::PathBuf;

use crate::deployment::{self, DeploymentError};
use crate::exit::Status;
use crate::fault::FaultError;
use crate::ipvs::IpvsError;
use crate::ipvsadm::RulesError;
use crate::labs::LabsError;
use crate::model::LabId;
use crate::orchestrate::HostError;
use crate::sys::local::LocalError;
use crate::verify::EvidenceError;

/// Why a command has no answer. [`crate::cli`] prints it with its sources, once.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The lab, the sandbox or this machine does not allow it.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The one host that was asked.
    #[error("{0}")]
    Host(Box<HostError>),
    /// Neither the environment nor /etc/passwd says where lvslab may keep files.
    #[error("cannot find a place for lvslab's directories")]
    NoDirectories { source: io::Error },
    /// A file that holds no evidence.
    #[error("cannot judge {}", .file.display())]
    Evidence {
        file: PathBuf,
        source: EvidenceError,
    },
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// `break` without a fault.
    #[error("no fault is named")]
    NoFaultNamed,
    /// A lab has one exercise at a time.
    #[error("an exercise is set in lab {lab} already")]
    ExerciseSet { lab: LabId },
    #[error("no exercise is set in lab {lab}")]
    NoExercise { lab: LabId },
    /// Rules that cannot be read.
    #[error("cannot read the rules of {file}")]
    Rules {
        /// The file's path, or the words for standard input.
        file: String,
        source: RulesError,
    },
    /// A file without rules would remove every service, which nobody confirmed.
    #[error("{file} has no rules: applying it removes all {services} services of this machine")]
    NoRules {
        /// The file's path, or the words for standard input.
        file: String,
        services: usize,
    },
    /// The IPVS client of this machine.
    #[error(transparent)]
    Ipvs(#[from] IpvsError),
}

impl From<LabsError> for CommandError {
    fn from(error: LabsError) -> Self {
        Self::Deployment(error.into())
    }
}

impl From<LocalError> for CommandError {
    fn from(error: LocalError) -> Self {
        Self::Deployment(error.into())
    }
}

impl CommandError {
    /// For `map_err`: `doing` follows "cannot", as in "cannot read /etc/hosts".
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let error = LocalError::when(doing);
        move |source| error(source).into()
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Deployment(error) => error.hint(),
            Self::Host(error) => Some(error.hint()),
            Self::NoDirectories { .. } => Some("set HOME to a directory of yours".to_owned()),
            Self::Evidence { .. } => Some(
                "`lvslab verify LAB --evidence-out FILE` writes such a document".to_owned(),
            ),
            Self::Fault(error) => error.hint(),
            Self::NoFaultNamed => Some(
                "`lvslab break --list` shows the faults that fit the lab, --random takes any of them"
                    .to_owned(),
            ),
            Self::ExerciseSet { lab } => Some(format!(
                "`lvslab hint {lab}` helps with it, `lvslab repair {lab}` ends it"
            )),
            Self::NoExercise { lab } => Some(format!("`lvslab break {lab} --random` sets one")),
            Self::Rules { .. } => Some(
                "rules are lines as `ipvsadm -Sn` prints them, -A and -a; # starts a comment"
                    .to_owned(),
            ),
            Self::NoRules { .. } => Some("--yes removes them".to_owned()),
            Self::Ipvs(IpvsError::NotPermitted) => {
                Some("run it as root, on the director".to_owned())
            }
            Self::Ipvs(_) => None,
        }
    }

    /// How the command ends.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Deployment(error) => error.status(),
            Self::Host(error) => deployment::host_status(&error.cause),
            Self::Evidence { .. }
            | Self::Rules { .. }
            | Self::NoRules { .. }
            | Self::Fault(_)
            | Self::NoFaultNamed
            | Self::ExerciseSet { .. }
            | Self::NoExercise { .. } => Status::Usage,
            Self::NoDirectories { .. } | Self::Ipvs(_) => Status::Internal,
        }
    }
}
