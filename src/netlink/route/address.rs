//! Addresses, those of IPv4 with their labels.

use std::io;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressMessage, AddressScope,
};

use super::{Family, RouteSocket};
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWADDR`, what addresses are reported as (`rtnetlink.h`).
const RTM_NEWADDR: u16 = 20;

/// `sizeof(struct ifaddrmsg)`.
const ADDRESS_HEADER_BYTES: usize = 8;

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressEntry {
    /// Link index.
    pub index: u32,
    /// Address and prefix.
    pub address: IpNet,
    /// Label (`IFA_LABEL`); empty for IPv6, which has none.
    pub label: String,
    /// Broadcast address; IPv6 has none.
    pub broadcast: Option<Ipv4Addr>,
}

impl AddressEntry {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWADDR {
            return Ok(None);
        }
        let header = AddressHeader::parse(reply.payload)?;
        if Family::read(header.family).is_none() {
            return Ok(None);
        }
        let (mut local, mut peer, mut broadcast, mut label) = (None, None, None, String::new());
        let attributes = reply
            .payload
            .get(ADDRESS_HEADER_BYTES..)
            .unwrap_or_default();
        for attribute in NlasIterator::new(attributes) {
            match AddressAttribute::parse(&attribute?) {
                Ok(AddressAttribute::Local(address)) => local = Some(address),
                Ok(AddressAttribute::Address(address)) => peer = Some(address),
                Ok(AddressAttribute::Broadcast(address)) => broadcast = Some(address),
                Ok(AddressAttribute::Label(text)) => label = text,
                _ => {}
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
        let Some(address) = local.or(peer) else {
            return Ok(None);
        };
        let address = IpNet::new(address, header.prefix_len)
            .map_err(|_| DecodeError::from("a prefix is longer than its address"))?;
        Ok(Some(Self {
            index: header.index,
            address,
            label,
            broadcast,
        }))
    }

    fn message(&self) -> AddressMessage {
        let address = self.address.addr();
        let mut message = AddressMessage::default();
        message.header.family = Family::from(address).kernel();
        message.header.prefix_len = self.address.prefix_len();
        message.header.index = self.index;
        // As `ip address add` does: 127.0.0.0/8 and ::1 never leave the host.
        if address.is_loopback() {
            message.header.scope = AddressScope::Host;
        }
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        if address.is_ipv4() && !self.label.is_empty() {
            message
                .attributes
                .push(AddressAttribute::Label(self.label.clone()));
        }
        message
    }

    /// With what only the request for a new address has.
    fn new_message(&self) -> AddressMessage {
        let mut message = self.message();
        if let (IpNet::V4(_), Some(broadcast)) = (self.address, self.broadcast) {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        message
    }
}

impl RouteSocket {
    /// Every address in the kernel's order, IPv4 first.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn addresses(&self) -> io::Result<Vec<AddressEntry>> {
        self.dump(
            &RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            AddressEntry::read,
        )
    }

    /// Adds an address; an empty `label` is the link's name, broadcast as the entry says.
    ///
    /// # Errors
    /// Whatever the kernel says, `EEXIST` when the link has the address with that prefix.
    pub fn add_address(&self, entry: &AddressEntry) -> io::Result<()> {
        self.change(
            &RouteNetlinkMessage::NewAddress(entry.new_message()),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Deletes an address. An empty `label` matches any.
    ///
    /// Where `promote_secondaries` is 0 the kernel takes the other addresses of the same network with it.
    ///
    /// # Errors
    /// Whatever the kernel says, `EADDRNOTAVAIL` when there is no such address.
    pub fn delete_address(&self, entry: &AddressEntry) -> io::Result<()> {
        self.change(&RouteNetlinkMessage::DelAddress(entry.message()), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::errno;
    use crate::netlink::route::emit;
    use crate::netlink::test_namespace::in_new_network;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn entry(index: u32, address: &str, label: &str) -> AddressEntry {
        let address: IpNet = address.parse().unwrap();
        let broadcast = match address {
            IpNet::V4(net) if net.prefix_len() < 31 => Some(net.broadcast()),
            _ => None,
        };
        AddressEntry {
            index,
            address,
            label: label.to_owned(),
            broadcast,
        }
    }

    /// All but those that the kernel gives each link by itself.
    fn addresses(socket: &RouteSocket) -> Vec<AddressEntry> {
        let mut found = socket.addresses().unwrap();
        found.retain(|entry| match entry.address {
            IpNet::V4(_) => true,
            IpNet::V6(net) => !net.addr().is_unicast_link_local(),
        });
        found
    }

    #[test]
    fn aliases_keep_their_label_prefix_and_broadcast() {
        in_new_network(
            "netlink::route::address::tests::aliases_keep_their_label_prefix_and_broadcast",
            || {
                let socket = RouteSocket::open().unwrap();
                let lo = socket.link("lo").unwrap().unwrap().index;
                let eth0 = socket.add_bridge("eth0").unwrap();
                let wanted = [
                    entry(lo, "192.168.4.15/32", "lo:0"),
                    entry(eth0, "192.168.4.5/24", "eth0"),
                    entry(eth0, "192.168.4.15/24", "eth0:0"),
                ];
                for address in &wanted {
                    socket.add_address(address).unwrap();
                }
                assert_eq!(addresses(&socket), wanted);

                let error = socket.add_address(&wanted[1]).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));
                socket.delete_address(&wanted[2]).unwrap();
                socket.delete_address(&wanted[0]).unwrap();
                assert_eq!(addresses(&socket), wanted[1..2]);
                let error = socket.delete_address(&wanted[2]).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EADDRNOTAVAIL));
            },
        );
    }

    #[test]
    fn an_empty_label_becomes_the_name_of_the_link() {
        in_new_network(
            "netlink::route::address::tests::an_empty_label_becomes_the_name_of_the_link",
            || {
                let socket = RouteSocket::open().unwrap();
                let eth0 = socket.add_bridge("eth0").unwrap();
                socket
                    .add_address(&entry(eth0, "192.168.4.5/24", ""))
                    .unwrap();
                assert_eq!(addresses(&socket), [entry(eth0, "192.168.4.5/24", "eth0")]);
                socket
                    .delete_address(&entry(eth0, "192.168.4.5/24", ""))
                    .unwrap();
                assert!(addresses(&socket).is_empty());
            },
        );
    }

    #[test]
    fn addresses_of_both_families_are_set_and_read_and_deleted() {
        in_new_network(
            "netlink::route::address::tests::addresses_of_both_families_are_set_and_read_and_deleted",
            || {
                let socket = RouteSocket::open().unwrap();
                let lo = socket.link("lo").unwrap().unwrap().index;
                let eth0 = socket.add_bridge("eth0").unwrap();
                let wanted = [
                    entry(eth0, "192.168.4.5/24", "eth0"),
                    entry(lo, "2001:db8:4::15/128", ""),
                    entry(eth0, "2001:db8:4::5/64", ""),
                ];
                for address in &wanted {
                    socket.add_address(address).unwrap();
                }
                assert_eq!(addresses(&socket), wanted);
                let error = socket.add_address(&wanted[2]).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));
                socket.delete_address(&wanted[1]).unwrap();
                socket.delete_address(&wanted[2]).unwrap();
                assert_eq!(addresses(&socket), wanted[..1]);
                let error = socket.delete_address(&wanted[2]).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EADDRNOTAVAIL));
            },
        );
    }

    proptest! {
        #[test]
        fn what_is_asked_for_is_read_back(
            index in 1_u32..1000,
            address in any::<IpAddr>(),
            prefix in 0_u8..=128,
            label in "[a-z]{1,5}[0-9]?(:[0-9])?",
            broadcast in any::<Option<Ipv4Addr>>(),
        ) {
            let v4 = address.is_ipv4();
            let bits = Family::from(address).bits();
            let entry = AddressEntry {
                index,
                address: IpNet::new(address, prefix.min(bits)).unwrap(),
                label: if v4 { label } else { String::new() },
                broadcast: broadcast.filter(|_| v4),
            };
            let payload = emit(&RouteNetlinkMessage::NewAddress(entry.new_message()));
            let reply = Message { message_type: RTM_NEWADDR, payload: &payload };
            prop_assert_eq!(AddressEntry::read(reply).unwrap(), Some(entry));
        }

        #[test]
        fn any_bytes_are_read_without_panic(payload in any::<Vec<u8>>()) {
            let reply = Message { message_type: RTM_NEWADDR, payload: &payload };
            let _ = AddressEntry::read(reply);
        }
    }
}
