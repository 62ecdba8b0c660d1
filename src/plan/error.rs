//! Why a host cannot be planned for. `Display` is the cause alone; [`PlanError::host`] says whose it is and
//! [`PlanError::hint`] what to do.

use std::fmt;
use std::net::IpAddr;

use ipnet::Ipv4Net;

use crate::model::{HostName, InterfaceName};

/// Why a plan could not be made for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No interface is known to be in the address's network, and several could be.
    #[error("no telling which interface {address} belongs on{}", Candidates(.candidates))]
    Ambiguous {
        /// Host.
        host: HostName,
        /// Key of the topology that names the interface.
        key: &'static str,
        /// Address to be configured.
        address: Ipv4Net,
        /// What the host has.
        candidates: Vec<Candidate>,
    },
    /// No interface is in the address's network, and none is free.
    #[error("no interface is left for {address}{}", Candidates(.candidates))]
    NoneLeft {
        /// Host.
        host: HostName,
        /// Address to be configured.
        address: Ipv4Net,
        /// What the host has.
        candidates: Vec<Candidate>,
    },
    /// Several interfaces are in the address's network.
    #[error("several interfaces are in the network of {address}{}", Candidates(.candidates))]
    Several {
        /// Host.
        host: HostName,
        /// Key of the topology that names the interface.
        key: &'static str,
        /// Address to be configured.
        address: Ipv4Net,
        /// Those that are.
        candidates: Vec<Candidate>,
    },
    /// The topology names an interface that the host does not have.
    #[error("there is no interface {interface} for {address}{}", Candidates(.candidates))]
    Missing {
        /// Host.
        host: HostName,
        /// Key of the topology that names the interface.
        key: &'static str,
        /// The name.
        interface: InterfaceName,
        /// Address to be configured on it.
        address: Ipv4Net,
        /// What the host has.
        candidates: Vec<Candidate>,
    },
    /// The interface carries the SSH connection and does not have the lab address already.
    #[error("{interface} carries the SSH connection and does not have {address} itself{}", Candidates(.candidates))]
    Management {
        /// Host.
        host: HostName,
        /// Interface.
        interface: InterfaceName,
        /// Address to be configured.
        address: Ipv4Net,
        /// What the host has.
        candidates: Vec<Candidate>,
    },
    /// Two lab networks ended up on one interface.
    #[error("{interface} is taken for {address} and for {other}")]
    Taken {
        /// Host.
        host: HostName,
        /// Interface.
        interface: InterfaceName,
        /// One address.
        address: Ipv4Net,
        /// The other.
        other: Ipv4Net,
    },
    /// An alias of this interface would have a label longer than the kernel takes.
    #[error("the alias {interface}:0 is longer than the 15 characters the kernel allows")]
    AliasTooLong {
        /// Host.
        host: HostName,
        /// Interface.
        interface: InterfaceName,
    },
    /// The VIP of a DR real server belongs on the loopback interface.
    #[error("there is no loopback interface for the VIP")]
    NoLoopback {
        /// Host.
        host: HostName,
    },
    /// A NAT real server has another way to the client than through the director.
    #[error(
        "{interface} has {address}, in the client's network: answers to the client {client} would bypass the \
         director and connections would hang"
    )]
    Bypass {
        /// Host.
        host: HostName,
        /// The interface in the way.
        interface: InterfaceName,
        /// Its address.
        address: Ipv4Net,
        /// CIP.
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
        /// Host.
        host: HostName,
        /// DIP.
        gateway: std::net::Ipv4Addr,
        /// Controller as the host sees it.
        controller: IpAddr,
        /// Present gateway and interface.
        present: (Option<std::net::Ipv4Addr>, InterfaceName),
    },
    /// A template could not be rendered: a mistake in lvslab itself.
    #[error("template {template} cannot be rendered: {cause}")]
    Template {
        /// Host.
        host: HostName,
        /// Template.
        template: String,
        /// What minijinja says.
        cause: String,
    },
}

impl PlanError {
    /// Whose plan it is.
    #[must_use]
    pub fn host(&self) -> &HostName {
        match self {
            Self::Ambiguous { host, .. }
            | Self::NoneLeft { host, .. }
            | Self::NoLoopback { host }
            | Self::Several { host, .. }
            | Self::Missing { host, .. }
            | Self::Management { host, .. }
            | Self::Taken { host, .. }
            | Self::AliasTooLong { host, .. }
            | Self::Bypass { host, .. }
            | Self::ManagementPath { host, .. }
            | Self::Template { host, .. } => host,
        }
    }

    /// What the person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Ambiguous { host, key, .. } | Self::Several { host, key, .. } => {
                format!("name the interface in the topology, `{key}:` of {host}")
            }
            Self::NoneLeft { host, .. } => format!(
                "attach {host} to the lab's network with another network card, or take the address off one that \
                 it can spare"
            ),
            Self::Missing { host, key, .. } => {
                format!("correct `{key}:` of {host} in the topology")
            }
            Self::NoLoopback { .. } => {
                "a network namespace without lo can be no real server".to_owned()
            }
            Self::Management {
                host,
                interface,
                address,
                ..
            } => format!(
                "name another interface of {host} in the topology, or give {interface} the address {address} \
                 by the machine's own means first"
            ),
            Self::Taken { host, .. } => format!(
                "{host} needs an interface of its own for each network; name them in the topology"
            ),
            Self::AliasTooLong { host, interface } => {
                format!("rename {interface} on {host} (`ip link set {interface} name lab0`)")
            }
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
            Self::Template { .. } => return None,
        })
    }
}

/// An interface as shown to the person who has to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Name.
    pub name: InterfaceName,
    /// MAC, empty where there is none.
    pub mac: String,
    /// In words: `no address, down`, `10.20.0.12/24, up, carries the SSH connection`.
    pub state: String,
}

/// A line per interface, below the message.
struct Candidates<'a>(&'a [Candidate]);

impl fmt::Display for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; the host has no interface but lo");
        }
        let width = self
            .0
            .iter()
            .map(|c| c.name.as_str().len())
            .max()
            .unwrap_or(0);
        for candidate in self.0 {
            write!(
                f,
                "\n{:width$}  {:17}  {}",
                candidate.name, candidate.mac, candidate.state
            )?;
        }
        Ok(())
    }
}

struct Present<'a>(&'a (Option<std::net::Ipv4Addr>, InterfaceName));

impl fmt::Display for Present<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (via, interface) = self.0;
        match via {
            Some(via) => write!(f, " (via {via} dev {interface})"),
            None => write!(f, " (dev {interface})"),
        }
    }
}
