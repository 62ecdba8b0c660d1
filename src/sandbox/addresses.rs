//! The numbers of a sandbox's wires: addresses on its management network, and MACs.
//!
//! QEMU's user networking has 10.0.2.0/24 and keeps the low addresses for itself; hosts come after those.

use std::net::Ipv4Addr;

/// Length of the management network's prefix.
pub const PREFIX: u8 = 24;

/// Where sshd listens.
pub const SSH_PORT: u16 = 22;

const NETWORK: [u8; 3] = [10, 0, 2];
const FIRST: u8 = 21;
const LAST: u8 = 254;

/// Hosts of one sandbox: as many as there are addresses.
pub const MOST_HOSTS: usize = (LAST - FIRST) as usize + 1;

/// How all MACs begin: locally administered, as QEMU's own.
pub const MAC_PREFIX: [u8; 2] = [0x52, 0x54];

/// Where user networking reaches the host with this number, counted from 0.
#[must_use]
pub fn management_address(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number)
        .ok()
        .and_then(|number| number.checked_add(FIRST))
        .unwrap_or(u8::MAX);
    let [a, b, c] = NETWORK;
    Ipv4Addr::new(a, b, c, last)
}

/// The MAC of a management interface; its address is in it.
#[must_use]
pub fn management_mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    let [x, y] = MAC_PREFIX;
    [x, y, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn management_addresses_stay_in_their_network() {
        assert_eq!(management_address(0), Ipv4Addr::new(10, 0, 2, 21));
        assert_eq!(MOST_HOSTS, 234);
        assert_eq!(
            management_address(MOST_HOSTS - 1),
            Ipv4Addr::new(10, 0, 2, 254)
        );
    }
}
