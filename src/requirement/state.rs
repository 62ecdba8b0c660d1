//! The state of a host as far as requirements ask for it: observed now, or predicted for the next boot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::Program;
use crate::model::InterfaceName;
use crate::resource::{IpvsService, SelinuxMode};

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Absolute path.
    pub path: String,
    /// Counted from 1; `None` for the whole file.
    pub line: Option<usize>,
}

impl Origin {
    /// The whole file.
    #[must_use]
    pub fn file(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
        }
    }

    /// One line of a file, counted from 1.
    #[must_use]
    pub fn line(path: impl Into<String>, line: usize) -> Self {
        Self {
            path: path.into(),
            line: Some(line),
        }
    }
}

impl fmt::Display for Origin {
    /// `/etc/sysctl.conf:12`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// A part of the state, with the place that it comes from where it was predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Option<Origin>,
}

impl<T> Sourced<T> {
    /// Seen on the host itself.
    pub fn seen(value: T) -> Self {
        Self {
            value,
            origin: None,
        }
    }

    /// Made by a boot from what `origin` says.
    pub fn from(value: T, origin: Origin) -> Self {
        Self {
            value,
            origin: Some(origin),
        }
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    pub name: InterfaceName,
    /// Administratively up.
    pub up: bool,
}

/// An address with its interface. The label is left out, because packets do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    pub interface: InterfaceName,
    pub address: Ipv4Net,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where packets to any address of this network go.
    pub to: Ipv4Net,
    pub hop: Hop,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// It goes straight to its destination.
    Link(InterfaceName),
    /// It goes to a gateway.
    Gateway {
        via: Ipv4Addr,
        interface: InterfaceName,
    },
    /// It stays on the host, which has the address.
    Local,
    /// It is dropped or refused.
    Nowhere,
}

/// Kernel settings by their dotted names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingStates {
    pub values: BTreeMap<String, Sourced<String>>,
    /// What a name that is not among the values means.
    pub others: Unset,
}

/// What is known of a setting without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unset {
    /// Nothing: it was not looked at.
    #[default]
    NotSeen,
    /// No file sets it, so a boot leaves it at the kernel's 0.
    Zero,
}

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// `None` for any address.
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// The web server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebState {
    /// Whether it runs.
    pub running: bool,
    /// Where it listens while it runs; `None` where that was not looked at.
    pub listening: Option<Vec<Sourced<Listening>>>,
    /// What its page says, without the line end; `None` where it was not looked at.
    pub page: Option<Sourced<String>>,
}

/// What a part of the state is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Interfaces, addresses and routes.
    Network,
    Settings,
    Ipvs,
    Web,
    Protection,
}

/// Something that a boot reads and that cannot be read as an effect: only the boot itself tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What it may change.
    pub topic: Topic,
    pub place: Origin,
    /// Why it cannot be read, a lower-case fragment.
    pub cause: String,
}

/// One host's state. A part that is `None` was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostState {
    pub programs: Option<BTreeSet<Program>>,
    pub links: Option<Vec<LinkState>>,
    pub addresses: Option<Vec<Sourced<HostAddress>>>,
    /// Routes beyond those that addresses bring along. Of several for one network the last one counts.
    pub routes: Vec<Sourced<Route>>,
    pub settings: SettingStates,
    /// The kernel's IPVS table.
    pub ipvs: Option<Vec<Sourced<IpvsService>>>,
    pub web: Option<WebState>,
    /// firewalld's default zone, or that firewalld does not run.
    pub firewall: Option<Sourced<Option<String>>>,
    /// SELinux's mode, or that there is no SELinux.
    pub selinux: Option<Sourced<Option<SelinuxMode>>>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

impl HostState {
    /// What becomes of a packet to `to`: the most specific route decides, and where there are several the host's own
    /// routes come before those that its addresses bring along.
    #[must_use]
    pub fn hop(&self, to: Ipv4Addr) -> Option<Sourced<Hop>> {
        let brought = self.addresses.iter().flatten().map(brought_along);
        let own = self.routes.iter().map(|route| Sourced {
            value: (route.value.to, route.value.hop.clone()),
            origin: route.origin.clone(),
        });
        brought
            .flatten()
            .chain(own)
            .filter(|route| route.value.0.contains(&to))
            .max_by_key(|route| route.value.0.prefix_len())
            .map(|route| Sourced {
                value: route.value.1,
                origin: route.origin,
            })
    }

    /// The number a setting has, with its place.
    ///
    /// # Errors
    /// Why it is not known.
    pub(super) fn number(&self, key: &str) -> Result<Sourced<i64>, String> {
        match (self.settings.values.get(key), self.settings.others) {
            (Some(found), _) => match found.value.trim().parse() {
                Ok(number) => Ok(Sourced {
                    value: number,
                    origin: found.origin.clone(),
                }),
                Err(_) => Err(format!("{key} is `{}`, which is no number", found.value)),
            },
            (None, Unset::Zero) => Ok(Sourced::seen(0)),
            (None, Unset::NotSeen) => Err(format!("{key} was not looked at")),
        }
    }
}

/// The routes that come with an address: itself, and its network. On `lo` all of the network stays on the host
/// (`fib_add_ifaddr`, net/ipv4/fib_frontend.c).
fn brought_along(address: &Sourced<HostAddress>) -> [Sourced<(Ipv4Net, Hop)>; 2] {
    let HostAddress {
        interface,
        address: net,
    } = &address.value;
    let of_network = if interface.as_str() == "lo" || net.prefix_len() == 32 {
        Hop::Local
    } else {
        Hop::Link(interface.clone())
    };
    [
        (net.trunc(), of_network),
        (Ipv4Net::from(net.addr()), Hop::Local),
    ]
    .map(|value| Sourced {
        value,
        origin: address.origin.clone(),
    })
}
