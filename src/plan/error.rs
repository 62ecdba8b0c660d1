//! Why a host cannot be planned for. `Display` is the cause alone; [`PlanError::host`] says whose it is and
//! [`PlanError::hint`] what to do.

use std::fmt;
use std::net::IpAddr;

use ipnet::Ipv4Net;

use crate::keeper::WriteError;
use crate::model::{HostName, InterfaceName};
use crate::requirement::InterfaceError;

/// Why a plan could not be made for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is no telling which interface an address belongs on.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// A keeper cannot keep a requirement on the host.
    #[error("{cause}")]
    Write { host: HostName, cause: WriteError },
    /// A NAT real server has another way to the client than through the director.
    #[error(
        "{interface} has {address}, in the client's network: answers to the client {client} would bypass the \
         director and connections would hang"
    )]
    Bypass {
        host: HostName,
        /// The interface in the way.
        interface: InterfaceName,
        address: ipnet::IpNet,
        /// The CIP.
        client: Ipv4Net,
        /// Whether the SSH connection comes over this interface.
        carries_ssh: bool,
    },
    /// Replacing the default route would cut the SSH connection.
    #[error(
        "the default gateway must become {gateway}, but the SSH connection from {controller} comes through \
         the present default route{}", Present(.present)
    )]
    ManagementPath {
        host: HostName,
        /// The DIP.
        gateway: std::net::Ipv4Addr,
        /// Controller as the host sees it.
        controller: IpAddr,
        /// Present gateway and interface.
        present: (Option<IpAddr>, InterfaceName),
    },
}

impl PlanError {
    /// Whose plan it is.
    #[must_use]
    pub fn host(&self) -> &HostName {
        match self {
            Self::Interface(error) => error.host(),
            Self::Write { host, .. }
            | Self::Bypass { host, .. }
            | Self::ManagementPath { host, .. } => host,
        }
    }

    /// What the person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Interface(error) => error.hint(),
            Self::Write { host, cause } => return cause.hint(host),
            Self::Bypass {
                host,
                interface,
                carries_ssh: true,
                ..
            } => format!(
                "{interface} carries the SSH connection, so it stays: give {host} a management address outside the \
                 client's network"
            ),
            Self::Bypass {
                interface, address, ..
            } => format!(
                "take the address off while the lab is up: `ip address del {address} dev {interface}` \
                 (with NetworkManager: `nmcli connection down {interface}`), then run `lvslab up` again"
            ),
            Self::ManagementPath {
                controller,
                present: (Some(gateway), interface),
                ..
            } => format!(
                "give the controller a route of its own first: `ip route add {controller}/32 via {gateway} dev \
                 {interface}`, then run `lvslab up` again"
            ),
            Self::ManagementPath {
                controller,
                present: (None, interface),
                ..
            } => format!(
                "give the controller a route of its own first: `ip route add {controller}/32 dev {interface}`, \
                 then run `lvslab up` again"
            ),
        })
    }
}

struct Present<'a>(&'a (Option<IpAddr>, InterfaceName));

impl fmt::Display for Present<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (via, interface) = self.0;
        match via {
            Some(via) => write!(f, " (via {via} dev {interface})"),
            None => write!(f, " (dev {interface})"),
        }
    }
}
