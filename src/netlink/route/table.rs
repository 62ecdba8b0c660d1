//! The main routing table as `ip route` shows it, to name the route that decides about a destination.

use std::io;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use netlink_packet_core::Parseable;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::RouteSocket;
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWROUTE`, what routes are reported as (`rtnetlink.h`).
const RTM_NEWROUTE: u16 = 24;

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// Destination; `0.0.0.0/0` for a default route.
    pub to: Ipv4Net,
    /// `blackhole`, `unreachable`, `prohibit`, ...; `None` for a route that leads somewhere.
    pub kind: Option<&'static str>,
    /// Next hop; `None` for one with several, too.
    pub via: Option<Ipv4Addr>,
    /// Link index.
    pub index: Option<u32>,
    /// Metric, 0 when unset.
    pub metric: u32,
}

impl RouteEntry {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWROUTE {
            return Ok(None);
        }
        let message = RouteMessage::parse(reply.payload)?;
        let mut table = u32::from(message.header.table);
        let mut entry = Self {
            to: Ipv4Net::default(),
            kind: match message.header.kind {
                RouteType::Unicast => None,
                RouteType::BlackHole => Some("blackhole"),
                RouteType::Unreachable => Some("unreachable"),
                RouteType::Prohibit => Some("prohibit"),
                RouteType::Throw => Some("throw"),
                _ => return Ok(None),
            },
            via: None,
            index: None,
            metric: 0,
        };
        let mut to = Ipv4Addr::UNSPECIFIED;
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Table(number) => table = *number,
                RouteAttribute::Destination(RouteAddress::Inet(address)) => to = *address,
                RouteAttribute::Gateway(RouteAddress::Inet(address)) => entry.via = Some(*address),
                RouteAttribute::Oif(index) => entry.index = Some(*index),
                RouteAttribute::Priority(metric) => entry.metric = *metric,
                _ => {}
            }
        }
        if message.header.address_family != AddressFamily::Inet
            || table != u32::from(RouteHeader::RT_TABLE_MAIN)
        {
            return Ok(None);
        }
        let Ok(to) = Ipv4Net::new(to, message.header.destination_prefix_length) else {
            return Ok(None);
        };
        entry.to = to;
        Ok(Some(entry))
    }

    /// As `ip route del` takes it; `name` gives an interface's name by its index.
    pub fn words<'n>(&self, name: impl Fn(u32) -> Option<&'n str>) -> String {
        let mut text = self.kind.map(|kind| format!("{kind} ")).unwrap_or_default();
        text += &match self.to.prefix_len() {
            0 => "default".to_owned(),
            32 => self.to.addr().to_string(),
            _ => self.to.to_string(),
        };
        if let Some(via) = self.via {
            text += &format!(" via {via}");
        }
        if self.kind.is_none()
            && let Some(name) = self.index.and_then(name)
        {
            text += &format!(" dev {name}");
        }
        if self.metric != 0 {
            text += &format!(" metric {}", self.metric);
        }
        text
    }
}

/// The route that decides about `destination`: the longest prefix, of these the lowest metric.
#[must_use]
pub fn most_specific(table: &[RouteEntry], destination: Ipv4Addr) -> Option<&RouteEntry> {
    table
        .iter()
        .filter(|entry| entry.to.contains(&destination))
        .max_by_key(|entry| (entry.to.prefix_len(), std::cmp::Reverse(entry.metric)))
}

impl RouteSocket {
    /// Every IPv4 route of the main table.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn routes(&self) -> io::Result<Vec<RouteEntry>> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        self.dump(&RouteNetlinkMessage::GetRoute(message), RouteEntry::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::route::{AddressEntry, DefaultRouteEntry};
    use crate::netlink::test_namespace::in_new_network;

    #[test]
    fn the_main_table_is_read_as_it_was_written() {
        in_new_network(
            "netlink::route::table::tests::the_main_table_is_read_as_it_was_written",
            || {
                let socket = RouteSocket::open().unwrap();
                let index = socket.add_bridge("eth1").unwrap();
                socket.set_up(index, true).unwrap();
                let address: Ipv4Net = "192.168.2.100/24".parse().unwrap();
                socket
                    .add_address(&AddressEntry {
                        index,
                        address,
                        label: "eth1".to_owned(),
                        broadcast: Some(address.broadcast()),
                    })
                    .unwrap();
                socket
                    .add_default_route(&DefaultRouteEntry {
                        via: Some("192.168.2.5".parse().unwrap()),
                        index,
                        metric: 7,
                        protocol: 4,
                    })
                    .unwrap();
                let table = socket.routes().unwrap();
                let words = |to: &str| {
                    let found = most_specific(&table, to.parse().unwrap());
                    found.map(|entry| entry.words(|_| Some("eth1")))
                };
                assert_eq!(table.len(), 2, "{table:?}");
                assert_eq!(words("192.168.2.5").unwrap(), "192.168.2.0/24 dev eth1");
                assert_eq!(
                    words("192.168.4.10").unwrap(),
                    "default via 192.168.2.5 dev eth1 metric 7"
                );
            },
        );
    }

    #[test]
    fn the_longest_prefix_decides_and_then_the_lowest_metric() {
        let entry = |to: &str, kind, metric| RouteEntry {
            to: to.parse().unwrap(),
            kind,
            via: None,
            index: Some(2),
            metric,
        };
        let table = [
            entry("0.0.0.0/0", None, 0),
            entry("192.168.4.0/24", None, 20),
            entry("192.168.4.0/24", Some("blackhole"), 10),
            entry("192.168.4.10/32", Some("prohibit"), 0),
        ];
        let words = |to: &str| {
            let found = most_specific(&table, to.parse().unwrap()).unwrap();
            found.words(|_| Some("eth0"))
        };
        assert_eq!(words("192.168.4.11"), "blackhole 192.168.4.0/24 metric 10");
        assert_eq!(words("192.168.4.10"), "prohibit 192.168.4.10");
        assert_eq!(words("10.0.0.1"), "default dev eth0");
        assert_eq!(
            most_specific(&table[1..], "10.0.0.1".parse().unwrap()),
            None
        );
    }
}
