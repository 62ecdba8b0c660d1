//! Default routes of the main table of either family, and what the kernel would do with a packet.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::family::ip;
use super::{Family, RTM_NEWROUTE, RouteSocket};
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// A default route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRouteEntry {
    /// That of the gateway, and of the packets that take it.
    pub family: Family,
    /// Gateway; `None` where the destinations are on the link itself.
    pub via: Option<IpAddr>,
    /// Link index.
    pub index: u32,
    /// Metric; see [`Family::default_metric`].
    pub metric: u32,
    /// `rtm_protocol`.
    pub protocol: u8,
}

/// What the kernel would do with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// Next hop.
    pub via: Option<IpAddr>,
    /// Link index.
    pub index: u32,
    /// Source address.
    pub source: Option<IpAddr>,
    /// Table that the route was found in (`RTA_TABLE`): 254 is the main one, which the kernel also says of the host's
    /// own addresses as long as there are no rules of one's own (`ip-rule(8)`).
    pub table: u32,
    /// Whether the packet stays on the host (`RTN_LOCAL`).
    pub local: bool,
}

impl DefaultRouteEntry {
    /// A route with several next hops is one entry for each.
    fn read(reply: Message<'_>) -> Result<Option<Vec<Self>>, NetlinkError> {
        let Some((family, message)) = read_route(reply)? else {
            return Ok(None);
        };
        let mut table = u32::from(message.header.table);
        let mut metric = 0;
        let mut hops = Vec::new();
        let (mut via, mut index) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Table(number) => table = *number,
                RouteAttribute::Priority(number) => metric = *number,
                RouteAttribute::MultiPath(next_hops) => {
                    hops.extend(next_hops.iter().map(|hop| {
                        let via = hop.attributes.iter().find_map(gateway);
                        (via, hop.interface_index)
                    }));
                }
                RouteAttribute::Oif(number) => index = Some(*number),
                other => via = via.or_else(|| gateway(other)),
            }
        }
        if message.header.destination_prefix_length != 0
            || message.header.kind != RouteType::Unicast
            || table != u32::from(RouteHeader::RT_TABLE_MAIN)
        {
            return Ok(None);
        }
        hops.extend(index.map(|index| (via, index)));
        let protocol = u8::from(message.header.protocol);
        Ok(Some(
            hops.into_iter()
                .map(|(via, index)| Self {
                    family,
                    via,
                    index,
                    metric,
                    protocol,
                })
                .collect(),
        ))
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = self.family.kernel();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::from(self.protocol);
        message.header.kind = RouteType::Unicast;
        message.header.scope = match self.via {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        message.attributes.push(RouteAttribute::Oif(self.index));
        if let Some(via) = self.via {
            message.attributes.push(RouteAttribute::Gateway(via.into()));
        }
        if self.metric != 0 {
            message
                .attributes
                .push(RouteAttribute::Priority(self.metric));
        }
        message
    }
}

impl RouteAnswer {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        let Some((_, message)) = read_route(reply)? else {
            return Ok(None);
        };
        let index = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) => Some(*index),
                _ => None,
            });
        let source = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::PrefSource(address) => ip(address),
                _ => None,
            });
        let table = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Table(number) => Some(*number),
                _ => None,
            });
        Ok(index.map(|index| Self {
            via: message.attributes.iter().find_map(gateway),
            index,
            source,
            table: table.unwrap_or_else(|| message.header.table.into()),
            local: message.header.kind == RouteType::Local,
        }))
    }
}

fn read_route(reply: Message<'_>) -> Result<Option<(Family, RouteMessage)>, NetlinkError> {
    if reply.message_type != RTM_NEWROUTE {
        return Ok(None);
    }
    let message = RouteMessage::parse(reply.payload)?;
    Ok(Family::read(message.header.address_family).map(|family| (family, message)))
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        _ => None,
    }
}

impl RouteSocket {
    /// Default routes of the main table for packets of `family`, by rising metric.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn default_routes(&self, family: Family) -> io::Result<Vec<DefaultRouteEntry>> {
        let mut message = RouteMessage::default();
        message.header.address_family = family.kernel();
        let mut routes: Vec<_> = self
            .dump(
                &RouteNetlinkMessage::GetRoute(message),
                DefaultRouteEntry::read,
            )?
            .into_iter()
            .flatten()
            // A kernel without IPv6 answers with what it has.
            .filter(|route| route.family == family)
            .collect();
        routes.sort_by_key(|route| route.metric);
        Ok(routes)
    }

    /// Adds a default route to the main table.
    ///
    /// # Errors
    /// Whatever the kernel says: `EEXIST` when the metric is taken, `ENETUNREACH` when the gateway is
    /// in no network of the link.
    pub fn add_default_route(&self, entry: &DefaultRouteEntry) -> io::Result<()> {
        self.change(
            &RouteNetlinkMessage::NewRoute(entry.message()),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// As [`Self::add_default_route`], in place of the default route of the same metric where there is one.
    ///
    /// # Errors
    /// Whatever the kernel says: `ENETUNREACH` when the gateway is in no network of the link.
    pub fn set_default_route(&self, entry: &DefaultRouteEntry) -> io::Result<()> {
        self.change(
            &RouteNetlinkMessage::NewRoute(entry.message()),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Deletes the default route that the entry describes.
    ///
    /// # Errors
    /// Whatever the kernel says, `ESRCH` when there is no such route.
    pub fn delete_default_route(&self, entry: &DefaultRouteEntry) -> io::Result<()> {
        self.change(&RouteNetlinkMessage::DelRoute(entry.message()), 0)
    }

    /// The default route that packets to `destination` take; `None` when a route of its own, or none, leads
    /// there. Needs Linux 4.13 (`RTM_F_FIB_MATCH`); older kernels answer `None`.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn default_route_to(&self, destination: IpAddr) -> io::Result<Option<DefaultRouteEntry>> {
        let mut request = request_for(destination);
        // The reply is the routing table's entry rather than the route made from it.
        request.header.flags.insert(RouteFlags::FibMatch);
        match self.get(
            &RouteNetlinkMessage::GetRoute(request),
            DefaultRouteEntry::read,
        ) {
            Err(error) if is_unreachable(&error) => Ok(None),
            Ok(entries) => Ok(entries.into_iter().flatten().next()),
            Err(error) => Err(error.into()),
        }
    }

    /// `RTM_GETROUTE` for one destination, for packets from `source` where it is given, which rules may send another
    /// way (ip-rule(8)); `None` when it is unreachable, or, in IPv4, `source` is no address of this host.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn route_to(
        &self,
        destination: IpAddr,
        source: Option<IpAddr>,
    ) -> io::Result<Option<RouteAnswer>> {
        let mut request = request_for(destination);
        if let Some(source) = source {
            request.header.source_prefix_length = Family::from(source).bits();
            request
                .attributes
                .push(RouteAttribute::Source(source.into()));
        }
        // Without this the kernel says the main table whatever it found the route in.
        request.header.flags.insert(RouteFlags::LookupTable);
        match self.get(&RouteNetlinkMessage::GetRoute(request), RouteAnswer::read) {
            Err(error) if is_unreachable(&error) => Ok(None),
            result => result.map_err(io::Error::from),
        }
    }
}

fn request_for(destination: IpAddr) -> RouteMessage {
    let family = Family::from(destination);
    let mut message = RouteMessage::default();
    message.header.address_family = family.kernel();
    message.header.destination_prefix_length = family.bits();
    message
        .attributes
        .push(RouteAttribute::Destination(destination.into()));
    message
}

/// No route, or one of type unreachable, prohibit or blackhole (ip-route(8), in this order).
fn is_unreachable(error: &NetlinkError) -> bool {
    let codes = [
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::EACCES,
        libc::EINVAL,
    ];
    matches!(error, NetlinkError::Kernel(error) if codes.contains(&error.errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::errno;
    use crate::netlink::route::{AddressEntry, emit};
    use crate::netlink::test_namespace::in_new_network;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::{Duration, Instant};

    fn v4(bytes: [u8; 4]) -> IpAddr {
        bytes.into()
    }

    #[test]
    fn a_default_route_decides_where_other_networks_are() {
        in_new_network(
            "netlink::route::default_route::tests::a_default_route_decides_where_other_networks_are",
            || {
                let socket = RouteSocket::open().unwrap();
                let eth1 = socket.add_bridge("eth1").unwrap();
                socket
                    .add_address(&AddressEntry {
                        index: eth1,
                        address: "192.168.2.100/24".parse().unwrap(),
                        label: String::new(),
                        broadcast: None,
                    })
                    .unwrap();
                let client = v4([192, 168, 4, 10]);
                assert_eq!(socket.route_to(client, None).unwrap(), None);
                assert!(socket.default_routes(Family::V4).unwrap().is_empty());

                let director = v4([192, 168, 2, 5]);
                let route = |metric, via| DefaultRouteEntry {
                    family: Family::V4,
                    via,
                    index: eth1,
                    metric,
                    protocol: 4,
                };
                let second = route(100, Some(v4([192, 168, 2, 6])));
                let first = route(0, Some(director));
                let on_link = route(200, None);
                for entry in [&on_link, &second, &first] {
                    socket.add_default_route(entry).unwrap();
                }
                assert_eq!(
                    socket.default_routes(Family::V4).unwrap(),
                    [first.clone(), second.clone(), on_link]
                );
                assert_eq!(
                    socket.route_to(client, None).unwrap(),
                    Some(RouteAnswer {
                        via: Some(director),
                        index: eth1,
                        source: Some(v4([192, 168, 2, 100])),
                        table: 254,
                        local: false,
                    })
                );
                let source = v4([192, 168, 2, 100]);
                let from = socket.route_to(client, Some(source)).unwrap();
                assert_eq!(from.and_then(|answer| answer.via), Some(director));
                let foreign = Some(v4([192, 168, 2, 101]));
                assert_eq!(socket.route_to(client, foreign).unwrap(), None);
                let own = socket.route_to(source, None).unwrap();
                assert!(own.is_some_and(|own| own.local));
                assert_eq!(socket.route_to(director, None).unwrap().unwrap().via, None);
                assert_eq!(
                    socket.default_route_to(client).unwrap(),
                    Some(first.clone())
                );
                assert_eq!(socket.default_route_to(director).unwrap(), None);

                let error = socket.add_default_route(&first).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));
                socket.delete_default_route(&first).unwrap();
                assert_eq!(
                    socket.route_to(client, None).unwrap().unwrap().via,
                    second.via
                );
                let error = socket.delete_default_route(&first).unwrap_err();
                assert_eq!(errno(&error), Some(libc::ESRCH));
            },
        );
    }

    #[test]
    fn a_gateway_outside_every_network_of_the_link_is_refused() {
        in_new_network(
            "netlink::route::default_route::tests::a_gateway_outside_every_network_of_the_link_is_refused",
            || {
                let socket = RouteSocket::open().unwrap();
                let eth1 = socket.add_bridge("eth1").unwrap();
                let error = socket
                    .add_default_route(&DefaultRouteEntry {
                        family: Family::V4,
                        via: Some(v4([192, 168, 2, 5])),
                        index: eth1,
                        metric: 0,
                        protocol: 4,
                    })
                    .unwrap_err();
                assert_eq!(errno(&error), Some(libc::ENETUNREACH));
                assert!(error.to_string().contains("gateway"), "{error}");
            },
        );
    }

    /// The kernel makes an IPv6 address the host's own a moment after it said yes (`addrconf_dad_work`).
    fn wait_until(is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < end, "it never became so");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn an_ipv6_default_route_leaves_the_ipv4_one_alone() {
        in_new_network(
            "netlink::route::default_route::tests::an_ipv6_default_route_leaves_the_ipv4_one_alone",
            || {
                let socket = RouteSocket::open().unwrap();
                let eth1 = socket.add_bridge("eth1").unwrap();
                socket.set_up(eth1, true).unwrap();
                for address in ["192.168.2.100/24", "2001:db8:2::100/64"] {
                    socket
                        .add_address(&AddressEntry {
                            index: eth1,
                            address: address.parse().unwrap(),
                            label: String::new(),
                            broadcast: None,
                        })
                        .unwrap();
                }
                let route = |via: &str| {
                    let via: IpAddr = via.parse().unwrap();
                    let family = Family::from(via);
                    DefaultRouteEntry {
                        family,
                        via: Some(via),
                        index: eth1,
                        metric: family.default_metric(),
                        protocol: 4,
                    }
                };
                let (four, six) = (route("192.168.2.5"), route("2001:db8:2::5"));
                for entry in [&four, &six] {
                    socket.add_default_route(entry).unwrap();
                }
                assert_eq!(
                    socket.default_routes(Family::V4).unwrap(),
                    std::slice::from_ref(&four)
                );
                assert_eq!(
                    socket.default_routes(Family::V6).unwrap(),
                    std::slice::from_ref(&six)
                );
                let error = socket.add_default_route(&six).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));

                let client: IpAddr = "2001:db8:4::10".parse().unwrap();
                let own: IpAddr = "2001:db8:2::100".parse().unwrap();
                // Elsewhere the kernel first looks for duplicates, for seconds.
                let on_lo = AddressEntry {
                    index: socket.link("lo").unwrap().unwrap().index,
                    address: "2001:db8:2::15/128".parse().unwrap(),
                    label: String::new(),
                    broadcast: None,
                };
                socket.set_up(on_lo.index, true).unwrap();
                socket.add_address(&on_lo).unwrap();
                let answer = socket.route_to(client, Some(own)).unwrap().unwrap();
                assert_eq!((answer.via, answer.index), (six.via, eth1));
                assert_eq!((answer.table, answer.local), (254, false));
                let is_local = || {
                    let answer = socket.route_to(on_lo.address.addr(), None).unwrap();
                    answer.is_some_and(|answer| answer.local)
                };
                wait_until(is_local);
                assert_eq!(socket.default_route_to(client).unwrap(), Some(six.clone()));
                assert_eq!(socket.default_route_to(six.via.unwrap()).unwrap(), None);

                socket.delete_default_route(&six).unwrap();
                assert_eq!(socket.route_to(client, None).unwrap(), None);
                assert_eq!(socket.default_routes(Family::V6).unwrap(), []);
                assert_eq!(socket.default_routes(Family::V4).unwrap(), [four]);
            },
        );
    }

    proptest! {
        #[test]
        fn what_is_asked_for_is_read_back(
            six in any::<bool>(),
            (four_via, six_via) in any::<(Option<Ipv4Addr>, Option<Ipv6Addr>)>(),
            index in 1_u32..1000,
            metric in any::<u32>(),
            protocol in any::<u8>(),
        ) {
            let entry = DefaultRouteEntry {
                family: if six { Family::V6 } else { Family::V4 },
                via: if six { six_via.map(IpAddr::V6) } else { four_via.map(IpAddr::V4) },
                index,
                metric,
                protocol,
            };
            let payload = emit(&RouteNetlinkMessage::NewRoute(entry.message()));
            let reply = Message { message_type: RTM_NEWROUTE, payload: &payload };
            prop_assert_eq!(DefaultRouteEntry::read(reply).unwrap(), Some(vec![entry]));
        }

        #[test]
        fn any_bytes_are_read_without_panic(payload in any::<Vec<u8>>()) {
            let reply = || Message { message_type: RTM_NEWROUTE, payload: &payload };
            let _ = (DefaultRouteEntry::read(reply()), RouteAnswer::read(reply()));
        }
    }
}
