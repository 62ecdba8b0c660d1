//! Why a keeper cannot keep a requirement on a host.

use crate::model::{HostName, InterfaceName};

/// Why nothing can be written for a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// An alias of this interface would have a label longer than the kernel takes.
    #[error("the alias {interface}:0 is longer than the 15 characters the kernel allows")]
    AliasTooLong { interface: InterfaceName },
    /// The VIP of a real server belongs on the loopback interface.
    #[error("there is no loopback interface for the VIP")]
    NoLoopback,
    /// A template could not be rendered: a mistake in lvslab itself.
    #[error("template {template} cannot be rendered: {cause}")]
    Template {
        template: String,
        /// What minijinja says.
        cause: String,
    },
}

impl WriteError {
    /// What the person can do on this host.
    #[must_use]
    pub fn hint(&self, host: &HostName) -> Option<String> {
        match self {
            Self::AliasTooLong { interface } => Some(format!(
                "rename {interface} on {host} (`ip link set {interface} name lab0`)"
            )),
            Self::NoLoopback => {
                Some("a network namespace without lo can be no real server".to_owned())
            }
            Self::Template { .. } => None,
        }
    }
}
