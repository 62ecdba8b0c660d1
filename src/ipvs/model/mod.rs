//! IPVS objects in typed form: `ip_vs_service_user` and `ip_vs_dest_user` of `ip_vs.h`.

mod address;
mod settings;

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU8, NonZeroU32};

use serde::{Deserialize, Serialize};

pub use address::DestinationKey;
pub use settings::{Daemon, DaemonRole, Info, Timeouts};

/// Transport protocol of a virtual service (`IPPROTO_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 132
    Sctp,
}

/// Address family of a service (`AF_INET`, `AF_INET6`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

/// The identity of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKey {
    /// Found by protocol, VIP and port. Port 0 stands for every port, which only a persistent service has.
    Address {
        /// Transport.
        transport: Transport,
        /// VIP.
        address: IpAddr,
        /// Port in host order.
        port: u16,
    },
    /// Found by the mark that netfilter gave the packets.
    Fwmark {
        /// The mark.
        mark: NonZeroU32,
        /// Family of the packets.
        family: Family,
    },
}

/// How much of a client's address persistence compares (`ip_vs_service_user.netmask`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// IPv4: the bits of the address that count. The kernel takes any mask, even 0.0.0.0 or one with holes.
    /// 255.255.255.255 is the same as no granularity, so it is never here.
    Mask(Ipv4Addr),
    /// IPv6: prefix length, 1 to 127.
    Prefix(NonZeroU8),
}

/// A virtual service as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Identity.
    pub key: ServiceKey,
    /// Scheduler name. The kernel loads `ip_vs_<name>` on demand, so there may be ones that we do not know.
    pub scheduler: String,
    /// Scheduler-specific flag bits (`IP_VS_SVC_F_SCHED1..3`: bits 3 to 5) and one-packet (bit 2). The bits
    /// for persistence and hashing are derived, so they are never here.
    pub flags: u32,
    /// Persistence timeout in seconds.
    pub persistence: Option<NonZeroU32>,
    /// `None` compares the whole address of a client.
    pub granularity: Option<Granularity>,
    /// Persistence engine (`sip`).
    pub engine: Option<String>,
}

/// How packets reach a destination (`IP_VS_CONN_F_FWD_MASK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// 0, `-m`: NAT.
    Masquerade,
    /// 1: the director itself; the kernel sets it for its own addresses.
    Local,
    /// 2, `-i`: tunnel.
    Tunnel,
    /// 3, `-g`: direct routing.
    Route,
    /// 4: cache bypass.
    Bypass,
}

impl Forwarding {
    /// The option of ipvsadm(8). Local node and cache bypass have none of their own: the kernel makes them of a
    /// gatewaying destination.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Masquerade => "-m",
            Self::Tunnel => "-i",
            Self::Route | Self::Local | Self::Bypass => "-g",
        }
    }
}

/// Encapsulation of a tunnelled destination (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelKind {
    /// IP in IP.
    #[default]
    Ipip,
    /// Generic UDP encapsulation; needs a port.
    Gue {
        /// Outer UDP destination port, host order, not 0.
        port: u16,
    },
    /// GRE.
    Gre,
}

/// A real server behind a virtual service, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// RIP.
    pub address: IpAddr,
    /// Port, host order; only NAT can change it, so otherwise it is the service's.
    pub port: u16,
    /// Forwarding method.
    pub forwarding: Forwarding,
    /// Weight; 0 gets no new connections. The kernel refuses more than 2^31 - 1.
    pub weight: u32,
    /// With this many connections it gets no new ones; 0 is no limit.
    pub upper_threshold: u32,
    /// Below this many it gets new ones again; 0 stands for 3/4 of the upper threshold.
    pub lower_threshold: u32,
    /// Encapsulation where the method is [`Forwarding::Tunnel`].
    pub tunnel: TunnelKind,
    /// `IP_VS_TUNNEL_ENCAP_FLAG_*` bits of GUE and GRE.
    pub tunnel_flags: u16,
}

/// Counters of a service or destination since it was created or zeroed (`ip_vs_kstats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    pub connections: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Estimated rates per second.
    pub connections_per_second: u64,
    pub packets_in_per_second: u64,
    pub packets_out_per_second: u64,
    pub bytes_in_per_second: u64,
    pub bytes_out_per_second: u64,
}

/// A destination with its live state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// Configuration.
    pub destination: Destination,
    /// Connections in state ESTABLISHED.
    pub active: u32,
    /// Other connections.
    pub inactive: u32,
    /// Persistence templates.
    pub persistent: u32,
    /// Traffic.
    pub counters: Counters,
}

/// A service with its destinations and live state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Configuration.
    pub service: Service,
    /// Traffic.
    pub counters: Counters,
    /// Destinations in the kernel's order.
    pub destinations: Vec<DestinationStatus>,
}

/// The whole table of one network namespace, in the kernel's order.
pub type Table = Vec<ServiceStatus>;

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl std::fmt::Display for ServiceKey {
    /// `tcp 192.168.4.15:80`, `udp [2001:db8::1]:53`, `fwmark 8`, `fwmark 8 inet6`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Address {
                transport,
                address,
                port,
            } => {
                write!(
                    f,
                    "{transport} {}",
                    std::net::SocketAddr::new(address, port)
                )
            }
            Self::Fwmark {
                mark,
                family: Family::Inet,
            } => write!(f, "fwmark {mark}"),
            Self::Fwmark {
                mark,
                family: Family::Inet6,
            } => write!(f, "fwmark {mark} inet6"),
        }
    }
}
