//! What controller and agent say to each other: frames of a 32-bit big-endian length and that many bytes of JSON.
//!
//! The agent opens with [`Reply::Hello`]. Each [`Request`] is answered by any number of
//! [`Reply::Progress`] and then exactly one other reply. End of input ends the agent.

mod capture;
pub(super) mod error;
mod evidence;
pub(super) mod frame;

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::model::LabId;
use crate::resource::{Change, Facts, Observed, Resource, ResourceId};

pub use capture::{ArpProbe, CaptureStart, CaptureStop, Captured, CapturedFrame, Ports};
pub use evidence::{
    ConnectionEntry, DirectoryEvidence, FirewallEvidence, HostEvidence, LinkEvidence, Listener,
    Neighbour, RouteEvidence,
};

/// Version of this protocol; both sides are the same binary, so it must match exactly.
pub const VERSION: u32 = 1;

/// Largest frame either side accepts, bytes.
pub const MAX_FRAME_BYTES: u32 = 64 * 1024 * 1024;

/// From the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Gather the facts for planning. Answered by [`Reply::Facts`].
    Facts {
        /// The lab whose journal says what is ours.
        lab: LabId,
    },
    /// Observe without changing anything. Answered by [`Reply::Observed`].
    Observe {
        /// Resources, in plan order.
        resources: Vec<Resource>,
    },
    /// Apply resources in order, under the host's lock, with a journal. Answered by [`Reply::Applied`].
    Apply(Apply),
    /// Keep the changes of this run; sent over a new connection. Answered by [`Reply::TrialOver`].
    Confirm {
        /// Lab.
        lab: LabId,
        /// [`Apply::run`].
        run: String,
    },
    /// Put back everything in this lab's journal. Answered by [`Reply::Reverted`].
    Revert {
        /// Lab.
        lab: LabId,
        /// Who runs it, for the lock and its messages.
        run: String,
        /// Whether to remove the packages that we installed, too.
        purge: bool,
    },
    /// Collect evidence for the checks. Answered by [`Reply::Evidence`].
    Collect(Collect),
    /// Send requests with the system's `curl`. Answered by [`Reply::Fetched`].
    Fetch(Fetch),
    /// Run lines that a person would type, in one shell, under the host's lock. Answered by [`Reply::Ran`].
    Script(Script),
    /// Tell the neighbours by ARP which MAC an address of this host has. Answered by [`Reply::Announced`].
    Announce {
        /// The address.
        address: IpAddr,
    },
    /// Begin a capture; it ends one that is running. Answered by
    /// [`Reply::CaptureStarted`].
    CaptureStart(CaptureStart),
    /// End the capture and return its frames. Answered by [`Reply::Captured`].
    CaptureStop(CaptureStop),
}

/// See [`Request::Apply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// Lab.
    pub lab: LabId,
    /// Who runs it, for the lock and its messages: `user@host pid`.
    pub run: String,
    /// Resources, in order of application.
    pub resources: Vec<Resource>,
    /// Seconds after the end of the apply within which [`Request::Confirm`] must come, or the host rolls this run's
    /// changes back. `None` keeps them without a confirmation.
    #[serde(default)]
    pub confirm_within_seconds: Option<u32>,
}

/// How changes on trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum TrialEnd {
    /// The changes stay.
    Committed,
    /// The host rolled the changes back.
    RolledBack {
        /// Resources that could not be put back, with the reason.
        failed: Vec<String>,
    },
    /// The host has no trial of this run.
    Unknown,
}

/// See [`Request::Collect`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Collect {
    /// Resources to observe, in plan order.
    pub resources: Vec<Resource>,
    /// Whether to read the files that a boot reads.
    #[serde(default)]
    pub boot_files: bool,
    /// Destinations to ask the kernel's route for.
    pub routes_to: Vec<IpAddr>,
    /// Source address of the packets whose routes are asked for; used only where the host has it.
    #[serde(default)]
    pub routes_from: Option<IpAddr>,
    /// Whether to read the IPVS table.
    pub ipvs: bool,
    /// The client whose entries of the IPVS connection table to read.
    #[serde(default)]
    pub ipvs_connections_of: Option<Ipv4Addr>,
    /// Whether to read the packet filter's rules.
    #[serde(default)]
    pub firewall: bool,
    /// File whose directories are to be looked at: the web server's page.
    #[serde(default)]
    pub directories_above: Option<String>,
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
    /// How many requests, from the first on, come from [`Self::ports`]: captures tell their frames by these ports.
    #[serde(default)]
    pub marked: u32,
    /// Local ports of the marked requests.
    #[serde(default)]
    pub ports: Option<Ports>,
    /// Local ports of the other requests, one each in this order. Requests for which none is left take any port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_ports: Vec<Ports>,
    /// Timeouts after which no more requests are sent; 0 for no limit. More timeouts tell nothing new, and each takes as
    /// long as hundreds of answers.
    #[serde(default)]
    pub most_timeouts: u32,
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
        /// Whether the host waits for [`Request::Confirm`].
        #[serde(default)]
        on_trial: bool,
    },
    /// Answer to [`Request::Confirm`].
    TrialOver(TrialEnd),
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
        /// Number of interfaces; 0 where none has the address, or the kernel refused.
        interfaces: u32,
    },
    /// Answer to [`Request::CaptureStart`]: the capture runs. [`Captured::failures`] has the interfaces without it.
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
    /// It already was as asked for.
    Unchanged,
    /// It was changed, and a second observation found it as asked for.
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
    /// Another run has the host's lock.
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
    /// New connections for this request: 0 when an earlier connection was used again. `None` in evidence from older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}
