//! rtnetlink: links, addresses, routes, neighbours of the network namespace the socket was opened in.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;

use ipnet::Ipv4Net;

/// A route-netlink socket, bound to the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct RouteSocket {}

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
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// ARPHRD_ETHER.
    pub ethernet: bool,
    /// `IFLA_INFO_KIND`: `veth`, `bridge`, ...; `None` for hardware.
    pub kind: Option<String>,
    /// Bridge or bond it is a port of.
    pub controller: Option<u32>,
}

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
}

/// A neighbour entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// Link index.
    pub index: u32,
    /// Address.
    pub address: Ipv4Addr,
    /// MAC, empty while unresolved.
    pub mac: Vec<u8>,
    /// Kernel state in lower case, `reachable`.
    pub state: String,
}

#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::todo,
    unused_variables,
    reason = "signatures first"
)]
impl RouteSocket {
    pub fn open() -> io::Result<Self> {
        todo!()
    }
    pub fn links(&self) -> io::Result<Vec<Link>> {
        todo!()
    }
    pub fn link(&self, name: &str) -> io::Result<Option<Link>> {
        todo!()
    }
    pub fn set_up(&self, index: u32, up: bool) -> io::Result<()> {
        todo!()
    }
    /// Creates a bridge (no STP, no forward delay) and sets it up; returns its index.
    pub fn add_bridge(&self, name: &str) -> io::Result<u32> {
        todo!()
    }
    /// Creates a veth pair: `name` here with no address, `peer_name` with `peer_mac` in the namespace `peer_namespace`.
    pub fn add_veth(
        &self,
        name: &str,
        peer_name: &str,
        peer_mac: [u8; 6],
        peer_namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        todo!()
    }
    pub fn set_controller(&self, index: u32, controller: u32) -> io::Result<()> {
        todo!()
    }
    pub fn delete_link(&self, index: u32) -> io::Result<()> {
        todo!()
    }
    pub fn addresses(&self) -> io::Result<Vec<AddressEntry>> {
        todo!()
    }
    /// Adds an address; `label` defaults to the link's name, broadcast as the entry says.
    pub fn add_address(&self, entry: &AddressEntry) -> io::Result<()> {
        todo!()
    }
    pub fn delete_address(&self, entry: &AddressEntry) -> io::Result<()> {
        todo!()
    }
    pub fn default_routes(&self) -> io::Result<Vec<DefaultRouteEntry>> {
        todo!()
    }
    pub fn add_default_route(&self, entry: &DefaultRouteEntry) -> io::Result<()> {
        todo!()
    }
    pub fn delete_default_route(&self, entry: &DefaultRouteEntry) -> io::Result<()> {
        todo!()
    }
    /// `RTM_GETROUTE` for one destination; `None` when it is unreachable.
    pub fn route_to(&self, destination: Ipv4Addr) -> io::Result<Option<RouteAnswer>> {
        todo!()
    }
    pub fn neighbours(&self) -> io::Result<Vec<NeighbourEntry>> {
        todo!()
    }
}
