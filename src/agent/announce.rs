//! ARP announcements (RFC 5227, section 2.3): neighbours that know an address by another MAC learn where it
//! is now, as after a failover.
//!
//! A client that once heard a real server answer ARP for the VIP would go on sending there for as long as its
//! neighbour entry is confirmed, even after that real server was put right.

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::error::host;
use super::kind::Local;
use super::protocol::AgentError;

/// Bytes of an Ethernet header and of an ARP packet for IPv4.
const FRAME_BYTES: usize = 14 + 28;

/// `ETH_P_ARP` (`linux/if_ether.h`).
const ETHERTYPE_ARP: u16 = 0x0806;

const BROADCAST: [u8; 6] = [0xff; 6];

/// Sends an announcement on every Ethernet interface that has `address`, and says how many that were: none
/// where the address is not on this host, or only on its loopback.
pub(super) fn announce(machine: &mut Local, address: Ipv4Addr) -> Result<u32, AgentError> {
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
        broadcast(link.index, &frame(mac, address))
            .map_err(|error| host(format!("cannot announce {address} on {}", link.name), error))?;
        sent += 1;
    }
    Ok(sent)
}

/// An ARP request for the address by the address: nobody answers, everybody who knows it learns its MAC.
fn frame(mac: [u8; 6], address: Ipv4Addr) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    let parts: [&[u8]; 8] = [
        &BROADCAST,
        &mac,
        &ETHERTYPE_ARP.to_be_bytes(),
        // Ethernet, IPv4, their address lengths, request (RFC 826).
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &mac,
        &address.octets(),
        &[0; 6],
        &address.octets(),
    ];
    let mut place = frame.as_mut_slice();
    for part in parts {
        let (here, rest) = place.split_at_mut(part.len());
        here.copy_from_slice(part);
        place = rest;
    }
    frame
}

fn broadcast(interface: u32, frame: &[u8]) -> io::Result<()> {
    // Protocol 0: this socket only sends (packet(7)).
    let socket: OwnedFd = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    #[expect(unsafe_code, reason = "sockaddr_ll is plain numbers, zero included")]
    // SAFETY: every bit pattern is a sockaddr_ll.
    let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
    to.sll_family = libc::AF_PACKET.cast_unsigned() as u16;
    to.sll_protocol = ETHERTYPE_ARP.to_be();
    to.sll_ifindex = interface.cast_signed();
    to.sll_halen = 6;
    to.sll_addr[..6].copy_from_slice(&BROADCAST);
    #[expect(
        unsafe_code,
        reason = "no safe wrapper builds the address of an interface"
    )]
    // SAFETY: both buffers outlive the call and their lengths are theirs.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            mem::size_of_val(&to) as libc::socklen_t,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_is_a_request_for_the_address_by_the_address() {
        let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
        let frame = frame(mac, Ipv4Addr::new(192, 168, 4, 15));
        let hex: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex.join(" "),
            "ff ff ff ff ff ff 52 54 00 12 34 56 08 06 \
             00 01 08 00 06 04 00 01 52 54 00 12 34 56 c0 a8 04 0f 00 00 00 00 00 00 c0 a8 04 0f"
        );
    }
}
