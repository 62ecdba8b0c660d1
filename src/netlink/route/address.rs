//! IPv4 addresses with their labels.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use netlink_packet_core::{DecodeError, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, Parseable};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::RouteSocket;
use crate::netlink::error::NetlinkError;
use crate::netlink::socket::Message;

/// `RTM_NEWADDR`, what addresses are reported as (`rtnetlink.h`).
const RTM_NEWADDR: u16 = 20;

/// `sizeof(struct ifaddrmsg)`.
const ADDRESS_HEADER_BYTES: usize = 8;

/// An IPv4 address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressEntry {
    /// Link index.
    pub index: u32,
    /// Address and prefix.
    pub address: Ipv4Net,
    /// Label (`IFA_LABEL`).
    pub label: String,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
}

impl AddressEntry {
    fn read(reply: Message<'_>) -> Result<Option<Self>, NetlinkError> {
        if reply.message_type != RTM_NEWADDR {
            return Ok(None);
        }
        let header = AddressHeader::parse(reply.payload)?;
        if header.family != AddressFamily::Inet {
            return Ok(None);
        }
        let (mut local, mut peer, mut broadcast, mut label) = (None, None, None, String::new());
        let attributes = reply
            .payload
            .get(ADDRESS_HEADER_BYTES..)
            .unwrap_or_default();
        for attribute in NlasIterator::new(attributes) {
            match AddressAttribute::parse(&attribute?) {
                Ok(AddressAttribute::Local(IpAddr::V4(address))) => local = Some(address),
                Ok(AddressAttribute::Address(IpAddr::V4(address))) => peer = Some(address),
                Ok(AddressAttribute::Broadcast(address)) => broadcast = Some(address),
                Ok(AddressAttribute::Label(text)) => label = text,
                _ => {}
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
        let Some(address) = local.or(peer) else {
            return Ok(None);
        };
        let address = Ipv4Net::new(address, header.prefix_len)
            .map_err(|_| DecodeError::from("an IPv4 prefix is longer than 32 bits"))?;
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
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = self.address.prefix_len();
        message.header.index = self.index;
        // As `ip address add` does: 127.0.0.0/8 never leaves the host.
        if address.is_loopback() {
            message.header.scope = AddressScope::Host;
        }
        message.attributes = vec![
            AddressAttribute::Local(address.into()),
            AddressAttribute::Address(address.into()),
        ];
        if !self.label.is_empty() {
            message
                .attributes
                .push(AddressAttribute::Label(self.label.clone()));
        }
        message
    }
}

impl RouteSocket {
    /// Every IPv4 address, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn addresses(&self) -> io::Result<Vec<AddressEntry>> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        self.dump(
            &RouteNetlinkMessage::GetAddress(message),
            AddressEntry::read,
        )
    }

    /// Adds an address; an empty `label` is the link's name, broadcast as the entry says.
    ///
    /// # Errors
    /// Whatever the kernel says, `EEXIST` when the link has the address with that prefix.
    pub fn add_address(&self, entry: &AddressEntry) -> io::Result<()> {
        let mut message = entry.message();
        if let Some(broadcast) = entry.broadcast {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        self.change(
            &RouteNetlinkMessage::NewAddress(message),
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
    use crate::netlink::test_namespace::in_new_network;

    fn entry(index: u32, address: &str, label: &str) -> AddressEntry {
        let address: Ipv4Net = address.parse().unwrap();
        AddressEntry {
            index,
            address,
            label: label.to_owned(),
            broadcast: (address.prefix_len() < 31).then(|| address.broadcast()),
        }
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
                assert_eq!(socket.addresses().unwrap(), wanted);

                let error = socket.add_address(&wanted[1]).unwrap_err();
                assert_eq!(errno(&error), Some(libc::EEXIST));
                socket.delete_address(&wanted[2]).unwrap();
                socket.delete_address(&wanted[0]).unwrap();
                assert_eq!(socket.addresses().unwrap(), wanted[1..2]);
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
                assert_eq!(
                    socket.addresses().unwrap(),
                    [entry(eth0, "192.168.4.5/24", "eth0")]
                );
                socket
                    .delete_address(&entry(eth0, "192.168.4.5/24", ""))
                    .unwrap();
                assert!(socket.addresses().unwrap().is_empty());
            },
        );
    }
}
