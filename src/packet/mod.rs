//! Frames as they are on the wire: Ethernet II, ARP, IPv4 and TCP headers; which of them a capture keeps; and the
//! file format other programs read them from.
//!
//! Decoding trusts no byte: whatever is cut off or malformed is [`Content::Other`] or no frame at all, and nothing
//! panics.

mod build;
pub mod filter;
mod mac;
pub mod pcapng;

use std::net::{Ipv4Addr, SocketAddrV4};

pub use build::arp_request;
#[cfg(test)]
pub(crate) use build::{arp_reply, segment};
pub use mac::{Mac, MacError};

/// `ETH_P_ARP`, `linux/if_ether.h`.
const ETHERTYPE_ARP: u16 = 0x0806;
/// `ETH_P_IP`.
const ETHERTYPE_IPV4: u16 = 0x0800;
/// `IPPROTO_TCP`.
const PROTOCOL_TCP: u8 = 6;

/// Octets of an Ethernet II header: two addresses and the type.
const ETHERNET_BYTES: usize = 14;
/// Octets of an ARP packet for IPv4 over Ethernet (RFC 826).
const ARP_BYTES: usize = 28;

/// One Ethernet II frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Who sent it on this segment.
    pub source: Mac,
    /// Who is to take it on this segment.
    pub destination: Mac,
    /// What it carries.
    pub content: Content,
}

/// What a frame carries, as far as a lab is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// ARP for IPv4 over Ethernet.
    Arp(Arp),
    /// TCP over IPv4: not a fragment other than the first, headers whole.
    Tcp(Segment),
    /// Anything else, or one of these cut off or malformed.
    Other {
        /// `EtherType`, big-endian on the wire (IEEE 802.3).
        ethertype: u16,
    },
}

/// An ARP packet (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// `ar$op`.
    pub operation: Operation,
    /// `ar$sha`.
    pub sender_mac: Mac,
    /// `ar$spa`: the address the sender says it has.
    pub sender: Ipv4Addr,
    /// `ar$tpa`: the address that is asked for, or whom the reply is for.
    pub target: Ipv4Addr,
}

/// `ar$op`, u16, big-endian; `linux/if_arp.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `ARPOP_REQUEST`, 1.
    Request,
    /// `ARPOP_REPLY`, 2.
    Reply,
    /// Another one.
    Other(u16),
}

/// A TCP segment with what IPv4 says of it (RFC 9293, RFC 791).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Source address and port.
    pub source: SocketAddrV4,
    /// Destination address and port.
    pub destination: SocketAddrV4,
    /// Time to live.
    pub ttl: u8,
    /// Control bits.
    pub flags: Flags,
    /// Sequence number.
    pub sequence: u32,
    /// Octets of data, by the length in the IPv4 header.
    pub data_bytes: usize,
}

/// Control bits of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// `FIN`.
    pub const FIN: u8 = 0x01;
    /// `SYN`.
    pub const SYN: u8 = 0x02;
    /// `RST`.
    pub const RST: u8 = 0x04;
    /// `PSH`.
    pub const PSH: u8 = 0x08;
    /// `ACK`.
    pub const ACK: u8 = 0x10;

    /// Whether every bit of `bits` is set.
    #[must_use]
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// The first segment of a connection.
    #[must_use]
    pub fn opens(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }

    /// The answer to it: accepted, or refused.
    #[must_use]
    pub fn answers(self) -> bool {
        self.has(Self::SYN | Self::ACK) || self.has(Self::RST)
    }
}

/// `SYN,ACK`.
impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            (Self::SYN, "SYN"),
            (Self::FIN, "FIN"),
            (Self::RST, "RST"),
            (Self::PSH, "PSH"),
            (Self::ACK, "ACK"),
        ];
        let set: Vec<&str> = names
            .iter()
            .filter(|(bit, _)| self.has(*bit))
            .map(|(_, name)| *name)
            .collect();
        f.pad(&set.join(","))
    }
}

impl Frame {
    /// Reads a frame that starts with its Ethernet header; `None` when there is less than one.
    ///
    /// The end may be cut off: headers that are whole are read.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let destination = mac(bytes, 0)?;
        let source = mac(bytes, 6)?;
        let ethertype = big16(bytes, 12)?;
        let packet = bytes.get(ETHERNET_BYTES..).unwrap_or_default();
        let content = match ethertype {
            ETHERTYPE_ARP => arp(packet).map(Content::Arp),
            ETHERTYPE_IPV4 => tcp(packet).map(Content::Tcp),
            _ => None,
        };
        Some(Self {
            source,
            destination,
            content: content.unwrap_or(Content::Other { ethertype }),
        })
    }
}

fn arp(packet: &[u8]) -> Option<Arp> {
    // Hardware Ethernet (1), protocol IPv4, lengths 6 and 4.
    if packet.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    Some(Arp {
        operation: match big16(packet, 6)? {
            1 => Operation::Request,
            2 => Operation::Reply,
            other => Operation::Other(other),
        },
        sender_mac: mac(packet, 8)?,
        sender: address(packet, 14)?,
        target: address(packet, 24)?,
    })
}

fn tcp(packet: &[u8]) -> Option<Segment> {
    let first = *packet.first()?;
    let header_bytes = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_bytes < 20 || *packet.get(9)? != PROTOCOL_TCP {
        return None;
    }
    // A later fragment has no TCP header; the first one (offset 0) has.
    if big16(packet, 6)? & 0x1fff != 0 {
        return None;
    }
    let total = usize::from(big16(packet, 2)?);
    let segment = packet.get(header_bytes..)?;
    let offset_bytes = usize::from(*segment.get(12)? >> 4) * 4;
    if offset_bytes < 20 {
        return None;
    }
    Some(Segment {
        source: SocketAddrV4::new(address(packet, 12)?, big16(segment, 0)?),
        destination: SocketAddrV4::new(address(packet, 16)?, big16(segment, 2)?),
        ttl: *packet.get(8)?,
        flags: Flags(*segment.get(13)?),
        sequence: u32::from_be_bytes(array(segment, 4)?),
        data_bytes: total.saturating_sub(header_bytes + offset_bytes),
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn big16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn mac(bytes: &[u8], at: usize) -> Option<Mac> {
    array(bytes, at).map(Mac)
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    array::<4>(bytes, at).map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests;
