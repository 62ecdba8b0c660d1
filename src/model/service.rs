//! The virtual service and its real servers, in the field's words.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Destination, ForwardingMethod, HostName};

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

/// A virtual service that clients use, with its real servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualService {
    /// VIP with the prefix length of its network.
    pub vip: Ipv4Net,
    /// Port that clients connect to.
    pub port: NonZeroU16,
    /// Transport.
    pub protocol: Protocol,
    /// Scheduler.
    pub scheduler: Scheduler,
    /// How long one client stays with one real server (`ipvsadm -p`), whole seconds.
    pub persistence: Option<Duration>,
    /// Real servers in file order, at least one.
    pub real_servers: Vec<RealServer>,
}

impl VirtualService {
    /// What the scheduler has to be told to pass over real servers of weight 0 (`ipvsadm -b`), where it has to.
    ///
    /// `sh` deals its places out to every real server, `mh` to every one that ever had a weight, and a client whose
    /// place is one of weight 0 is refused (`ip_vs_sh.c`, `ip_vs_mh.c`); with the flag it gets another one.
    #[must_use]
    pub fn fallback(&self) -> Option<&'static str> {
        let idle = self.real_servers.iter().any(|server| server.weight == 0);
        match self.scheduler {
            Scheduler::Sh if idle => Some("sh-fallback"),
            Scheduler::Mh if idle => Some("mh-fallback"),
            _ => None,
        }
    }

    /// The address and port that a request has when it reaches this real server.
    #[must_use]
    pub fn destination_at(&self, server: &RealServer) -> SocketAddrV4 {
        match server.method.profile().destination {
            Destination::RealServer => SocketAddrV4::new(server.address(), server.port.get()),
            Destination::Vip => SocketAddrV4::new(self.vip.addr(), self.port.get()),
        }
    }

    /// The real server on this host.
    #[must_use]
    pub fn real_server(&self, host: &str) -> Option<&RealServer> {
        self.real_servers
            .iter()
            .find(|server| server.host.as_str() == host)
    }
}

impl std::fmt::Display for VirtualService {
    /// `192.168.4.15:80/tcp`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Protocol::Tcp = self.protocol;
        write!(f, "{}:{}/tcp", self.vip.addr(), self.port)
    }
}

/// One real server's part in a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// The host it runs on.
    pub host: HostName,
    /// RIP with the prefix length of its network.
    pub rip: Ipv4Net,
    /// Port that it listens on. Only a method that rewrites the destination can use another than the service's.
    pub port: NonZeroU16,
    /// Weight, 0 (no new connections) to 65535.
    pub weight: u16,
    /// How the director hands requests on to it.
    pub method: ForwardingMethod,
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
