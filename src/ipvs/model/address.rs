//! Identities of services and destinations, and how to make both.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{
    Destination, Family, Forwarding, Granularity, Service, ServiceKey, Transport, TunnelKind,
};

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }
}

impl ServiceKey {
    /// A TCP service.
    #[must_use]
    pub const fn tcp(address: IpAddr, port: u16) -> Self {
        Self::Address {
            transport: Transport::Tcp,
            address,
            port,
        }
    }

    /// Family of the service's packets.
    #[must_use]
    pub const fn family(&self) -> Family {
        match *self {
            Self::Address { address, .. } => Family::of(address),
            Self::Fwmark { family, .. } => family,
        }
    }
}

/// The identity of a destination within its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DestinationKey {
    /// RIP.
    pub address: IpAddr,
    /// Port, host order.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    /// `192.168.4.100:80`, `[2001:db8::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl Destination {
    /// A destination without thresholds; a tunnelled one gets IP in IP.
    #[must_use]
    pub const fn new(address: IpAddr, port: u16, forwarding: Forwarding, weight: u32) -> Self {
        Self {
            address,
            port,
            forwarding,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: TunnelKind::Ipip,
            tunnel_flags: 0,
        }
    }

    /// Identity.
    #[must_use]
    pub const fn key(&self) -> DestinationKey {
        DestinationKey {
            address: self.address,
            port: self.port,
        }
    }
}

impl Service {
    /// One-packet scheduling (`IP_VS_SVC_F_ONEPACKET`).
    pub const ONE_PACKET: u32 = 0x4;
    /// First flag of the scheduler (`IP_VS_SVC_F_SCHED1`): `sh-fallback`, `mh-fallback`.
    pub const SCHEDULER_FLAG_1: u32 = 0x8;
    /// Second flag of the scheduler (`IP_VS_SVC_F_SCHED2`): `sh-port`, `mh-port`.
    pub const SCHEDULER_FLAG_2: u32 = 0x10;
    /// Third flag of the scheduler (`IP_VS_SVC_F_SCHED3`).
    pub const SCHEDULER_FLAG_3: u32 = 0x20;

    /// A service with a scheduler and no other settings.
    #[must_use]
    pub fn new(key: ServiceKey, scheduler: &str) -> Self {
        Self {
            key,
            scheduler: scheduler.to_owned(),
            flags: 0,
            persistence: None,
            granularity: None,
            engine: None,
        }
    }
}

impl Granularity {
    /// The granularity of an IPv4 mask; `None` for the whole address.
    #[must_use]
    pub fn from_mask(mask: Ipv4Addr) -> Option<Self> {
        (mask != Ipv4Addr::BROADCAST).then_some(Self::Mask(mask))
    }
}
