//! rtnetlink: links, addresses, routes and neighbours, IPv4 and IPv6, of the network namespace the socket was opened in.
//!
//! Functions return [`std::io::Error`] with errno's kind; [`super::errno`] gets the number back.

mod address;
mod default_route;
mod family;
mod link;
mod neighbour;
mod table;

use std::io;

use netlink_packet_core::Emitable;
use netlink_packet_route::RouteNetlinkMessage;

use super::error::NetlinkError;
use super::socket::{Message, Socket};

pub use address::AddressEntry;
pub use default_route::{DefaultRouteEntry, RouteAnswer};
pub use family::Family;
pub use link::Link;
pub use neighbour::NeighbourEntry;
pub use table::{RouteEntry, most_specific};

/// `RTM_NEWROUTE`, what routes are reported as (`rtnetlink.h`).
const RTM_NEWROUTE: u16 = 24;

/// A route-netlink socket, bound to the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct RouteSocket {
    socket: Socket,
}

impl RouteSocket {
    /// Opens a socket in the current network namespace.
    ///
    /// # Errors
    /// Whatever the system says of `socket` or `bind`.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open(netlink_sys::protocols::NETLINK_ROUTE)?;
        Ok(Self { socket })
    }

    fn change(&self, message: &RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.socket
            .request(message.message_type(), flags, &emit(message), &mut |_| {
                Ok(())
            })
            .map_err(io::Error::from)
    }

    /// The first reply to a request for one object.
    fn get<T>(
        &self,
        message: &RouteNetlinkMessage,
        read: impl Fn(Message<'_>) -> Result<Option<T>, NetlinkError>,
    ) -> Result<Option<T>, NetlinkError> {
        let mut found = None;
        self.socket
            .request(message.message_type(), 0, &emit(message), &mut |reply| {
                if found.is_none() {
                    found = read(reply)?;
                }
                Ok(())
            })?;
        Ok(found)
    }

    fn dump<T>(
        &self,
        message: &RouteNetlinkMessage,
        read: impl Fn(Message<'_>) -> Result<Option<T>, NetlinkError>,
    ) -> io::Result<Vec<T>> {
        self.socket
            .dump(message.message_type(), &emit(message), &mut |reply| {
                read(reply)
            })
            .map_err(io::Error::from)
    }
}

fn emit(message: &RouteNetlinkMessage) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}
