//! Why the interface for an address could not be chosen, with what the host has to choose from.

use std::fmt;

use ipnet::Ipv4Net;

use crate::model::{HostName, InterfaceName};

/// Why no interface was chosen. `Display` is the cause alone; [`InterfaceError::hint`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceError {
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
}

impl InterfaceError {
    /// The host that has no interface for the address.
    #[must_use]
    pub fn host(&self) -> &HostName {
        match self {
            Self::Ambiguous { host, .. }
            | Self::NoneLeft { host, .. }
            | Self::Several { host, .. }
            | Self::Missing { host, .. }
            | Self::Management { host, .. }
            | Self::Taken { host, .. } => host,
        }
    }

    /// What the person can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
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
        }
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
