//! Messages and exit statuses of what goes wrong, as ipvsadm has them.

use std::fmt;

use crate::ipvs::{Command, IpvsError, Refusal, Refused};

/// What kind of failure it is, which decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list that cannot be read.
    List,
    /// Output that cannot be written.
    Output,
    /// A bad option of `ipvsadm-save`.
    WrapperUsage,
    /// A bad argument, or no IPVS.
    Usage,
    /// No command to run: the original points to its help.
    NoCommand,
    /// A word that is no option.
    UnknownOption,
    /// The kernel refused.
    Refused,
}

/// A message for standard error and an exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// Without the line end.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A bad argument.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// No command to run.
    pub(super) fn no_command(program: &str) -> Self {
        Self::new(
            Kind::NoCommand,
            format!("Try `{program} -h' or '{program} --help' for more information."),
        )
    }

    /// The exit status that ipvsadm has for it.
    pub(super) fn status(&self) -> i32 {
        match self.kind {
            Kind::List | Kind::Output | Kind::WrapperUsage => 1,
            Kind::Usage => 2,
            Kind::NoCommand | Kind::UnknownOption | Kind::Refused => 255,
        }
    }

    /// A list that cannot be read.
    pub(super) fn list(error: &IpvsError) -> Self {
        Self::new(
            Kind::List,
            error.errno().map_or_else(|| error.to_string(), system_text),
        )
    }

    /// A kernel without IPVS, or a process that may not use it.
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
        Self::new(Kind::Refused, refusal_text(refused))
    }

    /// Any error of a command. A missing permission gets ipvsadm's message for it, which it prints when it
    /// starts.
    pub(super) fn command(error: &IpvsError) -> Self {
        match error {
            error if error.errno() == Some(libc::EPERM) => Self::unavailable(error),
            IpvsError::Refused(refused) => Self::refused(refused),
            other => Self::new(
                Kind::Refused,
                other.errno().map_or_else(|| other.to_string(), system_text),
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// ipvsadm's message for a refusal: by command where it has one, by errno otherwise.
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

/// ipvsadm's message for an errno, or else the C library's.
pub(super) fn system_text(errno: i32) -> String {
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
