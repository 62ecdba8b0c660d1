//! Traffic and connections of IPVS: reads the text of `/proc/net/ip_vs_stats_percpu` and `/proc/net/ip_vs_conn`.
//!
//! The kernel writes them in `net/netfilter/ipvs/ip_vs_ctl.c` and `ip_vs_conn.c`.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::agent::protocol::ConnectionEntry;
use crate::ipvs::Counters;

/// Sum of the lines per CPU, in hexadecimal: connections, packets in and out, bytes in and out.
///
/// The total in the line `~` is not used: the estimator copies it only every two seconds. `None` when the text has no
/// line of a CPU.
#[must_use]
pub fn totals(percpu: &str) -> Option<Counters> {
    let mut sum = None;
    for line in percpu.lines() {
        let fields: Vec<Option<u64>> = line
            .split_whitespace()
            .map(|field| u64::from_str_radix(field, 16).ok())
            .collect();
        let [
            Some(_),
            Some(connections),
            Some(packets_in),
            Some(packets_out),
            Some(bytes_in),
            Some(bytes_out),
        ] = fields[..]
        else {
            continue;
        };
        let sum: &mut Counters = sum.get_or_insert_default();
        sum.connections = sum.connections.wrapping_add(connections);
        sum.packets_in = sum.packets_in.wrapping_add(packets_in);
        sum.packets_out = sum.packets_out.wrapping_add(packets_out);
        sum.bytes_in = sum.bytes_in.wrapping_add(bytes_in);
        sum.bytes_out = sum.bytes_out.wrapping_add(bytes_out);
    }
    sum
}

/// The IPv4 TCP connections of one client. Lines of another form are skipped.
///
/// Addresses and ports are in hexadecimal, most significant digit first. Persistence templates have the client port 0
/// and are skipped, too.
#[must_use]
pub fn connections(table: &str, client: Ipv4Addr) -> Vec<ConnectionEntry> {
    table
        .lines()
        .filter_map(entry)
        .filter(|entry| *entry.client.ip() == client && entry.client.port() != 0)
        .collect()
}

fn entry(line: &str) -> Option<ConnectionEntry> {
    let mut fields = line.split_whitespace();
    if fields.next()? != "TCP" {
        return None;
    }
    let mut end = || {
        let address = fields.next().filter(|field| field.len() == 8)?;
        let address = u32::from_str_radix(address, 16).ok()?;
        let port = u16::from_str_radix(fields.next()?, 16).ok()?;
        Some(SocketAddrV4::new(Ipv4Addr::from(address), port))
    };
    Some(ConnectionEntry {
        client: end()?,
        service: end()?,
        destination: end()?,
        state: fields.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERCPU: &str = "       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0       64      258        0             7A5C                0
  1        A       3C        2              E10               FF
  ~        0        0        0                0                0

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
           0        0        0                0                0
";

    const TABLE: &str =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C0A8040A CB2C C0A8040F 0050 C0A80464 0050 FIN_WAIT        117
TCP C0A8040B CB2D C0A8040F 0050 C0A804C8 0050 ESTABLISHED     899
TCP C0A8040A 0000 C0A8040F 0050 C0A804C8 0050 NONE            299
UDP C0A8040A CB2E C0A8040F 0035 C0A804C8 0035 UDP             299
";

    #[test]
    fn totals_are_summed_over_the_cpus_and_not_taken_from_the_stale_line() {
        let totals = totals(PERCPU).unwrap();
        assert_eq!(totals.connections, 110);
        assert_eq!(totals.packets_in, 660);
        assert_eq!(totals.packets_out, 2);
        assert_eq!(totals.bytes_in, 0x7a5c + 0xe10);
        assert_eq!(totals.bytes_out, 255);
        assert_eq!(super::totals("no such file"), None);
    }

    #[test]
    fn connections_are_those_of_the_client_without_persistence_templates() {
        assert_eq!(
            connections(TABLE, Ipv4Addr::new(192, 168, 4, 10)),
            [ConnectionEntry {
                client: "192.168.4.10:52012".parse().unwrap(),
                service: "192.168.4.15:80".parse().unwrap(),
                destination: "192.168.4.100:80".parse().unwrap(),
                state: "FIN_WAIT".to_owned(),
            }]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>(), client in any::<u32>()) {
            let _ = totals(&text);
            let _ = connections(&text, Ipv4Addr::from(client));
        }
    }
}
