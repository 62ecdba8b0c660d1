//! Lists of the table, byte for byte as ipvsadm prints them, with blanks at line ends.

use std::fmt::Write as _;

use super::behaviour::{Behaviour, Setting};
use super::column;
use super::command_line::{mark_number, write_destination, write_service};
use super::endpoint::{self, Style};
use super::entry::Format;
use super::names::Names;
use super::order;
use super::scheduler_flags::{self, SCHEDULER_FLAGS};
use crate::ipvs::{
    Counters, Daemon, Destination, DestinationStatus, Family, Forwarding, Granularity, Info,
    Service, ServiceKey, ServiceStatus, Table, Timeouts, Transport, TunnelKind,
};

/// The services in the order of the list.
fn services(table: &Table, format: Format) -> impl Iterator<Item = &ServiceStatus> {
    order::services(table, |status| &status.service, format.unsorted)
        .into_iter()
        .filter_map(|index| table.get(index))
}

/// The destinations of a service in the order of the list.
fn destinations(
    status: &ServiceStatus,
    format: Format,
) -> impl Iterator<Item = &DestinationStatus> {
    let list = &status.destinations;
    order::destinations(list, |status| &status.destination, format.unsorted)
        .into_iter()
        .filter_map(|index| list.get(index))
}

/// Typical length of a line, for the size of the buffer.
const LINE_BYTES: usize = 84;

fn lines(table: &Table) -> usize {
    let destinations = table.iter().map(|status| status.destinations.len());
    table.len() + destinations.sum::<usize>()
}

fn style(names: &Names, numeric: bool) -> Style<'_> {
    if numeric {
        Style::Numeric
    } else {
        Style::Named(names)
    }
}

/// The whole table with its heading.
pub(super) fn everything(info: &Info, table: &Table, format: Format, names: &Names) -> String {
    let [major, minor, patch] = info.version;
    let mut out = String::with_capacity((lines(table) + 3) * LINE_BYTES);
    let _ = writeln!(
        out,
        "IP Virtual Server version {major}.{minor}.{patch} (size={})",
        info.connection_table_size
    );
    write_title(&mut out, format);
    for status in services(table, format) {
        write_status(&mut out, status, format, style(names, format.numeric));
    }
    out
}

/// One service with its heading.
pub(super) fn one(status: &ServiceStatus, format: Format, names: &Names) -> String {
    let mut out = String::new();
    write_title(&mut out, format);
    write_status(&mut out, status, format, style(names, format.numeric));
    out
}

/// The table as rules (`-S`).
pub(super) fn saved(table: &Table, numeric: bool, setting: &Setting) -> String {
    let mut out = String::with_capacity(lines(table) * LINE_BYTES);
    let style = match (numeric, setting.behaviour) {
        (true, _) => Style::Numeric,
        (false, Behaviour::Ours) => Style::ReadBack(&setting.names),
        (false, Behaviour::Original) => Style::Named(&setting.names),
    };
    for status in services(table, Format::default()) {
        write_service(&mut out, &status.service, style, setting.behaviour);
        for destination in destinations(status, Format::default()) {
            write_destination(
                &mut out,
                status.service.key,
                &destination.destination,
                style,
                setting.behaviour,
            );
        }
    }
    out
}

/// `--timeout`
pub(super) fn timeouts(timeouts: &Timeouts) -> String {
    format!(
        "Timeout (tcp tcpfin udp): {} {} {}\n",
        timeouts.tcp_seconds, timeouts.tcp_fin_seconds, timeouts.udp_seconds
    )
}

/// `--daemon`
pub(super) fn daemons(daemons: &[Daemon]) -> String {
    let mut out = String::new();
    for daemon in daemons {
        let _ = write!(
            out,
            "{} sync daemon (mcast={}, syncid={}",
            daemon.role, daemon.interface, daemon.sync_id
        );
        if let Some(length) = daemon.max_length_bytes {
            let _ = write!(out, ", maxlen={length}");
        }
        if let Some(group) = daemon.group {
            out.push_str(", group=");
            endpoint::write_address(&mut out, group);
        }
        if let Some(port) = daemon.port {
            let _ = write!(out, ", port={port}");
        }
        if let Some(ttl) = daemon.ttl {
            let _ = write!(out, ", ttl={ttl}");
        }
        out.push_str(")\n");
    }
    out
}

fn write_title(out: &mut String, format: Format) {
    const SERVICE: &str = "Prot LocalAddress:Port";
    const REMOTE: &str = "  -> RemoteAddress:Port";
    let _ = if format.stats {
        writeln!(
            out,
            "{SERVICE:<33} {:>8} {:>8} {:>8} {:>8} {:>8}\n{REMOTE}",
            "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"
        )
    } else if format.rate {
        writeln!(
            out,
            "{SERVICE:<33} {:>8} {:>8} {:>8} {:>8} {:>8}\n{REMOTE}",
            "CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"
        )
    } else if format.thresholds {
        writeln!(
            out,
            "{SERVICE:<33} {:<10} {:<10} {:<10} {:<10}\n{REMOTE}",
            "Uthreshold", "Lthreshold", "ActiveConn", "InActConn"
        )
    } else if format.persistent_conn {
        writeln!(
            out,
            "{SERVICE:<33} {:<9} {:<11} {:<10} {:<10}\n{REMOTE}",
            "Weight", "PersistConn", "ActiveConn", "InActConn"
        )
    } else if format.tunnel_info {
        writeln!(
            out,
            "{SERVICE} Scheduler Flags\n{REMOTE}           Forward TunnelInfo    Weight ActiveConn InActConn"
        )
    } else {
        writeln!(
            out,
            "{SERVICE} Scheduler Flags\n{REMOTE}           Forward Weight ActiveConn InActConn"
        )
    };
}

fn write_status(out: &mut String, status: &ServiceStatus, format: Format, style: Style<'_>) {
    let service = &status.service;
    let start = out.len();
    let transport = match service.key {
        ServiceKey::Fwmark { mark, family } => {
            let _ = write!(out, "FWM  {}", mark_number(mark, format.behaviour));
            if family == Family::Inet6 {
                out.push_str(" IPv6");
            }
            None
        }
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            out.push_str(match transport {
                Transport::Tcp => "TCP  ",
                Transport::Udp => "UDP  ",
                Transport::Sctp => "SCTP ",
            });
            endpoint::write(out, address, port, Some(transport), style);
            if address.is_ipv4() {
                endpoint::cut(out, start, 33);
            }
            Some(transport)
        }
    };
    if format.stats || format.rate {
        column::pad(out, start, 33);
        let numbers = if format.stats {
            totals(&status.counters)
        } else {
            rates(&status.counters)
        };
        for number in numbers {
            write_large(out, number, format.exact);
        }
    } else {
        write_service_flags(out, service);
    }
    out.push('\n');
    for destination in destinations(status, format) {
        write_destination_status(out, destination, transport, format, style);
    }
}

fn write_service_flags(out: &mut String, service: &Service) {
    out.push(' ');
    out.push_str(&service.scheduler);
    if service.flags & SCHEDULER_FLAGS != 0 {
        let _ = write!(out, " ({})", scheduler_flags::names(service));
    }
    if let Some(seconds) = service.persistence {
        let _ = write!(out, " persistent {seconds}");
        let _ = match service.granularity {
            Some(Granularity::Mask(mask)) => write!(out, " mask {mask}"),
            Some(Granularity::Prefix(length)) => write!(out, " mask {length}"),
            None => Ok(()),
        };
        if let Some(engine) = &service.engine {
            let _ = write!(out, " pe {engine}");
        }
    }
    if service.flags & Service::ONE_PACKET != 0 {
        out.push_str(" ops");
    }
}

fn write_destination_status(
    out: &mut String,
    status: &DestinationStatus,
    transport: Option<Transport>,
    format: Format,
    style: Style<'_>,
) {
    let destination = &status.destination;
    out.push_str("  -> ");
    let start = out.len();
    endpoint::write(out, destination.address, destination.port, transport, style);
    if destination.address.is_ipv4() {
        endpoint::cut(out, start, 28);
    }
    column::pad(out, start, 28);
    if format.stats {
        for number in totals(&status.counters) {
            write_large(out, number, format.exact);
        }
        out.push('\n');
        return;
    }
    if format.rate {
        let [connections, packets_in, packets_out, bytes_in, bytes_out] = rates(&status.counters);
        for number in [connections, packets_in, packets_out] {
            out.push(' ');
            column::right(out, number, 8);
        }
        write_large(out, bytes_in, format.exact);
        write_large(out, bytes_out, format.exact);
        out.push('\n');
        return;
    }
    out.push(' ');
    if format.thresholds {
        column::left(out, destination.upper_threshold.into(), 10);
        out.push(' ');
        column::left(out, destination.lower_threshold.into(), 10);
    } else if format.persistent_conn {
        column::left(out, destination.weight.into(), 9);
        out.push(' ');
        column::left(out, status.persistent.into(), 11);
    } else {
        column::text(out, forwarding_name(destination.forwarding), 7);
        out.push(' ');
        if format.tunnel_info {
            column::text(out, &tunnel_info(destination), 13);
            out.push(' ');
        }
        column::left(out, destination.weight.into(), 6);
    }
    for connections in [status.active, status.inactive] {
        out.push(' ');
        column::left(out, connections.into(), 10);
    }
    out.push('\n');
}

const fn forwarding_name(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Masquerade => "Masq",
        Forwarding::Local => "Local",
        Forwarding::Tunnel => "Tunnel",
        Forwarding::Route => "Route",
        // ipvsadm has no name for it, and its C library prints this.
        Forwarding::Bypass => "(null)",
    }
}

/// `gue:6080:+c`, cut as in the C program's buffer of 16 bytes.
fn tunnel_info(destination: &Destination) -> String {
    if destination.forwarding != Forwarding::Tunnel {
        return "n/a".to_owned();
    }
    let checksum = match destination.tunnel_flags {
        0 => "-c",
        flags if flags & 2 != 0 => "r+c",
        _ => "+c",
    };
    let mut text = match destination.tunnel {
        TunnelKind::Ipip => "ipip".to_owned(),
        TunnelKind::Gue { port } => format!("gue:{port}:{checksum}"),
        TunnelKind::Gre => format!("gre:{checksum}"),
    };
    endpoint::cut(&mut text, 0, 15);
    text
}

fn totals(counters: &Counters) -> [u64; 5] {
    [
        counters.connections,
        counters.packets_in,
        counters.packets_out,
        counters.bytes_in,
        counters.bytes_out,
    ]
}

fn rates(counters: &Counters) -> [u64; 5] {
    [
        counters.connections_per_second,
        counters.packets_in_per_second,
        counters.packets_out_per_second,
        counters.bytes_in_per_second,
        counters.bytes_out_per_second,
    ]
}

/// A counter in nine columns: from 10^8 up in thousands, millions and so on, unless `--exact` asks for every
/// digit.
fn write_large(out: &mut String, number: u64, exact: bool) {
    let (number, unit) = match number {
        number if exact => {
            // At least one blank.
            let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
            return column::right(out, number, if digits <= 8 { 9 } else { digits + 1 });
        }
        0..100_000_000 => return column::right(out, number, 9),
        100_000_000..1_000_000_000 => (number / 1_000, 'K'),
        1_000_000_000..100_000_000_000 => (number / 1_000_000, 'M'),
        100_000_000_000..100_000_000_000_000 => (number / 1_000_000_000, 'G'),
        _ => (number / 1_000_000_000_000, 'T'),
    };
    column::right(out, number, 8);
    out.push(unit);
}

#[cfg(test)]
mod tests;
