//! Frames that a host keeps while the client's requests go by, and who answers for an address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::model::InterfaceName;

/// A run of TCP ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
}

impl Ports {
    /// Whether `port` is one of them.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

/// See [`Request::CaptureStart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureStart {
    /// Where to listen: Ethernet interfaces, or `lo`.
    pub interfaces: Vec<InterfaceName>,
    /// Whose TCP connections are kept.
    pub client: Ipv4Addr,
    /// Which of them, by the client's port.
    pub ports: Ports,
    /// ARP packets about these addresses are kept.
    pub addresses: Vec<Ipv4Addr>,
    /// Frames that arrive later than so many seconds after the start are not kept.
    pub seconds: u32,
    /// Most frames that are kept.
    pub most_frames: u32,
}

/// See [`Request::CaptureStop`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CaptureStop {
    /// Who has an address? Asked at the end, so that what is being captured goes on undisturbed.
    pub arp: Option<ArpProbe>,
}

/// ARP requests of our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArpProbe {
    /// Where to ask; one of the capture's interfaces, or the answers are not kept.
    pub interface: InterfaceName,
    /// Who asks.
    pub sender: Ipv4Addr,
    /// Address that is asked for.
    pub target: Ipv4Addr,
    /// Requests, spread over the window.
    pub requests: u32,
    /// How long to wait for all who answer, from the first request on, milliseconds.
    pub window_milliseconds: u32,
    /// How much longer to wait while nobody has answered, milliseconds.
    pub patience_milliseconds: u32,
}

/// What was captured on one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Captured {
    /// By time.
    pub frames: Vec<CapturedFrame>,
    /// Interfaces that could not be listened to, with the reason.
    pub failures: BTreeMap<InterfaceName, String>,
    /// Frames that passed the filter and are not in [`Self::frames`] for lack of room.
    pub missed: u64,
    /// Why the ARP requests could not be sent, where they could not.
    pub arp_failure: Option<String>,
}

/// One frame on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedFrame {
    /// Nanoseconds since 1970 UTC by the host's clock.
    pub at: u64,
    /// Where.
    pub interface: InterfaceName,
    /// Whether it left the host there.
    pub outgoing: bool,
    /// Octets it had.
    pub length: u32,
    /// Its first octets from the Ethernet header on, base64 (RFC 4648).
    pub data: String,
}
