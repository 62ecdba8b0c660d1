//! Why a host could not be worked with. Each variant has its own remedy.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::protocol::{self, AgentError};
use crate::model::HostName;
use crate::sys::on_host;

/// One host's failure. Displays as `HOST: CAUSE`; what was tried and the next step come separately.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host}: {cause}")]
pub struct HostError {
    pub host: HostName,
    /// How it was addressed.
    pub route: Route,
    /// What went wrong.
    pub cause: Cause,
}

/// How a host is reached, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `root@10.20.0.12`, or `web2 in the sandbox`.
    pub destination: String,
    /// Where that was said, `inventory.yaml:9`; `None` in the sandbox.
    pub origin: Option<String>,
    /// The generated SSH configuration.
    pub config: PathBuf,
}

/// What went wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(ConnectFailure),
    /// No root on the host.
    #[error("cannot become root: {0}")]
    Privilege(PrivilegeFailure),
    /// The agent could not be put on the host.
    #[error("cannot put the agent on the host: {0}")]
    Upload(UploadFailure),
    /// The agent started but the conversation broke.
    #[error("{0}")]
    Conversation(ConversationFailure),
    /// The agent answered that it cannot.
    #[error("{0}")]
    Agent(AgentError),
    /// Something on this machine, before the host was asked.
    #[error("failed to {doing}: {reason}")]
    Local {
        /// What was being done, after "failed to".
        doing: String,
        /// What the system said.
        reason: String,
    },
}

/// Why there is no SSH connection. Texts are ssh(1)'s own where they say more than we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// Nothing listens.
    #[error("connection refused at {at}")]
    Refused {
        /// `ADDRESS:PORT` as ssh reports it.
        at: String,
    },
    /// No answer.
    #[error("no answer from {at} in time")]
    TimedOut {
        /// `ADDRESS:PORT` as ssh reports it.
        at: String,
    },
    /// No way there.
    #[error("no route to {at}")]
    NoRoute {
        /// `ADDRESS:PORT` as ssh reports it.
        at: String,
    },
    /// The name has no address.
    #[error("the name {name} has no address")]
    Name { name: String },
    /// Something answered and hung up before the login.
    #[error("the connection was closed before the login: {detail}")]
    Closed {
        /// ssh's text.
        detail: String,
    },
    /// The host wants other credentials.
    #[error("the host does not accept our key ({detail})")]
    Authentication {
        /// ssh's text.
        detail: String,
    },
    /// A host on the way wants other credentials.
    #[error("the jump host does not accept our key ({detail})")]
    JumpHost {
        /// ssh's text.
        detail: String,
    },
    /// Its key is not in the known-hosts file.
    #[error("the host key is not known here")]
    UnknownHostKey,
    /// Its key is another one than the known-hosts file says.
    #[error("the host key is not the one we know{}", at(.line))]
    ChangedHostKey {
        /// `FILE:LINE` of the known-hosts entry that does not match.
        line: Option<String>,
    },
    /// None of the above.
    #[error("{detail}")]
    Other {
        /// ssh's text.
        detail: String,
    },
}

fn at(line: &Option<String>) -> String {
    line.as_ref()
        .map(|line| format!(" ({line})"))
        .unwrap_or_default()
}

/// Why the login user is not root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivilegeFailure {
    /// `sudo -n` would ask.
    #[error("sudo asks for a password")]
    PasswordNeeded,
    /// It runs on a terminal only: `requiretty` of sudoers(5).
    #[error("sudo asks for a terminal")]
    TerminalNeeded,
    /// The user may not.
    #[error("sudo does not allow it: {detail}")]
    NotAllowed {
        /// sudo's text.
        detail: String,
    },
    /// There is no sudo.
    #[error("the login user is not root and there is no sudo")]
    NoSudo,
}

/// Why the agent is not on the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadFailure {
    /// No space.
    #[error("{}: No space left on device", on_host::DIRECTORY)]
    DiskFull,
    /// What arrived is not what was sent.
    #[error("what arrived is not what was sent")]
    Corrupt,
    /// It stopped taking data.
    #[error("nothing was taken for {} s", .after.as_secs())]
    Stalled {
        /// How long was waited.
        after: Duration,
    },
    /// None of the above.
    #[error("{detail}")]
    Other {
        /// The remote shell's text.
        detail: String,
    },
}

/// How a conversation with a running agent broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationFailure {
    /// It ended before its first word.
    #[error("the agent does not start{}{}", exit_code(.code), said(.stderr))]
    NotStarted {
        /// Its exit code, where it has one.
        code: Option<i32>,
        /// The last it wrote to standard error.
        stderr: String,
    },
    /// End of output where a reply was due.
    #[error("the agent ended in the middle of its work{}", said(.stderr))]
    Ended {
        /// The last it wrote to standard error.
        stderr: String,
    },
    /// The connection broke.
    #[error("the connection was lost: {detail}")]
    Lost {
        /// What the system or ssh said.
        detail: String,
    },
    /// Something else than an agent writes to standard output.
    #[error("not an agent's answer but {start:?}")]
    Garbage {
        /// The first bytes as text.
        start: String,
    },
    /// A frame that is none of the protocol's.
    #[error("an answer that makes no sense: {detail}")]
    Undecodable {
        /// Which and why.
        detail: String,
    },
    /// Another version.
    #[error(
        "the agent speaks protocol {theirs}, this lvslab speaks {}",
        protocol::VERSION
    )]
    Version { theirs: u32 },
    /// No sign of life.
    #[error("the agent was silent for {} s", .after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The request is larger than a frame may be.
    #[error("the request has {bytes} bytes, more than the protocol carries")]
    TooLarge { bytes: usize },
}

fn exit_code(code: &Option<i32>) -> String {
    code.map(|code| format!(" (exit code {code})"))
        .unwrap_or_default()
}

fn said(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!(", saying: {text}"),
    }
}

impl HostError {
    /// `ssh root@10.20.0.12 (from inventory.yaml:9)`, where connecting is what failed.
    #[must_use]
    pub fn tried(&self) -> Option<String> {
        if !matches!(self.cause, Cause::Connect(_)) {
            return None;
        }
        let Route {
            destination,
            origin,
            ..
        } = &self.route;
        Some(match origin {
            Some(origin) => format!("ssh {destination} (from {origin})"),
            None => format!("ssh to {destination}"),
        })
    }
}
