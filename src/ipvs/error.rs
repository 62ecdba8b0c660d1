//! Errors of the IPVS client, by what caused them.

use std::fmt;

use netlink_packet_core::DecodeError;

use super::command::Command;
use crate::netlink::{KernelError, NetlinkError};

/// Why the kernel refused a [`Command`]. The same errno means different things to different commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// `EEXIST`
    ServiceExists,
    /// `ESRCH`
    NoSuchService,
    /// `EEXIST`
    DestinationExists,
    /// `ENOENT`
    NoSuchDestination,
    /// `ENOENT`: neither built in nor available as a module.
    NoSuchSchedulerOrEngine,
    /// `EEXIST`
    DaemonRuns,
    /// `ESRCH`
    DaemonDoesNotRun,
    /// `ENODEV`: the daemon's interface.
    NoSuchInterface,
    /// `ERANGE`: weight or thresholds, a lower threshold above the upper one.
    OutOfRange,
    /// `EINVAL`: something in the command is wrong, and the kernel does not say what.
    Invalid,
    /// `EPERM`: needs `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
    NotPermitted,
    /// Anything else; see [`Refused::kernel`].
    Other,
}

impl Refusal {
    fn of(command: &Command, errno: i32) -> Self {
        use Command::{
            AddDestination, CreateService, DeleteDestination, EditDestination, EditService,
            StartDaemon, StopDaemon,
        };
        match (errno, command) {
            (libc::EPERM | libc::EACCES, _) => Self::NotPermitted,
            (libc::EEXIST, AddDestination(..)) => Self::DestinationExists,
            (libc::EEXIST, StartDaemon(_)) => Self::DaemonRuns,
            (libc::EEXIST, CreateService(_)) => Self::ServiceExists,
            (libc::ESRCH, StopDaemon(_)) => Self::DaemonDoesNotRun,
            (libc::ESRCH, _) => Self::NoSuchService,
            (libc::ENOENT, CreateService(_) | EditService(_)) => Self::NoSuchSchedulerOrEngine,
            (libc::ENOENT, AddDestination(..) | EditDestination(..) | DeleteDestination(..)) => {
                Self::NoSuchDestination
            }
            (libc::ENODEV, StartDaemon(_)) => Self::NoSuchInterface,
            (libc::ERANGE, _) => Self::OutOfRange,
            (libc::EINVAL, _) => Self::Invalid,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceExists => "the service exists",
            Self::NoSuchService => "there is no such service",
            Self::DestinationExists => "the service has this destination already",
            Self::NoSuchDestination => "the service has no such destination",
            Self::NoSuchSchedulerOrEngine => {
                "the kernel has no such scheduler or persistence engine"
            }
            Self::DaemonRuns => "the daemon runs already",
            Self::DaemonDoesNotRun => "the daemon does not run",
            Self::NoSuchInterface => "there is no such interface",
            Self::OutOfRange => "a weight or threshold is out of range",
            Self::Invalid => "the kernel finds it invalid",
            Self::NotPermitted => "it needs root (CAP_NET_ADMIN)",
            Self::Other => "the kernel refuses",
        })
    }
}

/// A [`Command`] that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its index among the commands given.
    pub index: usize,
    /// The command.
    pub command: Command,
    /// The meaning of the kernel's errno for this command.
    pub reason: Refusal,
    /// The kernel's answer.
    pub kernel: KernelError,
}

impl Refused {
    pub(super) fn new(index: usize, command: &Command, kernel: KernelError) -> Self {
        Self {
            index,
            command: command.clone(),
            reason: Refusal::of(command, kernel.errno),
            kernel,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.command, self.reason)?;
        match (&self.kernel.text, self.reason) {
            (Some(text), _) => write!(f, " ({text})"),
            (None, Refusal::Other) => write!(f, " ({})", self.kernel),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// What can go wrong with IPVS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IpvsError {
    /// The kernel has no generic netlink family `IPVS`, and its module cannot be loaded.
    #[error("this kernel has no IPVS: `modprobe ip_vs` as root shows why")]
    Unavailable,
    /// Reading, too, needs `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
    #[error("IPVS needs root (CAP_NET_ADMIN)")]
    NotPermitted,
    /// A command was refused.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// A reply lacks a required attribute.
    #[error("the kernel's IPVS reply lacks {attribute}")]
    Missing {
        /// Name in `ip_vs.h`.
        attribute: &'static str,
    },
    /// The exchange failed.
    #[error("cannot ask the kernel about IPVS")]
    Netlink(#[source] NetlinkError),
}

impl From<Refused> for IpvsError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<NetlinkError> for IpvsError {
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::Kernel(KernelError {
                errno: libc::EPERM | libc::EACCES,
                ..
            }) => Self::NotPermitted,
            other => Self::Netlink(other),
        }
    }
}

impl From<DecodeError> for IpvsError {
    fn from(error: DecodeError) -> Self {
        Self::Netlink(NetlinkError::Decode(error))
    }
}

impl IpvsError {
    /// errno(3) of the kernel's answer, if there was one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(refused) => Some(refused.kernel.errno),
            Self::Netlink(NetlinkError::Kernel(kernel)) => Some(kernel.errno),
            Self::Netlink(NetlinkError::Socket(error)) => error.raw_os_error(),
            Self::NotPermitted => Some(libc::EPERM),
            Self::Unavailable | Self::Missing { .. } | Self::Netlink(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::{DestinationKey, Service, ServiceKey, Transport};

    fn kernel(errno: i32) -> KernelError {
        KernelError { errno, text: None }
    }

    #[test]
    fn the_meaning_of_an_errno_depends_on_the_command() {
        let key = ServiceKey::Address {
            transport: Transport::Tcp,
            address: "192.168.4.15".parse().unwrap(),
            port: 80,
        };
        let web1 = DestinationKey {
            address: "192.168.4.100".parse().unwrap(),
            port: 80,
        };
        let create = Command::CreateService(Service::new(key, "wwr"));
        let delete = Command::DeleteDestination(key, web1);
        let said = |command: &Command, errno| Refused::new(0, command, kernel(errno)).to_string();
        insta::assert_snapshot!(
            [
                said(&create, libc::ENOENT),
                said(&create, libc::EEXIST),
                said(&delete, libc::ENOENT),
                said(&delete, libc::ESRCH),
                said(&delete, libc::ENOMEM),
            ]
            .join("\n"),
            @r"
        cannot create service tcp 192.168.4.15:80: the kernel has no such scheduler or persistence engine
        cannot create service tcp 192.168.4.15:80: the service exists
        cannot delete destination 192.168.4.100:80 of tcp 192.168.4.15:80: the service has no such destination
        cannot delete destination 192.168.4.100:80 of tcp 192.168.4.15:80: there is no such service
        cannot delete destination 192.168.4.100:80 of tcp 192.168.4.15:80: the kernel refuses (Cannot allocate memory (os error 12))
        "
        );
    }
}
