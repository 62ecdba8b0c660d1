//! Links: what is there, bridges and veth pairs made and removed, up and down.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    DecodeError, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, parse_string, parse_u32,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkHeader,
    LinkInfo, LinkLayerType, LinkMessage,
};

use super::RouteSocket;
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWLINK`, what links are reported as (`rtnetlink.h`).
const RTM_NEWLINK: u16 = 16;

/// `sizeof(struct ifinfomsg)`.
const LINK_HEADER_BYTES: usize = 16;

/// A link as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Kernel index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// MAC, six bytes for Ethernet, empty where there is none.
    pub mac: Vec<u8>,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`.
    pub carrier: bool,
    /// `IFF_NOARP`.
    pub no_arp: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// ARPHRD_ETHER.
    pub ethernet: bool,
    /// `IFLA_INFO_KIND`: `veth`, `bridge`, ...; `None` for hardware.
    pub kind: Option<String>,
    /// Bridge or bond it is a port of.
    pub controller: Option<u32>,
}

impl Link {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWLINK {
            return Ok(None);
        }
        let header = LinkHeader::parse(reply.payload)?;
        let mut link = Self {
            index: header.index,
            name: String::new(),
            mac: Vec::new(),
            up: header.flags.contains(LinkFlags::Up),
            carrier: header.flags.contains(LinkFlags::LowerUp),
            no_arp: header.flags.contains(LinkFlags::Noarp),
            loopback: header.flags.contains(LinkFlags::Loopback),
            ethernet: header.link_layer_type == LinkLayerType::Ether,
            kind: None,
            controller: None,
        };
        let attributes = reply.payload.get(LINK_HEADER_BYTES..).unwrap_or_default();
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute?;
            let value = attribute.value();
            // These four alone: the library's decoder of all of them does not know every new form, and is a hundred
            // kilobytes that each host would be sent.
            match attribute.kind() {
                libc::IFLA_ADDRESS => link.mac = value.to_vec(),
                libc::IFLA_IFNAME => link.name = parse_string(value)?,
                libc::IFLA_MASTER => link.controller = Some(parse_u32(value)?),
                libc::IFLA_LINKINFO => link.kind = kind(value)?,
                _ => {}
            }
        }
        Ok(Some(link))
    }
}

/// `IFLA_INFO_KIND` in the value of `IFLA_LINKINFO`.
fn kind(info: &[u8]) -> Result<Option<String>, DecodeError> {
    for attribute in NlasIterator::new(info) {
        let attribute = attribute?;
        if attribute.kind() == libc::IFLA_INFO_KIND {
            return parse_string(attribute.value()).map(Some);
        }
    }
    Ok(None)
}

impl RouteSocket {
    /// Every link, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn links(&self) -> io::Result<Vec<Link>> {
        self.dump(
            &RouteNetlinkMessage::GetLink(LinkMessage::default()),
            Link::read,
        )
    }

    /// The link of that name, `None` when there is none.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn link(&self, name: &str) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        match self.get(&RouteNetlinkMessage::GetLink(message), Link::read) {
            Err(NetlinkError::Kernel(error)) if error.errno == libc::ENODEV => Ok(None),
            result => result.map_err(io::Error::from),
        }
    }

    /// Brings a link up or down.
    ///
    /// # Errors
    /// Whatever the kernel says, `ENODEV` for an unknown index.
    pub fn set_up(&self, index: u32, up: bool) -> io::Result<()> {
        let mut message = link_message(index);
        message.header.change_mask = LinkFlags::Up;
        if up {
            message.header.flags = LinkFlags::Up;
        }
        self.change(&RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Creates a bridge (no STP, no forward delay) and sets it up; returns its index.
    ///
    /// # Errors
    /// Whatever the kernel says, `EEXIST` for a name that is taken.
    pub fn add_bridge(&self, name: &str) -> io::Result<u32> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![
                    InfoBridge::StpState(BridgeStpState::Disabled),
                    InfoBridge::ForwardDelay(0),
                ])),
            ]),
        ];
        self.change(
            &RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )?;
        let link = self.link(name)?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("bridge {name} vanished after it was made"),
            )
        })?;
        self.set_up(link.index, true)?;
        Ok(link.index)
    }

    /// Creates a veth pair: `name` here with no address, `peer_name` with `peer_mac` in the network
    /// namespace `peer_namespace`. Both are down.
    ///
    /// # Errors
    /// Whatever the kernel says, `EEXIST` for a name that is taken on either side.
    pub fn add_veth(
        &self,
        name: &str,
        peer_name: &str,
        peer_mac: [u8; 6],
        peer_namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(peer_name.to_owned()),
            LinkAttribute::Address(peer_mac.to_vec()),
            LinkAttribute::NetNsFd(peer_namespace.as_raw_fd()),
        ];
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.change(
            &RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Makes a link a port of a bridge.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_controller(&self, index: u32, controller: u32) -> io::Result<()> {
        let mut message = link_message(index);
        message
            .attributes
            .push(LinkAttribute::Controller(controller));
        self.change(&RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Removes a link; a veth takes its peer with it.
    ///
    /// # Errors
    /// Whatever the kernel says, `ENODEV` for an unknown index.
    pub fn delete_link(&self, index: u32) -> io::Result<()> {
        self.change(&RouteNetlinkMessage::DelLink(link_message(index)), 0)
    }
}

fn link_message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::errno;
    use crate::netlink::test_namespace::{another_network, in_new_network};
    use std::os::fd::AsFd;

    #[test]
    fn a_new_network_has_a_loopback_that_can_be_brought_up() {
        in_new_network(
            "netlink::route::link::tests::a_new_network_has_a_loopback_that_can_be_brought_up",
            || {
                let socket = RouteSocket::open().unwrap();
                let lo = socket.link("lo").unwrap().unwrap();
                assert!(lo.loopback && !lo.up && !lo.ethernet);
                assert!(socket.links().unwrap().contains(&lo));
                socket.set_up(lo.index, true).unwrap();
                let lo = socket.link("lo").unwrap().unwrap();
                assert!(lo.up && lo.carrier);
                socket.set_up(lo.index, false).unwrap();
                assert!(!socket.link("lo").unwrap().unwrap().up);
            },
        );
    }

    #[test]
    fn a_veth_pair_spans_two_networks_and_plugs_into_a_bridge() {
        in_new_network(
            "netlink::route::link::tests::a_veth_pair_spans_two_networks_and_plugs_into_a_bridge",
            || {
                let socket = RouteSocket::open().unwrap();
                let other = another_network();
                let mac = [0x52, 0x4c, 0, 0, 0, 7];
                let bridge = socket.add_bridge("seg0").unwrap();
                socket
                    .add_veth("web1.0", "eth0", mac, other.as_fd())
                    .unwrap();
                let near = socket.link("web1.0").unwrap().unwrap();
                assert_eq!(near.kind.as_deref(), Some("veth"));
                assert!(near.ethernet && !near.up && near.mac.len() == 6);
                socket.set_controller(near.index, bridge).unwrap();
                socket.set_up(near.index, true).unwrap();

                let there = std::thread::spawn(move || {
                    nix::sched::setns(&other, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                    let socket = RouteSocket::open().unwrap();
                    let far = socket.link("eth0").unwrap().unwrap();
                    socket.set_up(far.index, true).unwrap();
                    socket.link("eth0").unwrap().unwrap()
                })
                .join()
                .unwrap();
                assert_eq!(there.mac, mac);
                assert!(there.up && there.carrier);

                let near = socket.link("web1.0").unwrap().unwrap();
                assert_eq!(near.controller, Some(bridge));
                assert!(near.up && near.carrier);
                let seg0 = socket.link("seg0").unwrap().unwrap();
                assert_eq!(seg0.kind.as_deref(), Some("bridge"));
                assert!(seg0.up && seg0.index == bridge);

                socket.delete_link(near.index).unwrap();
                assert_eq!(socket.link("web1.0").unwrap(), None);
            },
        );
    }

    #[test]
    fn a_name_that_is_taken_is_already_exists() {
        in_new_network(
            "netlink::route::link::tests::a_name_that_is_taken_is_already_exists",
            || {
                let socket = RouteSocket::open().unwrap();
                socket.add_bridge("seg0").unwrap();
                let error = socket.add_bridge("seg0").unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                let error = socket.delete_link(4_000_000).unwrap_err();
                assert_eq!(errno(&error), Some(libc::ENODEV));
            },
        );
    }

    #[test]
    fn a_table_larger_than_one_datagram_is_read_to_its_end() {
        in_new_network(
            "netlink::route::link::tests::a_table_larger_than_one_datagram_is_read_to_its_end",
            || {
                let socket = RouteSocket::open().unwrap();
                for number in 0..60 {
                    socket.add_bridge(&format!("seg{number}")).unwrap();
                }
                let names: Vec<_> = socket
                    .links()
                    .unwrap()
                    .into_iter()
                    .map(|link| link.name)
                    .filter(|name| name.starts_with("seg"))
                    .collect();
                assert_eq!(names.len(), 60);
            },
        );
    }
}
