//! ARP announcements (RFC 5227, section 2.3): neighbours that have an old MAC for an address learn the new one.
//!
//! A client that once heard a real server answer ARP for the VIP keeps sending to it while its neighbour entry is
//! confirmed, even after the real server was repaired.

use std::net::IpAddr;

use super::arp;
use super::packet_socket::PacketSocket;
use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::resource::Local;
use crate::packet::{Mac, arp_request};

/// Sends an announcement on every Ethernet interface that has `address`, and returns their number: 0 where the host does
/// not have the address, or only on `lo`.
pub(in crate::agent) fn announce(machine: &mut Local, address: IpAddr) -> Result<u32, AgentError> {
    let on_the_wire = arp::ipv4(address)?;
    let socket_of = machine.network()?.socket();
    let asked = |error| host("cannot ask the kernel for its network", error);
    let holders: Vec<u32> = socket_of
        .addresses()
        .map_err(asked)?
        .into_iter()
        .filter(|entry| entry.address.addr() == address)
        .map(|entry| entry.index)
        .collect();
    let mut sent = 0;
    for link in socket_of.links().map_err(asked)? {
        let Ok(mac) = <[u8; 6]>::try_from(link.mac.as_slice()) else {
            continue;
        };
        if !holders.contains(&link.index) || !link.ethernet || !link.up {
            continue;
        }
        // A request whose sender is the target: no host answers, and each that has an entry for it takes the MAC.
        PacketSocket::for_sending(link.index)
            .and_then(|socket| socket.send(&arp_request(Mac(mac), on_the_wire, on_the_wire)))
            .map_err(|error| host(format!("cannot announce {address} on {}", link.name), error))?;
        sent += 1;
    }
    Ok(sent)
}
