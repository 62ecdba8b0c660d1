//! Errors about one resource or the host as a whole, put together from what the system says.

use std::fmt;

use super::{AgentError, ResourceError};

/// `what: cause`, without a hint.
pub(in crate::agent) fn failed(what: impl fmt::Display, cause: impl fmt::Display) -> ResourceError {
    because(format!("{what}: {cause}"))
}

/// A cause that says it all.
pub(in crate::agent) fn because(cause: impl Into<String>) -> ResourceError {
    ResourceError {
        cause: cause.into(),
        hint: None,
    }
}

impl ResourceError {
    /// With what the person can do about it.
    pub(in crate::agent) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ResourceError> for AgentError {
    fn from(error: ResourceError) -> Self {
        Self::Host {
            cause: error.cause,
            hint: error.hint,
        }
    }
}

/// About the host as a whole, without a hint.
pub(in crate::agent) fn host(what: impl fmt::Display, cause: impl fmt::Display) -> AgentError {
    failed(what, cause).into()
}

impl From<AgentError> for ResourceError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Host { cause, hint } => Self { cause, hint },
            other => because(other.to_string()),
        }
    }
}
