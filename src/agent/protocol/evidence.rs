//! Evidence from one host, for the checks.

use std::net::{IpAddr, SocketAddrV4};

use serde::{Deserialize, Serialize};

use super::ResourceError;
use crate::ipvs;
use crate::keeper::BootFiles;
use crate::model::InterfaceName;
use crate::resource::{AddressState, Observed};

/// Evidence from one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostEvidence {
    /// State per resource of [`Collect::resources`], same order.
    pub observed: Vec<Result<Observed, ResourceError>>,
    /// Every address, without the link-local ones of IPv6.
    pub addresses: Vec<AddressState>,
    /// Every interface with its MAC.
    pub links: Vec<LinkEvidence>,
    /// The files that a boot reads, with [`Collect::boot_files`].
    #[serde(default)]
    pub boot_files: Option<BootFiles>,
    /// The kernel's answer per [`Collect::routes_to`].
    pub routes: Vec<RouteEvidence>,
    /// Listening TCP sockets.
    pub listeners: Vec<Listener>,
    /// The neighbour tables, without multicast groups.
    pub neighbours: Vec<Neighbour>,
    /// IPVS table, where asked for; the error's text where it cannot be read.
    pub ipvs: Option<Result<ipvs::Table, String>>,
    /// Traffic of all services since the module was loaded, with [`Collect::ipvs`]: the sum over the CPUs in
    /// `/proc/net/ip_vs_stats_percpu`. These counters are live; the kernel copies those of [`Self::ipvs`] only every two
    /// seconds, too seldom to compare before and after. Rates are not filled in.
    #[serde(default)]
    pub ipvs_totals: Option<ipvs::Counters>,
    /// Entries of `/proc/net/ip_vs_conn` of the client of [`Collect::ipvs_connections_of`], where asked for
    /// and readable; persistence templates (client port 0) left out.
    #[serde(default)]
    pub ipvs_connections: Option<Vec<ConnectionEntry>>,
    /// The packet filter's rules, with [`Collect::firewall`].
    #[serde(default)]
    pub firewall: FirewallEvidence,
    /// Directories above the file of [`Collect::directories_above`], the outermost first, without `/`.
    #[serde(default)]
    pub directories: Vec<DirectoryEvidence>,
}

/// What filters packets on a host, as its own tools print it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FirewallEvidence {
    /// `nft -j list ruleset` (libnftables-json(5)), where nf_tables has any table.
    pub nft: Option<String>,
    /// `iptables-save`, where the older ip_tables has any, or `nft` cannot tell what iptables made of its tables.
    pub iptables: Option<String>,
    /// Why rules that are there could not be read, a lower-case fragment.
    pub unread: Option<String>,
}

impl FirewallEvidence {
    /// Whether nft shows a rule of an extension of iptables (`REJECT`, `-m comment`): without what it says, so that
    /// only iptables itself can tell.
    #[must_use]
    pub fn nft_has_extensions(&self) -> bool {
        self.nft
            .as_ref()
            .is_some_and(|text| text.contains("\"xt\":"))
    }
}

/// Who gets into a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEvidence {
    /// Absolute path.
    pub path: String,
    /// Permission bits, set-id and sticky included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A TCP connection in the director's IPVS connection table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionEntry {
    /// Client.
    pub client: SocketAddrV4,
    /// VIP and port.
    pub service: SocketAddrV4,
    /// Real server.
    pub destination: SocketAddrV4,
    /// Kernel's state, `ESTABLISHED`, `SYN_RECV`, ...
    pub state: String,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEvidence {
    /// Name.
    pub name: InterfaceName,
    /// MAC in lower case with colons.
    pub mac: String,
    /// Administratively up.
    pub up: bool,
    /// Has carrier.
    pub carrier: bool,
    /// Neither asks nor answers by ARP (`IFF_NOARP`, netdevice(7)).
    #[serde(default)]
    pub no_arp: bool,
}

/// The kernel's route for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEvidence {
    /// Destination asked for.
    pub to: IpAddr,
    /// Next hop, `None` when it is on the link.
    pub via: Option<IpAddr>,
    /// Interface, `None` when there is no route.
    pub interface: Option<InterfaceName>,
    /// Source address the kernel would use.
    pub source: Option<IpAddr>,
    /// Routing table of the route; 254 is the main one. `None` when there is no route, and in evidence from older
    /// versions.
    #[serde(default)]
    pub table: Option<u32>,
    /// Whether packets for it stay on the host: it has the address, or one on `lo` whose network covers it.
    #[serde(default)]
    pub local: bool,
    /// The main table's most specific route for it, as `ip route del` takes it:
    /// `blackhole 192.168.4.0/24`, `192.168.4.10 via 192.168.2.77 dev eth1`.
    #[serde(default)]
    pub entry: Option<String>,
}

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Address, `0.0.0.0` or `::` for any.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// A neighbour entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Address.
    pub address: IpAddr,
    /// Interface.
    pub interface: InterfaceName,
    /// MAC in lower case with colons, `None` while unresolved.
    pub mac: Option<String>,
    /// Kernel state, `reachable`, `stale`, `failed`, ...
    pub state: String,
}
