//! Listening TCP sockets, from `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::agent::protocol::Listener;

/// `TCP_LISTEN` (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// The listeners in the text of one of the two tables.
pub(in crate::agent) fn listeners(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(listener).collect()
}

/// `sl local_address rem_address st …`, addresses and ports in hexadecimal.
fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Listener {
        address: parse(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
    })
}

/// An address as 32-bit words in hexadecimal, each in the byte order of the CPU.
fn parse(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn only_listening_sockets_are_found() {
        let v4 = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0F04A8C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 2
";
        let v6 = "\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0
   1: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0
";
        let found: Vec<_> = [listeners(v4), listeners(v6)]
            .concat()
            .iter()
            .map(|l| format!("{} {}", l.address, l.port))
            .collect();
        assert_eq!(found, ["192.168.4.15 80", ":: 80", "2001:db8::1 22"]);
    }

    proptest! {
        #[test]
        fn any_table_is_read_without_panic(text in "(\\PC*\n){0,3}", line in "[0-9A-F: ]{0,120}") {
            listeners(&text);
            listeners(&format!("\n{line}"));
        }
    }
}
