//! The main routing tables of both families as `ip route` shows them, to name the route that decides about a destination.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};

use super::family::ip;
use super::{Family, RTM_NEWROUTE, RouteSocket};
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// Destination; `0.0.0.0/0` or `::/0` for a default route.
    pub to: IpNet,
    /// `blackhole`, `unreachable`, `prohibit`, ...; `None` for a route that leads somewhere.
    pub kind: Option<&'static str>,
    /// Next hop; `None` for one with several, too.
    pub via: Option<IpAddr>,
    /// Link index.
    pub index: Option<u32>,
    /// Metric; see [`Family::default_metric`].
    pub metric: u32,
}

impl RouteEntry {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWROUTE {
            return Ok(None);
        }
        let message = RouteMessage::parse(reply.payload)?;
        let any: IpAddr = match Family::read(message.header.address_family) {
            Some(Family::V4) => Ipv4Addr::UNSPECIFIED.into(),
            Some(Family::V6) => Ipv6Addr::UNSPECIFIED.into(),
            None => return Ok(None),
        };
        let mut table = u32::from(message.header.table);
        let mut entry = Self {
            to: any.into(),
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
        let mut to = any;
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Table(number) => table = *number,
                RouteAttribute::Destination(address) => to = ip(address).unwrap_or(to),
                RouteAttribute::Gateway(address) => entry.via = ip(address),
                RouteAttribute::Oif(index) => entry.index = Some(*index),
                RouteAttribute::Priority(metric) => entry.metric = *metric,
                _ => {}
            }
        }
        if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
            return Ok(None);
        }
        let Ok(to) = IpNet::new(to, message.header.destination_prefix_length) else {
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
            all if all == self.to.max_prefix_len() => self.to.addr().to_string(),
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
        if self.metric != Family::from(self.to.addr()).default_metric() {
            text += &format!(" metric {}", self.metric);
        }
        text
    }
}

/// The route that decides about `destination`: the longest prefix, of these the lowest metric.
#[must_use]
pub fn most_specific(table: &[RouteEntry], destination: IpAddr) -> Option<&RouteEntry> {
    table
        .iter()
        .filter(|entry| entry.to.contains(&destination))
        .max_by_key(|entry| (entry.to.prefix_len(), std::cmp::Reverse(entry.metric)))
}

impl RouteSocket {
    /// Every route of the main tables, IPv4 first.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn routes(&self) -> io::Result<Vec<RouteEntry>> {
        self.dump(
            &RouteNetlinkMessage::GetRoute(RouteMessage::default()),
            RouteEntry::read,
        )
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
                for address in ["192.168.2.100/24", "2001:db8:2::100/64"] {
                    socket
                        .add_address(&AddressEntry {
                            index,
                            address: address.parse().unwrap(),
                            label: "eth1".to_owned(),
                            broadcast: None,
                        })
                        .unwrap();
                }
                socket
                    .add_default_route(&DefaultRouteEntry {
                        family: Family::V4,
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
                assert_eq!(
                    words("2001:db8:2::5").unwrap(),
                    "2001:db8:2::/64 dev eth1 metric 256"
                );
                assert_eq!(words("2001:db8:4::10"), None);
                let four = table.iter().filter(|entry| entry.to.addr().is_ipv4());
                assert_eq!(four.count(), 2, "{table:?}");
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
