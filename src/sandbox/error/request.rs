//! Requests that do not fit the lab, its sandbox or what was saved of it.

use crate::model::{HostName, LabId, LabName, NameError};
use crate::sandbox::accelerator::{self, UnknownAccelerator};

use super::Kind;

/// What was asked for does not fit.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The running sandbox has other machines or wires than the lab now asks for.
    #[error("the running sandbox of lab {lab} has other machines than the topology: {difference}")]
    OtherShape {
        lab: LabId,
        /// The first one, in words.
        difference: String,
    },
    /// The lab has no host of this name.
    #[error("lab {lab} has no host {host}; its hosts are {known}")]
    UnknownHost {
        lab: LabId,
        host: HostName,
        /// The names there are, separated by commas.
        known: String,
    },
    /// One sandbox does not have addresses for so many hosts.
    #[error("the lab has {hosts} hosts; one sandbox holds at most {most}")]
    TooManyHosts { hosts: usize, most: usize },
    /// There is no saved lab of this name.
    #[error("lab {lab} has no saved state {name}; saved are: {known}")]
    NoSuchSave {
        lab: LabId,
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// A saved lab does not fit what is here.
    #[error("saved state {name} of lab {lab} cannot be restored here: {obstacle}")]
    UnusableSave {
        lab: LabId,
        name: LabName,
        /// What differs.
        obstacle: String,
    },
    /// A saved lab cannot have this name.
    #[error("a saved state cannot be called {name:?}")]
    SaveName { name: String, source: NameError },
    /// `LVSLAB_ACCELERATOR` has a value that means nothing.
    #[error("{} cannot be used", accelerator::VARIABLE)]
    AcceleratorVariable(#[source] UnknownAccelerator),
}

impl RequestError {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::OtherShape { .. }
            | Self::UnknownHost { .. }
            | Self::TooManyHosts { .. }
            | Self::NoSuchSave { .. }
            | Self::SaveName { .. }
            | Self::AcceleratorVariable(_) => Kind::Request,
            Self::UnusableSave { .. } => Kind::Failure,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::OtherShape { lab, .. } => {
                Some(format!("`lvslab down {lab}` first, then start again"))
            }
            Self::NoSuchSave { .. } => {
                Some("`lvslab sandbox save NAME` keeps the running lab".to_owned())
            }
            Self::UnusableSave { .. } => {
                Some("start the lab anew with `lvslab up` and save it again".to_owned())
            }
            Self::SaveName { .. } => Some("a name such as `before-class` will do".to_owned()),
            Self::AcceleratorVariable(_) => Some(format!(
                "leave {} unset, and lvslab tries what works",
                accelerator::VARIABLE
            )),
            Self::UnknownHost { .. } | Self::TooManyHosts { .. } => None,
        }
    }
}
