//! The SSH connection that carries the agent; a change of the network must not cut it.
//!
//! sshd sets `SSH_CONNECTION` to `CLIENT CLIENT_PORT SERVER SERVER_PORT` (ssh(1), ENVIRONMENT). sudo removes it, so the
//! environment of our parent processes is searched, too.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// How many parent processes are searched.
const MOST_ANCESTORS: usize = 16;

/// Both ends of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) struct SshConnection {
    /// The controller as this host sees it.
    pub controller: IpAddr,
    /// The address of this host that the connection came to.
    pub here: IpAddr,
}

impl SshConnection {
    /// The connection of this process; `None` when it was not started over SSH.
    pub(in crate::agent) fn of_this_process() -> Option<Self> {
        if let Ok(text) = std::env::var("SSH_CONNECTION") {
            return Self::parse(&text);
        }
        let mut pid = "self".to_owned();
        for _ in 0..MOST_ANCESTORS {
            let directory = Path::new("/proc").join(&pid);
            if let Ok(environment) = fs::read(directory.join("environ"))
                && let Some(found) = Self::in_environment(&environment)
            {
                return Some(found);
            }
            let status = fs::read_to_string(directory.join("status")).ok()?;
            pid = parent(&status)?.to_owned();
            if pid == "0" {
                return None;
            }
        }
        None
    }

    fn in_environment(environment: &[u8]) -> Option<Self> {
        environment
            .split(|&byte| byte == 0)
            .find_map(|variable| variable.strip_prefix(b"SSH_CONNECTION="))
            .and_then(|value| Self::parse(std::str::from_utf8(value).ok()?))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let controller = address(words.next()?)?;
        words.next()?.parse::<u16>().ok()?;
        let here = address(words.next()?)?;
        words.next()?.parse::<u16>().ok()?;
        Some(Self { controller, here })
    }

    /// Whether a route of the main table other than a default route leads to the controller.
    ///
    /// In: `/proc/net/route` (proc(5)): addresses in hexadecimal, as the CPU holds them.
    pub(in crate::agent) fn has_route_of_its_own(&self, routes: &str) -> bool {
        let IpAddr::V4(controller) = self.controller else {
            // IPv4 routes do not carry it.
            return true;
        };
        let controller = u32::from(controller);
        controller == u32::from(Ipv4Addr::LOCALHOST)
            || routes.lines().skip(1).any(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let number = |at: usize| {
                    let field = fields.get(at)?;
                    Some(u32::from_be_bytes(
                        u32::from_str_radix(field, 16).ok()?.to_ne_bytes(),
                    ))
                };
                match (number(1), number(7)) {
                    (Some(network), Some(mask)) => mask != 0 && controller & mask == network,
                    _ => false,
                }
            })
    }
}

/// sshd may add the zone to a link-local address.
fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.split('%').next()?.parse().ok()?;
    Some(address.to_canonical())
}

fn parent(status: &str) -> Option<&str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn connection(text: &str) -> SshConnection {
        SshConnection::parse(text).unwrap()
    }

    #[test]
    fn both_ends_are_read() {
        let v4 = connection("10.0.2.2 51514 10.0.2.21 22");
        assert_eq!(v4.controller, IpAddr::from([10, 0, 2, 2]));
        assert_eq!(v4.here, IpAddr::from([10, 0, 2, 21]));
        let v6 = connection("fe80::1%eth0 51514 ::ffff:10.0.2.21 22");
        assert_eq!(v6.controller, "fe80::1".parse::<IpAddr>().unwrap());
        assert_eq!(v6.here, IpAddr::from([10, 0, 2, 21]));
        assert_eq!(SshConnection::parse("10.0.2.2 51514 10.0.2.21"), None);
        let environment = b"A=1\0SSH_CONNECTION=10.0.2.2 1 10.0.2.21 22\0B=";
        assert_eq!(
            SshConnection::in_environment(environment),
            Some(connection("10.0.2.2 1 10.0.2.21 22"))
        );
    }

    #[test]
    fn only_a_route_that_names_its_network_is_the_controllers_own() {
        let routes = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
mgmt0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
mgmt0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
        assert!(connection("10.0.2.2 1 10.0.2.21 22").has_route_of_its_own(routes));
        assert!(!connection("10.9.2.2 1 10.0.2.21 22").has_route_of_its_own(routes));
        assert!(connection("127.0.0.1 1 127.0.0.1 22").has_route_of_its_own(routes));
        assert!(connection("2001:db8::2 1 2001:db8::1 22").has_route_of_its_own(routes));
        assert!(!connection("10.0.2.2 1 10.0.2.21 22").has_route_of_its_own(""));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*", routes in "(\\PC*\n?)*") {
            if let Some(found) = SshConnection::parse(&text) {
                found.has_route_of_its_own(&routes);
            }
            connection("10.0.2.2 1 10.0.2.21 22").has_route_of_its_own(&routes);
        }
    }
}
