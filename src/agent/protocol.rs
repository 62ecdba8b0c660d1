//! What controller and agent say to each other: frames of a 32-bit big-endian length and that many bytes of JSON.
//!
//! The agent opens with [`Reply::Hello`]. Each [`Request`] is answered by any number of
//! [`Reply::Progress`] and then exactly one other reply. End of input ends the agent.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

use crate::ipvs;
use crate::model::{InterfaceName, LabName};
use crate::resource::{AddressState, Change, Facts, Observed, Resource, ResourceId};

/// Version of this protocol; both sides are the same binary, so it must match exactly.
pub const VERSION: u32 = 1;

/// Largest frame either side accepts, bytes.
pub const MAX_FRAME_BYTES: u32 = 64 * 1024 * 1024;

/// From the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// What are you? Answered by [`Reply::Facts`].
    Facts {
        /// Lab whose journal is looked at.
        lab: LabName,
    },
    /// Observe without changing anything. Answered by [`Reply::Observed`].
    Observe {
        /// Resources, in plan order.
        resources: Vec<Resource>,
    },
    /// Make it true, in order, under the host's lock, with a journal. Answered by [`Reply::Applied`].
    Apply(Apply),
    /// Put everything this lab's journal holds back as it was. Answered by [`Reply::Reverted`].
    Revert {
        /// Lab.
        lab: LabName,
        /// Who runs it, for the lock and its messages.
        run: String,
        /// Remove the packages we installed, too.
        purge: bool,
    },
    /// Evidence beyond the plan's resources. Answered by [`Reply::Evidence`].
    Collect(Collect),
    /// Real requests with the system's own `curl`. Answered by [`Reply::Fetched`].
    Fetch(Fetch),
    /// What a person would type, in one shell, under the host's lock. Answered by [`Reply::Ran`].
    Script(Script),
    /// Tell the neighbours by ARP which MAC an address of this host has. Answered by [`Reply::Announced`].
    Announce {
        /// The address.
        address: Ipv4Addr,
    },
    /// Begin to keep frames; one capture at a time, a new one ends the last. Answered by
    /// [`Reply::CaptureStarted`].
    CaptureStart(CaptureStart),
    /// End it and hand over what was kept. Answered by [`Reply::Captured`].
    CaptureStop(CaptureStop),
}

/// See [`Request::Apply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// Lab.
    pub lab: LabName,
    /// Who runs it, for the lock and its messages: `user@host pid`.
    pub run: String,
    /// Resources, in order of application.
    pub resources: Vec<Resource>,
}

/// See [`Request::Collect`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Collect {
    /// Resources to observe, in plan order.
    pub resources: Vec<Resource>,
    /// Dotted sysctls to look up in the files that are read at boot.
    pub boot_sysctls: Vec<String>,
    /// Destinations to ask the kernel's route for.
    pub routes_to: Vec<Ipv4Addr>,
    /// Whether to read the IPVS table.
    pub ipvs: bool,
    /// Client whose entries of the IPVS connection table are wanted.
    #[serde(default)]
    pub ipvs_connections_of: Option<Ipv4Addr>,
    /// Whether to read the packet filter's rules.
    #[serde(default)]
    pub firewall: bool,
    /// Whether to read where the web server is configured to listen.
    #[serde(default)]
    pub listen_lines: bool,
}

/// See [`Request::Fetch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetch {
    /// `http://192.168.4.15/`.
    pub url: String,
    /// Number of requests, each on a connection of its own.
    pub requests: u32,
    /// Longest time for one request, seconds.
    pub timeout_seconds: u32,
    /// Longest time for all of them, seconds.
    pub total_seconds: u32,
    /// The first so many requests come from ports of [`Self::ports`], so that captures can tell their frames
    /// from those of the others.
    #[serde(default)]
    pub marked: u32,
    /// Local ports of the marked requests.
    #[serde(default)]
    pub ports: Option<Ports>,
    /// Requests that may time out; the rest is not sent then. 0 for any number.
    ///
    /// One more timeout tells nothing new and costs as long as hundreds of answers.
    #[serde(default)]
    pub most_timeouts: u32,
}

/// A run of TCP ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
}

impl Ports {
    /// Whether `port` is one of them.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

/// See [`Request::CaptureStart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureStart {
    /// Where to listen: Ethernet interfaces, or `lo`.
    pub interfaces: Vec<InterfaceName>,
    /// Whose TCP connections are kept.
    pub client: Ipv4Addr,
    /// Which of them, by the client's port.
    pub ports: Ports,
    /// ARP packets about these addresses are kept.
    pub addresses: Vec<Ipv4Addr>,
    /// Frames that arrive later than so many seconds after the start are not kept.
    pub seconds: u32,
    /// Most frames that are kept.
    pub most_frames: u32,
}

/// See [`Request::CaptureStop`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CaptureStop {
    /// Who has an address? Asked at the end, so that what is being captured goes on undisturbed.
    pub arp: Option<ArpProbe>,
}

/// ARP requests of our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArpProbe {
    /// Where to ask; one of the capture's interfaces, or the answers are not kept.
    pub interface: InterfaceName,
    /// Who asks.
    pub sender: Ipv4Addr,
    /// Address that is asked for.
    pub target: Ipv4Addr,
    /// Requests, spread over the window.
    pub requests: u32,
    /// How long to wait for answers from the first request on, milliseconds.
    pub window_milliseconds: u32,
}

/// See [`Request::Script`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Who runs it, for the lock and its messages: `user@host pid`.
    pub run: String,
    /// Lines for sh(1), which stops at the first that fails.
    pub lines: Vec<String>,
    /// Longest time, seconds.
    pub seconds: u32,
}

/// From the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// First frame of a session.
    Hello {
        /// [`VERSION`] of the agent.
        protocol: u32,
        /// Crate version.
        version: String,
    },
    /// One resource is being worked on.
    Progress {
        /// Which.
        resource: ResourceId,
    },
    /// Answer to [`Request::Facts`].
    Facts(Box<Facts>),
    /// Answer to [`Request::Observe`], one entry per resource in the same order.
    Observed {
        /// State, or why it could not be observed.
        observed: Vec<Result<Observed, ResourceError>>,
    },
    /// Answer to [`Request::Apply`].
    Applied {
        /// One entry per resource in the same order.
        outcomes: Vec<Outcome>,
    },
    /// Answer to [`Request::Revert`]; empty when there was nothing of ours.
    Reverted {
        /// One entry per journaled resource, newest first.
        outcomes: Vec<Outcome>,
    },
    /// Answer to [`Request::Collect`].
    Evidence(Box<HostEvidence>),
    /// Answer to [`Request::Fetch`].
    Fetched {
        /// In order of the requests; shorter when the total time ran out.
        responses: Vec<Response>,
    },
    /// Answer to [`Request::Script`].
    Ran {
        /// Exit code; `None` when it was ended by a signal or because the time was up.
        code: Option<i32>,
        /// The end of what it wrote on standard error, without the line end.
        complaint: String,
    },
    /// Answer to [`Request::Announce`].
    Announced {
        /// On how many interfaces: 0 where none has the address, or the kernel did not let us.
        interfaces: u32,
    },
    /// Answer to [`Request::CaptureStart`]: frames are kept from now on. What could not be is said at the end.
    CaptureStarted,
    /// Answer to [`Request::CaptureStop`].
    Captured(Box<Captured>),
    /// The request as a whole could not be served.
    Failed(AgentError),
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub resource: ResourceId,
    /// What became of it.
    pub result: OutcomeResult,
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum OutcomeResult {
    /// It was so already.
    Unchanged,
    /// It was changed, and observed afterwards to be so.
    Changed {
        /// How.
        change: Change,
    },
    /// It could not be done.
    Failed {
        /// Why.
        error: ResourceError,
    },
    /// An earlier resource of this host failed.
    NotAttempted,
}

/// Why one resource could not be observed or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{cause}")]
pub struct ResourceError {
    /// What went wrong, a lower-case fragment: `apt-get ended with 100: …`.
    pub cause: String,
    /// What the person can do about it.
    pub hint: Option<String>,
}

/// Why a request as a whole failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "kebab-case")]
pub enum AgentError {
    /// Another run has the host.
    #[error("another run has locked this host: {holder}")]
    Locked {
        /// `user@host pid, since …`.
        holder: String,
    },
    /// Not root.
    #[error("the agent does not run as root")]
    NotRoot,
    /// Anything else that is not about one resource.
    #[error("{cause}")]
    Host {
        /// What went wrong.
        cause: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// One answer to a request of [`Request::Fetch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status, 0 when there was no answer.
    pub status: u16,
    /// curl's exit code, 0 for success (curl(1) EXIT CODES).
    pub curl_exit: i32,
    /// Body, at most 4096 bytes, trailing white space removed.
    pub body: String,
    /// Local port of the connection: a fresh connection has a fresh one.
    pub local_port: u16,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// What was captured on one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Captured {
    /// By time.
    pub frames: Vec<CapturedFrame>,
    /// Interfaces that could not be listened to, with the reason.
    pub failures: BTreeMap<InterfaceName, String>,
    /// Frames that passed the filter and are not in [`Self::frames`] for lack of room.
    pub missed: u64,
    /// Why the ARP requests could not be sent, where they could not.
    pub arp_failure: Option<String>,
}

/// One frame on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedFrame {
    /// Nanoseconds since 1970 UTC by the host's clock.
    pub at: u64,
    /// Where.
    pub interface: InterfaceName,
    /// Whether it left the host there.
    pub outgoing: bool,
    /// Octets it had.
    pub length: u32,
    /// Its first octets from the Ethernet header on, base64 (RFC 4648).
    pub data: String,
}

/// What one host knows of itself beyond the plan's resources.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostEvidence {
    /// State per resource of [`Collect::resources`], same order.
    pub observed: Vec<Result<Observed, ResourceError>>,
    /// Every IPv4 address.
    pub addresses: Vec<AddressState>,
    /// Every interface with its MAC.
    pub links: Vec<LinkEvidence>,
    /// Value a boot would set per [`Collect::boot_sysctls`], with the file that says so last.
    pub boot_sysctls: Vec<BootSysctl>,
    /// The kernel's answer per [`Collect::routes_to`].
    pub routes: Vec<RouteEvidence>,
    /// Listening TCP sockets.
    pub listeners: Vec<Listener>,
    /// IPv4 neighbour table.
    pub neighbours: Vec<Neighbour>,
    /// IPVS table, where asked for; the error's text where it cannot be read.
    pub ipvs: Option<Result<ipvs::Table, String>>,
    /// Traffic of all services since the module was loaded, with [`Collect::ipvs`]: the sum of the lines of
    /// `/proc/net/ip_vs_stats_percpu`, whose counters are live. Those of [`Self::ipvs`] are copied by the
    /// kernel's estimator every two seconds only, too seldom for a before and after. No rates.
    #[serde(default)]
    pub ipvs_totals: Option<ipvs::Counters>,
    /// Entries of `/proc/net/ip_vs_conn` of the client of [`Collect::ipvs_connections_of`], where asked for
    /// and readable; persistence templates (client port 0) left out.
    #[serde(default)]
    pub ipvs_connections: Option<Vec<ConnectionEntry>>,
    /// The packet filter's rules, with [`Collect::firewall`].
    #[serde(default)]
    pub firewall: FirewallEvidence,
    /// Lines by which Apache is told where to listen, with [`Collect::listen_lines`].
    #[serde(default)]
    pub listen_lines: Vec<ListenLine>,
}

/// What filters packets on a host, as its own tools print it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FirewallEvidence {
    /// `nft -j list ruleset` (libnftables-json(5)), where nf_tables has any table.
    pub nft: Option<String>,
    /// `iptables-save`, where the older ip_tables has any.
    pub iptables: Option<String>,
    /// Why rules that are there could not be read, a lower-case fragment.
    pub unread: Option<String>,
}

/// A `Listen` line of Apache's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenLine {
    /// Absolute path of the file.
    pub file: String,
    /// The line without its indentation and line end, `Listen 127.0.0.1:80`.
    pub line: String,
}

/// One TCP connection the director has handed on.
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
}

/// What boot-time configuration says of one sysctl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootSysctl {
    /// Dotted name.
    pub key: String,
    /// Value and the file that sets it last, `None` when no file does.
    pub set: Option<(String, String)>,
}

/// The kernel's route for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEvidence {
    /// Destination asked for.
    pub to: Ipv4Addr,
    /// Next hop, `None` when it is on the link.
    pub via: Option<Ipv4Addr>,
    /// Interface, `None` when there is no route.
    pub interface: Option<InterfaceName>,
    /// Source address the kernel would use.
    pub source: Option<Ipv4Addr>,
    /// The main table's most specific route for it, as `ip route del` takes it:
    /// `blackhole 192.168.4.0/24`, `192.168.4.10 via 192.168.2.77 dev eth1`.
    #[serde(default)]
    pub entry: Option<String>,
}

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Address, `0.0.0.0` or `::` for any.
    pub address: std::net::IpAddr,
    /// Port.
    pub port: u16,
}

/// A neighbour entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Address.
    pub address: Ipv4Addr,
    /// Interface.
    pub interface: InterfaceName,
    /// MAC in lower case with colons, `None` while unresolved.
    pub mac: Option<String>,
    /// Kernel state, `reachable`, `stale`, `failed`, ...
    pub state: String,
}
