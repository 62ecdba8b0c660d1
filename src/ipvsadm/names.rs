//! Names of hosts and services from `/etc/hosts` and `/etc/services`.
//!
//! Only from these two files: the C library's name service loads shared objects at run time, which a static
//! program cannot do, and a list of the table should not have to wait for DNS.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ipvs::Transport;

/// Both files, each read when first needed.
#[derive(Debug, Default)]
pub(super) struct Names {
    hosts: OnceCell<Hosts>,
    services: OnceCell<Services>,
}

#[derive(Debug, Default)]
struct Hosts {
    by_name: HashMap<String, Ipv4Addr>,
    by_address: HashMap<IpAddr, String>,
}

#[derive(Debug, Default)]
struct Services {
    by_name: HashMap<String, Vec<(Transport, u16)>>,
    by_port: HashMap<(u16, Transport), String>,
}

impl Names {
    /// Names from these texts instead of the system's files.
    #[cfg(test)]
    pub(super) fn from_texts(hosts: &str, services: &str) -> Self {
        Self {
            hosts: OnceCell::from(Hosts::parse(hosts)),
            services: OnceCell::from(Services::parse(services)),
        }
    }

    /// The IPv4 address of a host name.
    pub(super) fn host(&self, name: &str) -> Option<Ipv4Addr> {
        self.hosts()
            .by_name
            .get(&name.to_ascii_lowercase())
            .copied()
    }

    /// The canonical name of an address.
    pub(super) fn name(&self, address: IpAddr) -> Option<&str> {
        self.hosts().by_address.get(&address).map(String::as_str)
    }

    /// The port of a service name.
    pub(super) fn port(&self, name: &str, transport: Transport) -> Option<u16> {
        let ports = self.services().by_name.get(name)?;
        ports
            .iter()
            .find_map(|(of, port)| (*of == transport).then_some(*port))
    }

    /// The service name of a port.
    pub(super) fn service(&self, port: u16, transport: Transport) -> Option<&str> {
        let name = self.services().by_port.get(&(port, transport));
        name.map(String::as_str)
    }

    fn hosts(&self) -> &Hosts {
        self.hosts.get_or_init(|| Hosts::parse(&read("/etc/hosts")))
    }

    fn services(&self) -> &Services {
        self.services
            .get_or_init(|| Services::parse(&read("/etc/services")))
    }
}

/// The protocols of services(5) that IPVS balances.
fn transport(protocol: &str) -> Option<Transport> {
    match protocol {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        "sctp" => Some(Transport::Sctp),
        _ => None,
    }
}

/// A file that cannot be read counts as empty.
fn read(path: &str) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Words of each line, without its comment.
fn lines(text: &str) -> impl Iterator<Item = std::str::SplitWhitespace<'_>> {
    text.lines().map(|line| {
        line.split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
    })
}

/// The IPv4 address that a line gives a name. As in the C library, the IPv6 loopback stands for the IPv4
/// one, and a mapped address for the address that it maps.
fn as_ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}

impl Hosts {
    /// hosts(5): an address, its name, aliases. The first line that names something wins.
    fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for mut words in lines(text) {
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            let ipv4 = as_ipv4(address);
            for (index, name) in words.enumerate() {
                if index == 0 {
                    let known_by = [Some(address), ipv4.map(IpAddr::V4)];
                    for address in known_by.into_iter().flatten() {
                        hosts
                            .by_address
                            .entry(address)
                            .or_insert_with(|| name.to_owned());
                    }
                }
                if let Some(address) = ipv4 {
                    hosts
                        .by_name
                        .entry(name.to_ascii_lowercase())
                        .or_insert(address);
                }
            }
        }
        hosts
    }
}

impl Services {
    /// services(5): a name, `port/protocol`, aliases. The first line that names something wins.
    fn parse(text: &str) -> Self {
        let mut services = Self::default();
        for mut words in lines(text) {
            let (Some(name), Some(port)) = (words.next(), words.next()) else {
                continue;
            };
            let Some((port, protocol)) = port.split_once('/') else {
                continue;
            };
            let (Ok(port), Some(transport)) = (port.parse::<u16>(), transport(protocol)) else {
                continue;
            };
            services
                .by_port
                .entry((port, transport))
                .or_insert_with(|| name.to_owned());
            for alias in std::iter::once(name).chain(words) {
                // Lookups take the first entry of a transport.
                services
                    .by_name
                    .entry(alias.to_owned())
                    .or_default()
                    .push((transport, port));
            }
        }
        services
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::from_texts(
            "127.0.0.1 localhost\n::1 localhost ip6-localhost # both\n192.168.4.100 web1 Www # real server\nbad line\n192.168.4.101 web1\n::ffff:10.3.3.3 mapped\n2001:db8::1 vip6\n",
            "http 80/tcp www # WorldWideWeb\nhttp 80/udp\ndomain 53/udp\n# x 1/tcp\nbroken\nlarge 70000/tcp\n",
        )
    }

    #[test]
    fn hosts_are_found_by_any_name_and_shown_by_their_first() {
        let names = names();
        let web1 = Ipv4Addr::new(192, 168, 4, 100);
        assert_eq!(names.host("WEB1"), Some(web1));
        assert_eq!(names.host("www"), Some(web1));
        assert_eq!(names.host("ip6-localhost"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(names.host("mapped"), Some(Ipv4Addr::new(10, 3, 3, 3)));
        assert_eq!(names.host("vip6"), None);
        assert_eq!(
            names.name(Ipv4Addr::new(10, 3, 3, 3).into()),
            Some("mapped")
        );
        assert_eq!(names.name(Ipv4Addr::LOCALHOST.into()), Some("localhost"));
        assert_eq!(names.name(web1.into()), Some("web1"));
        assert_eq!(names.name("::1".parse().unwrap()), Some("localhost"));
        assert_eq!(names.host("nobody"), None);
    }

    #[test]
    fn services_belong_to_their_protocol() {
        let names = names();
        assert_eq!(names.port("www", Transport::Tcp), Some(80));
        assert_eq!(names.port("www", Transport::Udp), None);
        assert_eq!(names.port("domain", Transport::Udp), Some(53));
        assert_eq!(names.service(80, Transport::Udp), Some("http"));
        assert_eq!(names.service(80, Transport::Sctp), None);
        assert_eq!(names.port("large", Transport::Tcp), None);
    }

    proptest! {
        #[test]
        fn any_files_are_read_without_a_panic(hosts in "(?s).{0,200}", services in "(?s).{0,200}") {
            let names = Names::from_texts(&hosts, &services);
            let _ = (names.host("a"), names.port("a", Transport::Tcp));
        }
    }
}
