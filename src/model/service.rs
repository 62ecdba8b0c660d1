//! The virtual service and its real servers, in the field's words.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::HostName;

/// Transport of the virtual service. A web lab speaks TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
}

/// A scheduler of Linux IPVS; each is the kernel module `ip_vs_<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    Rr,
    Wrr,
    Lc,
    Wlc,
    Lblc,
    Lblcr,
    Dh,
    Sh,
    Sed,
    Nq,
    Fo,
    Ovf,
    Mh,
    Twos,
}

impl Scheduler {
    /// Every scheduler, in the order people know them.
    pub const ALL: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Lblcr,
        Self::Dh,
        Self::Sh,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Mh,
        Self::Twos,
    ];

    /// The kernel's name, as `ipvsadm -s` takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Mh => "mh",
            Self::Twos => "twos",
        }
    }
}

impl std::fmt::Display for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The virtual service clients use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualService {
    /// VIP with the prefix of its network.
    pub vip: Ipv4Net,
    /// Port clients connect to and real servers listen on.
    pub port: NonZeroU16,
    /// Transport.
    pub protocol: Protocol,
    /// Scheduler.
    pub scheduler: Scheduler,
    /// How long one client stays with one real server (`ipvsadm -p`), whole seconds.
    pub persistence: Option<Duration>,
}

/// One real server's part in the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// The host it runs on.
    pub host: HostName,
    /// RIP with the prefix of its network.
    pub rip: Ipv4Net,
    /// Weight, 0 (no new connections) to 65535.
    pub weight: u16,
    /// What its page says; the RIP unless the topology gives another text. One line, no line end.
    pub page: String,
}

impl RealServer {
    /// The RIP without its prefix.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.rip.addr()
    }
}
