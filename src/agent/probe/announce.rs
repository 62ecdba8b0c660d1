//! ARP announcements (RFC 5227, section 2.3): neighbours that know an address by another MAC learn where it
//! is now, as after a failover.
//!
//! A client that once heard a real server answer ARP for the VIP would go on sending there for as long as its
//! neighbour entry is confirmed, even after that real server was put right.

use std::net::Ipv4Addr;

use super::packet_socket::PacketSocket;
use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::resource::Local;
use crate::packet::{Mac, arp_request};

/// Sends an announcement on every Ethernet interface that has `address`, and says how many that were: none
/// where the address is not on this host, or only on its loopback.
pub(in crate::agent) fn announce(
    machine: &mut Local,
    address: Ipv4Addr,
) -> Result<u32, AgentError> {
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
        // A request for the address by the address: nobody answers, everybody who knows it learns its MAC.
        PacketSocket::for_sending(link.index)
            .and_then(|socket| socket.send(&arp_request(Mac(mac), address, address)))
            .map_err(|error| host(format!("cannot announce {address} on {}", link.name), error))?;
        sent += 1;
    }
    Ok(sent)
}
