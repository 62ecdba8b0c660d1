//! Why ipvsadm ends with something else than 0, and what it says then.

use std::fmt;

use crate::ipvs::{Command, IpvsError, Refusal, Refused};

/// A sentence for standard error and an exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Without the line end.
    pub(super) message: String,
    /// Exit status: 1 a list that failed, 2 a bad argument or no IPVS, 255 a refusal or unknown option.
    pub(super) status: i32,
}

impl Failure {
    /// A bad argument.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 2,
        }
    }

    /// A word that is no option.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 255,
        }
    }

    /// A list that cannot be read.
    pub(super) fn list(error: &IpvsError) -> Self {
        Self {
            message: error.errno().map_or_else(|| error.to_string(), system_text),
            status: 1,
        }
    }

    /// IPVS that is not there or not for us.
    pub(super) fn unavailable(error: &IpvsError) -> Self {
        let reason = match error {
            IpvsError::Unavailable => system_text(libc::ENOPROTOOPT),
            other => other.errno().map_or_else(|| other.to_string(), system_text),
        };
        Self::usage(format!(
            "Can't initialize ipvs: {reason}\n\
             Are you sure that IP Virtual Server is built in the kernel or as module?"
        ))
    }

    /// A command that the kernel refused.
    pub(super) fn refused(refused: &Refused) -> Self {
        Self::unknown(refusal_text(refused))
    }

    /// Any error of a command. That we may not, ipvsadm finds out while it starts.
    pub(super) fn command(error: &IpvsError) -> Self {
        match error {
            error if error.errno() == Some(libc::EPERM) => Self::unavailable(error),
            IpvsError::Refused(refused) => Self::refused(refused),
            other => Self::unknown(other.errno().map_or_else(|| other.to_string(), system_text)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// ipvsadm's words for a refusal: by command first, by errno otherwise.
pub(super) fn refusal_text(refused: &Refused) -> String {
    let of_destination = matches!(
        refused.command,
        Command::AddDestination(..) | Command::EditDestination(..) | Command::DeleteDestination(..)
    );
    match refused.reason {
        Refusal::ServiceExists => "Service already exists".to_owned(),
        Refusal::NoSuchService if of_destination => "Service not defined".to_owned(),
        Refusal::NoSuchService => "No such service".to_owned(),
        Refusal::DestinationExists => "Destination already exists".to_owned(),
        Refusal::NoSuchDestination if !matches!(refused.command, Command::AddDestination(..)) => {
            "No such destination".to_owned()
        }
        Refusal::NoSuchSchedulerOrEngine => "Scheduler or persistence engine not found".to_owned(),
        Refusal::DaemonRuns => "Daemon has already run".to_owned(),
        Refusal::DaemonDoesNotRun => "No daemon is running".to_owned(),
        _ => system_text(refused.kernel.errno),
    }
}

/// ipvsadm's words for an errno, the C library's for the others.
fn system_text(errno: i32) -> String {
    match errno {
        libc::EPERM => "Permission denied (you must be root)",
        libc::EINVAL => {
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        }
        libc::ENOPROTOOPT => "Protocol not available",
        libc::ENOMEM => "Memory allocation problem",
        libc::EOPNOTSUPP => "Operation not supported with IPv6",
        libc::EAFNOSUPPORT => "Operation not supported with specified address family",
        libc::EMSGSIZE => "Module is wrong version",
        _ => {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            let suffix = format!(" (os error {errno})");
            return text.strip_suffix(&suffix).unwrap_or(&text).to_owned();
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_numbers_have_the_c_librarys_words() {
        assert_eq!(system_text(libc::ERANGE), "Numerical result out of range");
    }
}
