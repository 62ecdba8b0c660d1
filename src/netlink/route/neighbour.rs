//! The neighbour tables: ARP for IPv4, neighbour discovery for IPv6.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::{Family, RouteSocket};
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWNEIGH`, what neighbours are reported as (`rtnetlink.h`).
const RTM_NEWNEIGH: u16 = 28;

/// A neighbour entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// Link index.
    pub index: u32,
    /// Address.
    pub address: IpAddr,
    /// MAC, empty while unresolved.
    pub mac: Vec<u8>,
    /// Kernel state in lower case, `reachable`.
    pub state: String,
}

impl NeighbourEntry {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWNEIGH {
            return Ok(None);
        }
        let message = NeighbourMessage::parse(reply.payload)?;
        if Family::read(message.header.family).is_none() {
            return Ok(None);
        }
        let (mut address, mut mac) = (None, Vec::new());
        for attribute in message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                    address = Some(IpAddr::V4(found));
                }
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => {
                    address = Some(IpAddr::V6(found));
                }
                NeighbourAttribute::LinkLayerAddress(found) => mac = found,
                _ => {}
            }
        }
        Ok(address.map(|address| Self {
            index: message.header.ifindex,
            address,
            mac,
            state: message.header.state.to_string(),
        }))
    }
}

impl RouteSocket {
    /// Every neighbour entry of both families, those without an answer too.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn neighbours(&self) -> io::Result<Vec<NeighbourEntry>> {
        self.dump(
            &RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
            NeighbourEntry::read,
        )
    }

    /// Makes `mac` the one that the kernel has for an address, to be confirmed when it is used next (stale).
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_neighbour(&self, index: u32, address: IpAddr, mac: &[u8]) -> io::Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = Family::from(address).kernel();
        message.header.ifindex = index;
        message.header.state = NeighbourState::Stale;
        message.attributes = vec![
            NeighbourAttribute::Destination(address.into()),
            NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        ];
        self.change(
            &RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::route::{AddressEntry, RouteSocket};
    use crate::netlink::test_namespace::{another_network, in_new_network};
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn talking_to_a_host_leaves_its_mac_in_the_table() {
        in_new_network(
            "netlink::route::neighbour::tests::talking_to_a_host_leaves_its_mac_in_the_table",
            || {
                let socket = RouteSocket::open().unwrap();
                let other = another_network();
                let mac = [0x52, 0x4c, 0, 0, 0, 5];
                socket.add_veth("eth0", "eth0", mac, other.as_fd()).unwrap();
                let configure = |socket: &RouteSocket, address: &str| {
                    let index = socket.link("eth0").unwrap().unwrap().index;
                    socket
                        .add_address(&AddressEntry {
                            index,
                            address: address.parse().unwrap(),
                            label: String::new(),
                            broadcast: None,
                        })
                        .unwrap();
                    socket.set_up(index, true).unwrap();
                    index
                };
                let listener = std::thread::spawn(move || {
                    nix::sched::setns(&other, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                    configure(&RouteSocket::open().unwrap(), "192.168.4.5/24");
                    TcpListener::bind("192.168.4.5:80").unwrap()
                })
                .join()
                .unwrap();
                let index = configure(&socket, "192.168.4.10/24");
                let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
                let mut stream = TcpStream::connect("192.168.4.5:80").unwrap();
                assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
                server.join().unwrap();

                let neighbours = socket.neighbours().unwrap();
                let director = neighbours
                    .iter()
                    .find(|entry| entry.address == IpAddr::from([192, 168, 4, 5]))
                    .unwrap();
                assert_eq!((director.index, &director.mac[..]), (index, &mac[..]));
                assert!(
                    ["reachable", "delay", "stale", "probe"].contains(&director.state.as_str()),
                    "{director:?}"
                );
            },
        );
    }

    #[test]
    fn a_neighbour_of_either_family_is_set_and_read() {
        in_new_network(
            "netlink::route::neighbour::tests::a_neighbour_of_either_family_is_set_and_read",
            || {
                let socket = RouteSocket::open().unwrap();
                let index = socket.add_bridge("eth0").unwrap();
                socket.set_up(index, true).unwrap();
                let mac = [0x52, 0x4c, 0, 0, 0, 5];
                for address in ["192.168.4.5", "2001:db8:4::5"] {
                    let address: IpAddr = address.parse().unwrap();
                    socket.set_neighbour(index, address, &mac).unwrap();
                    let entry = NeighbourEntry {
                        index,
                        address,
                        mac: mac.to_vec(),
                        state: "stale".to_owned(),
                    };
                    assert!(socket.neighbours().unwrap().contains(&entry));
                }
            },
        );
    }
}
