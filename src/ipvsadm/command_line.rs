//! ipvsadm's command lines, written: the one place that spells its options.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::behaviour::Behaviour;
use super::column;
use super::endpoint::{self, Style};
use super::scheduler_flags::{self, SCHEDULER_FLAGS};
use crate::ipvs::{
    Command, Daemon, Destination, DestinationKey, Family, Forwarding, Granularity, Service,
    ServiceKey, Transport, TunnelKind,
};

/// A service and its destinations as rules that `ipvsadm -R` reads: a line `-A` and a line `-a` for each
/// destination, in the order given.
///
/// Unlike ipvsadm's `-S` it keeps thresholds (`-x`, `-y`), so that a restored table is the saved one.
#[must_use]
pub fn save_format(service: &Service, destinations: &[Destination]) -> String {
    let mut out = String::new();
    write_service(&mut out, service, Style::Numeric, Behaviour::Ours);
    for destination in destinations {
        write_destination(
            &mut out,
            service.key,
            destination,
            Style::Numeric,
            Behaviour::Ours,
        );
    }
    out
}

/// The option for a forwarding method: `-m`, `-i` or `-g`.
///
/// No option asks for the other two. Local delivery is what the kernel does with its own addresses whatever
/// the method is, so `-g` stands for it; nothing stands for the cache bypass, and ipvsadm prints `(null)`.
#[must_use]
pub const fn forwarding_option(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Masquerade => "-m",
        Forwarding::Tunnel => "-i",
        Forwarding::Local | Forwarding::Route => "-g",
        Forwarding::Bypass => "(null)",
    }
}

/// A firewall mark as a number; ipvsadm prints it as a signed one.
pub(super) fn mark_number(mark: NonZeroU32, behaviour: Behaviour) -> i64 {
    match behaviour {
        Behaviour::Ours => mark.get().into(),
        Behaviour::Original => mark.get().cast_signed().into(),
    }
}

/// `-t 192.168.4.15:80`, `-f 8 -6`
fn write_key(out: &mut String, key: ServiceKey, style: Style<'_>, behaviour: Behaviour) {
    match key {
        ServiceKey::Fwmark { mark, family } => {
            let _ = write!(out, "-f {}", mark_number(mark, behaviour));
            if family == Family::Inet6 {
                out.push_str(" -6");
            }
        }
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            out.push_str(match transport {
                Transport::Tcp => "-t ",
                Transport::Udp => "-u ",
                Transport::Sctp => "--sctp-service ",
            });
            endpoint::write(out, address, port, Some(transport), style);
        }
    }
}

/// The `-A` line.
pub(super) fn write_service(
    out: &mut String,
    service: &Service,
    style: Style<'_>,
    behaviour: Behaviour,
) {
    out.push_str("-A ");
    write_service_options(out, service, style, behaviour);
    out.push('\n');
}

fn write_service_options(
    out: &mut String,
    service: &Service,
    style: Style<'_>,
    behaviour: Behaviour,
) {
    write_key(out, service.key, style, behaviour);
    out.push_str(" -s ");
    out.push_str(&service.scheduler);
    if let Some(seconds) = service.persistence {
        let _ = write!(out, " -p {seconds}");
        let _ = match service.granularity {
            Some(Granularity::Mask(mask)) => write!(out, " -M {mask}"),
            Some(Granularity::Prefix(length)) => write!(out, " -M {length}"),
            None => Ok(()),
        };
    }
    if let Some(engine) = &service.engine {
        let _ = write!(out, " --pe {engine}");
    }
    if service.flags & Service::ONE_PACKET != 0 {
        out.push_str(" -o");
    }
    if service.flags & SCHEDULER_FLAGS != 0 {
        out.push_str(" -b ");
        out.push_str(&match behaviour {
            Behaviour::Ours => scheduler_flags::every_name(service),
            Behaviour::Original => scheduler_flags::names(service),
        });
    }
}

/// The `-a` line.
pub(super) fn write_destination(
    out: &mut String,
    key: ServiceKey,
    destination: &Destination,
    style: Style<'_>,
    behaviour: Behaviour,
) {
    out.push_str("-a ");
    write_server(out, key, destination.key(), style, behaviour);
    write_destination_options(out, destination, behaviour);
    out.push('\n');
}

/// `-t 192.168.4.15:80 -r 192.168.4.100:80`
fn write_server(
    out: &mut String,
    key: ServiceKey,
    server: DestinationKey,
    style: Style<'_>,
    behaviour: Behaviour,
) {
    write_key(out, key, style, behaviour);
    out.push_str(" -r ");
    let transport = match key {
        ServiceKey::Address { transport, .. } => Some(transport),
        ServiceKey::Fwmark { .. } => None,
    };
    endpoint::write(out, server.address, server.port, transport, style);
}

fn write_destination_options(out: &mut String, destination: &Destination, behaviour: Behaviour) {
    out.push(' ');
    out.push_str(forwarding_option(destination.forwarding));
    out.push_str(" -w ");
    column::number(out, destination.weight.into());
    for (option, threshold) in [
        (" -x ", destination.upper_threshold),
        (" -y ", destination.lower_threshold),
    ] {
        if threshold != 0 && behaviour == Behaviour::Ours {
            out.push_str(option);
            column::number(out, threshold.into());
        }
    }
    if destination.forwarding == Forwarding::Tunnel {
        let checksum = match destination.tunnel_flags {
            0 => "--tun-nocsum",
            flags if flags & 2 != 0 => "--tun-remcsum",
            _ => "--tun-csum",
        };
        let _ = match destination.tunnel {
            TunnelKind::Ipip => write!(out, " --tun-type ipip"),
            TunnelKind::Gue { port } => {
                write!(out, " --tun-type gue --tun-port {port} {checksum}")
            }
            TunnelKind::Gre => write!(out, " --tun-type gre {checksum}"),
        };
    }
}

/// The command line that a person would type for a command, without a line end.
///
/// ```
/// use lvslab::ipvsadm::{command_line, parse_rules};
///
/// let rule = "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1";
/// assert_eq!(command_line(&parse_rules(rule)?[0]), rule);
/// # Ok::<(), lvslab::ipvsadm::RulesError>(())
/// ```
#[must_use]
pub fn command_line(command: &Command) -> String {
    format!("ipvsadm {}", arguments(command))
}

/// [`command_line`] without the program's name: for a program that stands elsewhere, or a line of rules.
#[must_use]
pub fn arguments(command: &Command) -> String {
    const STYLE: Style<'_> = Style::Numeric;
    const OURS: Behaviour = Behaviour::Ours;
    let mut out = String::new();
    match command {
        Command::CreateService(service) | Command::EditService(service) => {
            out.push_str(match command {
                Command::CreateService(_) => "-A ",
                _ => "-E ",
            });
            write_service_options(&mut out, service, STYLE, OURS);
        }
        Command::DeleteService(key) => {
            out.push_str("-D ");
            write_key(&mut out, *key, STYLE, OURS);
        }
        Command::AddDestination(key, destination) | Command::EditDestination(key, destination) => {
            out.push_str(match command {
                Command::AddDestination(..) => "-a ",
                _ => "-e ",
            });
            write_server(&mut out, *key, destination.key(), STYLE, OURS);
            write_destination_options(&mut out, destination, OURS);
        }
        Command::DeleteDestination(key, server) => {
            out.push_str("-d ");
            write_server(&mut out, *key, *server, STYLE, OURS);
        }
        Command::Flush => out.push_str("-C"),
        Command::Zero(key) => {
            out.push_str("-Z");
            if let Some(key) = key {
                out.push(' ');
                write_key(&mut out, *key, STYLE, OURS);
            }
        }
        Command::SetTimeouts(timeouts) => {
            let _ = write!(
                out,
                "--set {} {} {}",
                timeouts.tcp_seconds, timeouts.tcp_fin_seconds, timeouts.udp_seconds
            );
        }
        Command::StartDaemon(daemon) => write_daemon(&mut out, daemon),
        Command::StopDaemon(role) => {
            let _ = write!(out, "--stop-daemon {role}");
        }
    }
    out
}

fn write_daemon(out: &mut String, daemon: &Daemon) {
    let _ = write!(
        out,
        "--start-daemon {} --mcast-interface {} --syncid {}",
        daemon.role, daemon.interface, daemon.sync_id
    );
    if let Some(length) = daemon.max_length_bytes {
        let _ = write!(out, " --sync-maxlen {length}");
    }
    if let Some(group) = daemon.group {
        out.push_str(" --mcast-group ");
        endpoint::write_address(out, group);
    }
    if let Some(port) = daemon.port {
        let _ = write!(out, " --mcast-port {port}");
    }
    if let Some(ttl) = daemon.ttl {
        let _ = write!(out, " --mcast-ttl {ttl}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvsadm::parse_rules;

    #[test]
    fn command_lines_mean_the_commands_that_they_are_written_for() {
        for line in [
            "-A -t 10.0.0.1:443 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port",
            "-E -u 10.0.0.1:5060 -s wrr -p 360 --pe sip -o",
            "-D -f 8 -6",
            "-a -t 10.0.0.1:443 -r 10.1.0.3:8443 -m -w 3 -x 2000 -y 1500",
            "-e --sctp-service [2001:db8::1]:9 -r 10.1.0.3:9 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
            "-d -t 10.0.0.1:443 -r 10.1.0.3:8443",
            "-C",
            "-Z",
            "-Z -t 10.0.0.1:443",
            "--set 900 0 300",
            "--start-daemon master --mcast-interface eth0 --syncid 7 --sync-maxlen 1000 --mcast-group 224.0.0.82 --mcast-port 8849 --mcast-ttl 2",
            "--stop-daemon backup",
        ] {
            let commands = parse_rules(line).unwrap();
            assert_eq!(command_line(&commands[0]), format!("ipvsadm {line}"));
        }
    }
}
