//! Default routes of the main table, and what the kernel would do with a packet.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Parseable};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::RouteSocket;
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWROUTE`, what routes are reported as (`rtnetlink.h`).
const RTM_NEWROUTE: u16 = 24;

/// A default route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRouteEntry {
    /// Gateway.
    pub via: Option<Ipv4Addr>,
    /// Link index.
    pub index: u32,
    /// Metric, 0 when unset.
    pub metric: u32,
    /// `rtm_protocol`.
    pub protocol: u8,
}

/// What the kernel would do with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// Next hop.
    pub via: Option<Ipv4Addr>,
    /// Link index.
    pub index: u32,
    /// Source address.
    pub source: Option<Ipv4Addr>,
    /// Table that the route was found in (`RTA_TABLE`): 254 is the main one, which the kernel also says of the host's
    /// own addresses as long as there are no rules of one's own (`ip-rule(8)`).
    pub table: u32,
    /// Whether the packet stays on the host (`RTN_LOCAL`).
    pub local: bool,
}

impl DefaultRouteEntry {
    /// A route with several next hops is one entry for each.
    fn read(reply: Message<'_>) -> Result<Option<Vec<Self>>, NetlinkError> {
        let Some(message) = read_route(reply)? else {
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
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::from(self.protocol);
        message.header.kind = RouteType::Unicast;
        message.header.scope = match self.via {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        message.attributes.push(RouteAttribute::Oif(self.index));
        if let Some(via) = self.via {
            message
                .attributes
                .push(RouteAttribute::Gateway(RouteAddress::Inet(via)));
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
        let Some(message) = read_route(reply)? else {
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
                RouteAttribute::PrefSource(RouteAddress::Inet(address)) => Some(*address),
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

fn read_route(reply: Message<'_>) -> Result<Option<RouteMessage>, NetlinkError> {
    if reply.message_type != RTM_NEWROUTE {
        return Ok(None);
    }
    let message = RouteMessage::parse(reply.payload)?;
    Ok((message.header.address_family == AddressFamily::Inet).then_some(message))
}

fn gateway(attribute: &RouteAttribute) -> Option<Ipv4Addr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    }
}

impl RouteSocket {
    /// Default routes of the main table by rising metric.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn default_routes(&self) -> io::Result<Vec<DefaultRouteEntry>> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        let mut routes: Vec<_> = self
            .dump(
                &RouteNetlinkMessage::GetRoute(message),
                DefaultRouteEntry::read,
            )?
            .into_iter()
            .flatten()
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
    pub fn default_route_to(&self, destination: Ipv4Addr) -> io::Result<Option<DefaultRouteEntry>> {
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
    /// way (ip-rule(8)); `None` when it is unreachable, or `source` no address of this host.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn route_to(
        &self,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
    ) -> io::Result<Option<RouteAnswer>> {
        let mut request = request_for(destination);
        if let Some(source) = source {
            request.header.source_prefix_length = 32;
            request
                .attributes
                .push(RouteAttribute::Source(RouteAddress::Inet(source)));
        }
        // Without this the kernel says the main table whatever it found the route in.
        request.header.flags.insert(RouteFlags::LookupTable);
        match self.get(&RouteNetlinkMessage::GetRoute(request), RouteAnswer::read) {
            Err(error) if is_unreachable(&error) => Ok(None),
            result => result.map_err(io::Error::from),
        }
    }
}

fn request_for(destination: Ipv4Addr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message
        .attributes
        .push(RouteAttribute::Destination(RouteAddress::Inet(destination)));
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
    use crate::netlink::route::AddressEntry;
    use crate::netlink::test_namespace::in_new_network;

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
                let client = Ipv4Addr::new(192, 168, 4, 10);
                assert_eq!(socket.route_to(client, None).unwrap(), None);
                assert!(socket.default_routes().unwrap().is_empty());

                let director = Ipv4Addr::new(192, 168, 2, 5);
                let route = |metric, via| DefaultRouteEntry {
                    via,
                    index: eth1,
                    metric,
                    protocol: 4,
                };
                let second = route(100, Some(Ipv4Addr::new(192, 168, 2, 6)));
                let first = route(0, Some(director));
                let on_link = route(200, None);
                for entry in [&on_link, &second, &first] {
                    socket.add_default_route(entry).unwrap();
                }
                assert_eq!(
                    socket.default_routes().unwrap(),
                    [first.clone(), second.clone(), on_link]
                );
                assert_eq!(
                    socket.route_to(client, None).unwrap(),
                    Some(RouteAnswer {
                        via: Some(director),
                        index: eth1,
                        source: Some(Ipv4Addr::new(192, 168, 2, 100)),
                        table: 254,
                        local: false,
                    })
                );
                let source = Ipv4Addr::new(192, 168, 2, 100);
                let from = socket.route_to(client, Some(source)).unwrap();
                assert_eq!(from.and_then(|answer| answer.via), Some(director));
                let foreign = Some(Ipv4Addr::new(192, 168, 2, 101));
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
                        via: Some(Ipv4Addr::new(192, 168, 2, 5)),
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
}
