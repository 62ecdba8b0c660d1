//! `-L -c`: the connections of `/proc/net/ip_vs_conn` (`ip_vs_conn.c`, `ip_vs_conn_seq_show`).
//!
//! Netlink has no dump of connections. The file has a line per connection: protocol, three pairs of address and
//! port (IPv4 as 8 hex digits, IPv6 written out, ports as hex), state, seconds to expiry, and sometimes the name
//! and data of a persistence engine.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::endpoint::{self, Style};
use super::entry::Format;
use crate::ipvs::Transport;

/// The file that messages name.
pub(super) const PATH: &str = "/proc/net/ip_vs_conn";

/// The file for the calling thread's network namespace; `/proc/net` is that of the first thread.
pub(super) const THREAD_PATH: &str = "/proc/thread-self/net/ip_vs_conn";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection<'a> {
    protocol: &'a str,
    client: (IpAddr, u16),
    service: (IpAddr, u16),
    destination: (IpAddr, u16),
    state: &'a str,
    expires_seconds: i32,
    engine: Option<(&'a str, &'a str)>,
}

impl<'a> Connection<'a> {
    /// Reads a line, `None` for one that is something else.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let words = &mut line.split_ascii_whitespace();
        Some(Self {
            protocol: words.next()?,
            client: pair(words)?,
            service: pair(words)?,
            destination: pair(words)?,
            state: words.next()?,
            expires_seconds: words.next()?.parse().ok()?,
            engine: words.next().zip(words.next()),
        })
    }
}

fn pair<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(IpAddr, u16)> {
    let address = address(words.next()?)?;
    let port = u16::from_str_radix(words.next()?, 16).ok()?;
    Some((address, port))
}

fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(address.into());
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.into());
    }
    u32::from_str_radix(text, 16)
        .ok()
        .map(|bits| Ipv4Addr::from_bits(bits).into())
}

/// The heading and a line for each connection of the file.
pub(super) fn listing(file: &str, format: Format, style: Style<'_>) -> String {
    let mut out = String::from("IPVS connection entries\n");
    let _ = if format.persistent_conn {
        writeln!(
            out,
            "pro expire {:<11} {:<18} {:<18} {:<18} {:<16} pe_data",
            "state", "source", "virtual", "destination", "pe name"
        )
    } else {
        writeln!(
            out,
            "pro expire {:<11} {:<18} {:<18} destination",
            "state", "source", "virtual"
        )
    };
    // The first line is a heading.
    for connection in file.lines().skip(1).filter_map(Connection::parse) {
        write_connection(&mut out, &connection, format, style);
    }
    out
}

fn write_connection(
    out: &mut String,
    connection: &Connection<'_>,
    format: Format,
    style: Style<'_>,
) {
    let transport = match connection.protocol {
        "TCP" => Some(Transport::Tcp),
        "UDP" => Some(Transport::Udp),
        "SCTP" => Some(Transport::Sctp),
        _ => None,
    };
    let shown = |(address, port)| {
        let mut out = String::new();
        endpoint::write(&mut out, address, port, transport, style);
        out
    };
    let (client, service, destination) = (
        shown(connection.client),
        shown(connection.service),
        shown(connection.destination),
    );
    let (protocol, state) = (connection.protocol, connection.state);
    let seconds = connection.expires_seconds;
    let expires = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    let _ = match connection.engine.filter(|_| format.persistent_conn) {
        Some((engine, data)) => writeln!(
            out,
            "{protocol:<3} {expires:<6} {state:<11} {client:<18} {service:<18} {destination:<16} {engine:<18} {data}"
        ),
        None => writeln!(
            out,
            "{protocol:<3} {expires:<6} {state:<11} {client:<18} {service:<18} {destination}"
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C0A8040A C93A C0A8040F 0050 C0A80464 0050 ESTABLISHED     899
TCP fc00:0000:0000:0000:0000:0000:0000:000a 8001 fc00:0000:0000:0000:0000:0000:0000:000f 0050 fc00:0000:0000:0000:0000:0000:0000:0064 0050 FIN_WAIT         5
UDP C0A8040A 13C4 C0A8040F 13C4 C0A804C8 13C4 UDP             300 sip 3848276298220188511@192.168.4.10
IP  C0A8040A 0000 C0A8040F 0000 C0A80464 0000 NONE           3600
";

    #[test]
    fn connections_are_shown_as_ipvsadm_shows_them() {
        insta::assert_snapshot!(listing(FILE, Format::default(), Style::Numeric), @r"
        IPVS connection entries
        pro expire state       source             virtual            destination
        TCP 14:59  ESTABLISHED 192.168.4.10:51514 192.168.4.15:80    192.168.4.100:80
        TCP 00:05  FIN_WAIT    [fc00::a]:32769    [fc00::f]:80       [fc00::64]:80
        UDP 05:00  UDP         192.168.4.10:5060  192.168.4.15:5060  192.168.4.200:5060
        IP  60:00  NONE        192.168.4.10:0     192.168.4.15:0     192.168.4.100:0
        ");
        let format = Format {
            persistent_conn: true,
            ..Format::default()
        };
        insta::assert_snapshot!(listing(FILE, format, Style::Numeric), @r"
        IPVS connection entries
        pro expire state       source             virtual            destination        pe name          pe_data
        TCP 14:59  ESTABLISHED 192.168.4.10:51514 192.168.4.15:80    192.168.4.100:80
        TCP 00:05  FIN_WAIT    [fc00::a]:32769    [fc00::f]:80       [fc00::64]:80
        UDP 05:00  UDP         192.168.4.10:5060  192.168.4.15:5060  192.168.4.200:5060 sip                3848276298220188511@192.168.4.10
        IP  60:00  NONE        192.168.4.10:0     192.168.4.15:0     192.168.4.100:0
        ");
    }

    #[test]
    fn a_file_cut_off_anywhere_is_read_as_far_as_it_goes() {
        for length in 0..FILE.len() {
            let lines = listing(&FILE[..length], Format::default(), Style::Numeric)
                .lines()
                .count();
            assert!(lines <= 6);
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(file in "(?s).{0,300}") {
            let _ = listing(&file, Format::default(), Style::Numeric);
        }

        #[test]
        fn any_line_of_words_is_read_without_a_panic(words in prop::collection::vec("[0-9A-Fa-f:.-]{0,20}", 0..12)) {
            let _ = Connection::parse(&words.join(" "));
        }
    }
}
