//! Layer-2 segments and who is attached to them.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{InterfaceName, NetworkName};

/// A network of a lab, by its place in [`super::Lab::networks`]. A number in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(usize);

impl NetworkId {
    /// The network at this place.
    #[must_use]
    pub const fn new(place: usize) -> Self {
        Self(place)
    }

    /// Its place, counted from 0: the sandbox numbers its wires like this, and `eth0` is the first one's interface.
    #[must_use]
    pub fn place(self) -> usize {
        self.0
    }
}

impl std::fmt::Display for NetworkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One layer-2 segment with the addresses that are used on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Unique in the lab: `clients`, `servers`.
    pub name: NetworkName,
    /// The addresses, without host bits.
    pub prefix: Ipv4Net,
}

/// One host's own address (CIP, DIP, RIP, or the VIP of a NAT director) on one network.
///
/// The VIP *alias* of a DR lab is no attachment: it is on an interface that an attachment already names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where.
    pub network: NetworkId,
    /// Address with the network's prefix length.
    pub address: Ipv4Net,
    /// Interface named by the topology; otherwise it is found by the network it is in.
    pub interface: Option<InterfaceName>,
}
