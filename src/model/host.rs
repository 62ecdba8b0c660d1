//! One machine of a lab: its roles, its addresses, and where it is.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Attachment, HostName, InterfaceName, NetworkId};

/// A part that a host has in the lab. One host may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sends the requests; has the CIP.
    Client,
    /// Balances; has the VIP and DIP.
    Director,
    /// Serves; has a RIP.
    RealServer,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Director => "director",
            Self::RealServer => "real server",
        })
    }
}

/// Where a host is, when it is not in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshTarget {
    /// User, else what the SSH configuration says.
    pub user: Option<String>,
    /// Host name, address or alias in the SSH configuration; never starts with `-`.
    pub host: String,
    /// Port, else what the SSH configuration says.
    pub port: Option<u16>,
    /// Private key to offer.
    pub identity: Option<PathBuf>,
    /// Known-hosts file with this host's key, in place of the user's own.
    pub known_hosts: Option<PathBuf>,
    /// Where this was said, `inventory.yaml:9`, for messages.
    pub origin: String,
}

/// `root@10.20.0.10:22`
impl std::fmt::Display for SshTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// One machine of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Unique in the lab.
    pub name: HostName,
    /// What it does in the lab, at least one thing.
    pub roles: BTreeSet<Role>,
    /// Its addresses, in the order of the networks.
    pub attachments: Vec<Attachment>,
    /// Where it is; `None` means in the sandbox.
    pub ssh: Option<SshTarget>,
}

impl Host {
    /// Whether the host has this role, perhaps beside others.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Its roles in words: `director`, `director and real server`.
    #[must_use]
    pub fn roles_in_words(&self) -> String {
        let words: Vec<String> = self.roles.iter().map(Role::to_string).collect();
        words.join(" and ")
    }

    /// The attachment to `network`, if the host is on it.
    #[must_use]
    pub fn on_network(&self, network: NetworkId) -> Option<&Attachment> {
        self.attachments.iter().find(|a| a.network == network)
    }

    /// The interface of each attachment, in order, where we wire them ourselves: as the topology names it, else
    /// `eth0` on the first network, `eth1` on the second and so on, or the next that is free.
    #[must_use]
    pub fn wired(&self) -> Vec<InterfaceName> {
        let named = |name: &InterfaceName| {
            let mut attachments = self.attachments.iter();
            attachments.any(|attachment| attachment.interface.as_ref() == Some(name))
        };
        let mut wired: Vec<InterfaceName> = Vec::new();
        for attachment in &self.attachments {
            let first_free = || {
                (attachment.network.place()..)
                    .filter_map(|number| format!("eth{number}").parse().ok())
                    .find(|name| !named(name) && !wired.contains(name))
            };
            wired.extend(attachment.interface.clone().or_else(first_free));
        }
        wired
    }
}
