//! Frames we send ourselves.

use std::net::Ipv4Addr;
#[cfg(test)]
use std::net::SocketAddrV4;

use super::{ARP_BYTES, ETHERNET_BYTES, ETHERTYPE_ARP, Mac};

/// Who has `target`? Tell `sender` at `source`. Broadcast, padded to Ethernet's least length (RFC 826).
#[must_use]
pub fn arp_request(source: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    arp(Mac::BROADCAST, 1, (source, sender), (Mac([0; 6]), target))
}

fn arp(
    destination: Mac,
    operation: u16,
    (sender_mac, sender): (Mac, Ipv4Addr),
    (target_mac, target): (Mac, Ipv4Addr),
) -> Vec<u8> {
    /// Least octets of a frame without its check sequence (IEEE 802.3).
    const LEAST_BYTES: usize = 60;
    let mut frame = Vec::with_capacity(LEAST_BYTES.max(ETHERNET_BYTES + ARP_BYTES));
    frame.extend(destination.0);
    frame.extend(sender_mac.0);
    frame.extend(ETHERTYPE_ARP.to_be_bytes());
    frame.extend([0, 1, 8, 0, 6, 4]);
    frame.extend(operation.to_be_bytes());
    frame.extend(sender_mac.0);
    frame.extend(sender.octets());
    frame.extend(target_mac.0);
    frame.extend(target.octets());
    frame.resize(LEAST_BYTES, 0);
    frame
}

/// `from.1` is at `from.0`, says it to `to`.
#[cfg(test)]
pub(crate) fn arp_reply(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr)) -> Vec<u8> {
    arp(to.0, 2, from, to)
}

/// A TCP segment without data in its frame; checksums are left at 0.
#[cfg(test)]
pub(crate) fn segment(
    (source, destination): (Mac, Mac),
    (from, to): (SocketAddrV4, SocketAddrV4),
    flags: u8,
) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(destination.0);
    frame.extend(source.0);
    frame.extend(super::ETHERTYPE_IPV4.to_be_bytes());
    frame.extend([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, super::PROTOCOL_TCP, 0, 0]);
    frame.extend(from.ip().octets());
    frame.extend(to.ip().octets());
    frame.extend(from.port().to_be_bytes());
    frame.extend(to.port().to_be_bytes());
    frame.extend([0; 8]);
    frame.extend([0x50, flags, 0x72, 0x10, 0, 0, 0, 0]);
    frame
}
