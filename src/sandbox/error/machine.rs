//! QEMU and the guest in it.

use std::time::Duration;

use super::ConsoleTail;

/// The machine does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// QEMU did not start.
    #[error("QEMU did not start: {complaint}")]
    Qemu {
        /// What it said on its standard error, or how it ended.
        complaint: String,
    },
    /// QEMU refused a command on its monitor.
    #[error("QEMU refused `{command}`: {complaint}")]
    Monitor {
        /// QMP command, or what it was for.
        command: String,
        /// QEMU's description of the error.
        complaint: String,
    },
    /// The machine ended by itself: its kernel panicked or QEMU crashed.
    #[error("the sandbox machine ended while {doing}{console}")]
    Died { doing: String, console: ConsoleTail },
    /// The machine did not answer in time.
    #[error("the sandbox machine did not answer within {} s while {doing}{console}", .limit.as_secs())]
    Timeout {
        doing: String,
        limit: Duration,
        console: ConsoleTail,
    },
    /// PID 1 of the machine said no.
    #[error("the sandbox machine could not do it: {cause}{console}")]
    Guest {
        /// Its words.
        cause: String,
        console: ConsoleTail,
    },
}

impl MachineError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Qemu { .. } => Some(
                "is qemu-system-x86_64 installed? `lvslab sandbox prepare` sees to it; \
                 LVSLAB_ACCELERATOR=tcg does without KVM"
                    .to_owned(),
            ),
            Self::Monitor { .. } => Some(
                "is the disk of the cache full? otherwise `lvslab down` and `lvslab up` begin with another machine"
                    .to_owned(),
            ),
            Self::Timeout { .. } => Some(
                "on a busy machine a longer --timeout helps; otherwise the console above tells why"
                    .to_owned(),
            ),
            Self::Died { .. } | Self::Guest { .. } => None,
        }
    }
}
