//! Free loopback ports for the hosts' SSH.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// `count` different ports of 127.0.0.1 that nobody listens on now.
///
/// Somebody may take one before QEMU does; then QEMU refuses to start and new ones are chosen.
///
/// # Errors
/// When the system has no free ports left.
pub fn free(count: usize) -> io::Result<Vec<u16>> {
    // All are held at the same time, so that no port is given twice.
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_listened_on() {
        let ports = free(50).unwrap();
        let distinct: std::collections::BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(distinct.len(), 50);
        assert!(!distinct.contains(&0));
    }
}
