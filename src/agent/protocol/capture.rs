//! Messages about captures: frames of marked requests, and ARP answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

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
    pub client: IpAddr,
    /// Which of them, by the client's port.
    pub ports: Ports,
    /// Addresses about which ARP packets are kept.
    pub addresses: Vec<IpAddr>,
    /// Length of the capture, seconds; later frames are not kept.
    pub seconds: u32,
    /// Most frames that are kept.
    pub most_frames: u32,
}

/// See [`Request::CaptureStop`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CaptureStop {
    /// ARP requests to send at the end, so that they do not disturb the requests that are captured.
    pub arp: Option<ArpProbe>,
}

/// ARP requests of our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArpProbe {
    /// Interface to ask on; it must be one of the capture's, which keeps the answers.
    pub interface: InterfaceName,
    /// Who asks.
    pub sender: IpAddr,
    /// Address that is asked for.
    pub target: IpAddr,
    /// Number of requests, spread over the window.
    pub requests: u32,
    /// How long to wait for answers after the first request, milliseconds.
    pub window_milliseconds: u32,
    /// How much longer to wait if there is no answer, milliseconds.
    pub patience_milliseconds: u32,
}

/// What was captured on one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Captured {
    /// By time.
    pub frames: Vec<CapturedFrame>,
    /// Interfaces that could not be listened to, with the reason.
    pub failures: BTreeMap<InterfaceName, String>,
    /// Number of frames that were dropped for lack of room.
    pub missed: u64,
    /// Why the ARP requests could not be sent.
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
