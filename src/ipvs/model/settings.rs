//! Settings and facts of IPVS in a network namespace as a whole.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU16};

use serde::{Deserialize, Serialize};

/// Timeouts of connections, seconds. In a command that sets them, 0 keeps the current value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timeouts {
    /// Established TCP sessions.
    pub tcp_seconds: u32,
    /// TCP sessions after a FIN.
    pub tcp_fin_seconds: u32,
    /// UDP packets.
    pub udp_seconds: u32,
}

/// The side of connection synchronisation that a daemon is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonRole {
    /// Sends (`IP_VS_STATE_MASTER`).
    Master,
    /// Receives (`IP_VS_STATE_BACKUP`).
    Backup,
}

impl std::fmt::Display for DaemonRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Master => "master",
            Self::Backup => "backup",
        })
    }
}

/// A connection synchronisation daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Side.
    pub role: DaemonRole,
    /// Multicast interface, at most 15 bytes.
    pub interface: String,
    /// Daemons with the same number synchronise, 0 to 255; 0 stands for any.
    pub sync_id: u32,
    /// Largest payload of a datagram, bytes; `None` lets the kernel choose by the interface's MTU.
    pub max_length_bytes: Option<NonZeroU16>,
    /// Multicast group; `None` is 224.0.0.81.
    pub group: Option<IpAddr>,
    /// UDP port, host order; `None` is 8848.
    pub port: Option<NonZeroU16>,
    /// Multicast hops; `None` is 1.
    pub ttl: Option<NonZeroU8>,
}

/// Facts about the kernel's IPVS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Version, `[1, 2, 1]`.
    pub version: [u8; 3],
    /// Buckets of the connection table.
    pub connection_table_size: u32,
}
