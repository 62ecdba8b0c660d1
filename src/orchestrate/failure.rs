//! Why a host could not be worked with: one variant per thing a person would do something else about.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::protocol::{self, AgentError};
use crate::model::HostName;

/// One host's failure. Displays as `HOST: CAUSE`; what was tried and the next step come separately.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host}: {cause}")]
pub struct HostError {
    /// Host.
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
    Name {
        /// Name.
        name: String,
    },
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
    #[error("/var/lib/lvslab: No space left on device")]
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
    Version {
        /// Its version.
        theirs: u32,
    },
    /// No sign of life.
    #[error("the agent was silent for {} s", .after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The request is larger than a frame may be.
    #[error("the request has {bytes} bytes, more than the protocol carries")]
    TooLarge {
        /// Bytes.
        bytes: usize,
    },
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

    /// What the person can do about it, one sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        let by_hand = format!("ssh -F {} {}", self.route.config.display(), self.host);
        match &self.cause {
            Cause::Connect(failure) => match failure {
                ConnectFailure::Refused { .. } => {
                    format!("is sshd running there? `{by_hand}` shows the same attempt")
                }
                ConnectFailure::TimedOut { .. } | ConnectFailure::NoRoute { .. } => {
                    format!(
                        "is the host up and the address right? `{by_hand}` shows the same attempt"
                    )
                }
                ConnectFailure::Name { .. } => match &self.route.origin {
                    Some(origin) => format!("check the name in {origin}"),
                    None => "check the name".to_owned(),
                },
                ConnectFailure::Authentication { .. } => format!(
                    "put a key the host accepts in the inventory (`identity:`) or your SSH agent; \
                     `{by_hand}` shows the same attempt"
                ),
                ConnectFailure::UnknownHostKey => format!(
                    "compare its fingerprint and accept it once with `{by_hand}`, \
                     or run again with --accept-new-host-keys"
                ),
                ConnectFailure::ChangedHostKey { .. } => {
                    "was the host reinstalled? then remove the old entry (ssh-keygen -R); \
                     if not, somebody else may be answering"
                        .to_owned()
                }
                ConnectFailure::Closed { .. } | ConnectFailure::Other { .. } => {
                    format!("`{by_hand}` shows the same attempt")
                }
            },
            Cause::Privilege(failure) => match failure {
                PrivilegeFailure::PasswordNeeded | PrivilegeFailure::NotAllowed { .. } => {
                    "log in as root, or let the user run sudo without a password (NOPASSWD)"
                        .to_owned()
                }
                PrivilegeFailure::NoSudo => "log in as root, or install sudo".to_owned(),
            },
            Cause::Upload(failure) => match failure {
                UploadFailure::DiskFull => {
                    format!("free some 20 MB there (`{by_hand} df -h /var/lib`) and run again")
                }
                UploadFailure::Corrupt | UploadFailure::Stalled { .. } => {
                    "run again; if it stays so, the connection or the host's disk is bad".to_owned()
                }
                UploadFailure::Other { .. } => {
                    format!("`{by_hand}` and look at /var/lib/lvslab there")
                }
            },
            Cause::Conversation(failure) => match failure {
                ConversationFailure::Garbage { .. } => {
                    "make the login shell's start-up files on the host print nothing for \
                     non-interactive logins"
                        .to_owned()
                }
                ConversationFailure::Version { .. } | ConversationFailure::NotStarted { .. } => {
                    "remove /var/lib/lvslab/bin on the host and run again".to_owned()
                }
                _ => "run the same command again: it continues where this one stopped".to_owned(),
            },
            Cause::Agent(AgentError::Locked { .. }) => {
                "wait until that run has ended, then run again".to_owned()
            }
            Cause::Agent(AgentError::NotRoot) => "log in as root".to_owned(),
            Cause::Agent(AgentError::Host { hint, .. }) => hint
                .clone()
                .unwrap_or_else(|| "mend that on the host and run again".to_owned()),
            Cause::Local { .. } => {
                "this is about the machine lvslab runs on, not the host".to_owned()
            }
        }
    }
}

impl ConnectFailure {
    /// From what ssh(1) wrote while it could not connect.
    #[must_use]
    pub fn from_ssh(text: &str) -> Self {
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.trim_end_matches('\r').trim())
            .filter(|line| !line.is_empty() && !line.starts_with("Warning: Permanently added"))
            .collect();
        let has = |needle: &str| lines.iter().find(|line| line.contains(needle)).copied();
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED").is_some()
            || has("Host key for").is_some_and(|line| line.contains("has changed"))
        {
            let line = has("Offending").and_then(|line| line.rsplit(' ').next());
            return Self::ChangedHostKey {
                line: line.map(str::to_owned),
            };
        }
        if has("Host key verification failed").is_some()
            || has("host key is known for").is_some_and(|line| line.starts_with("No "))
        {
            return Self::UnknownHostKey;
        }
        if let Some(line) = has("Permission denied (").or(has("Too many authentication failures")) {
            let detail = line.split_once(": ").map_or(line, |(_, rest)| rest);
            return Self::Authentication {
                detail: lower_first(detail.trim_end_matches('.')),
            };
        }
        if let Some(line) = has("Could not resolve hostname") {
            let name = line
                .split_once("hostname ")
                .map_or(line, |(_, rest)| rest)
                .split(':')
                .next()
                .unwrap_or(line);
            return Self::Name {
                name: name.to_owned(),
            };
        }
        if let Some((at, why)) = lines.iter().find_map(|line| connect_line(line)) {
            return match why {
                "Connection refused" => Self::Refused { at },
                "Connection timed out" | "Operation timed out" => Self::TimedOut { at },
                "No route to host" | "Network is unreachable" | "Host is unreachable" => {
                    Self::NoRoute { at }
                }
                other => Self::Other {
                    detail: format!("{at}: {}", lower_first(other)),
                },
            };
        }
        let closed = [
            "kex_exchange_identification",
            "Connection closed by",
            "Connection reset by",
            "banner exchange",
        ];
        if let Some(line) = closed.iter().find_map(|needle| has(needle)) {
            return if line.contains("timed out") {
                Self::TimedOut {
                    at: "the host's SSH server".to_owned(),
                }
            } else {
                Self::Closed {
                    detail: lower_first(line),
                }
            };
        }
        Self::Other {
            detail: match lines.last() {
                Some(line) => lower_first(line.trim_start_matches("ssh: ")),
                None => "ssh gave no reason".to_owned(),
            },
        }
    }

    /// Whether the same attempt a moment later may well succeed: never true of anything about keys.
    #[must_use]
    pub fn passing(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Closed { .. })
    }
}

/// `ssh: connect to host 10.20.0.12 port 22: Connection refused` → (`10.20.0.12:22`, `Connection refused`).
fn connect_line(line: &str) -> Option<(String, &str)> {
    let (_, rest) = line.split_once("connect to host ")?;
    let (target, why) = rest
        .split_once(": ")
        .filter(|(t, _)| t.contains(" port "))?;
    let (host, port) = target.split_once(" port ")?;
    let at = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    Some((at, why))
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_error(cause: Cause) -> HostError {
        HostError {
            host: "web2".parse().unwrap(),
            route: Route {
                destination: "root@10.20.0.12".to_owned(),
                origin: Some("inventory.yaml:9".to_owned()),
                config: "/state/dr/ssh_config".into(),
            },
            cause,
        }
    }

    #[test]
    fn ssh_texts_are_told_apart() {
        let table = [
            (
                "ssh: connect to host 10.20.0.12 port 22: Connection refused\r\n",
                ConnectFailure::Refused {
                    at: "10.20.0.12:22".to_owned(),
                },
            ),
            (
                "ssh: connect to host 2001:db8::1 port 22: Connection timed out",
                ConnectFailure::TimedOut {
                    at: "[2001:db8::1]:22".to_owned(),
                },
            ),
            (
                "ssh: connect to host 10.20.0.12 port 22: No route to host",
                ConnectFailure::NoRoute {
                    at: "10.20.0.12:22".to_owned(),
                },
            ),
            (
                "ssh: Could not resolve hostname wbe2.example: Name or service not known",
                ConnectFailure::Name {
                    name: "wbe2.example".to_owned(),
                },
            ),
            (
                "root@10.20.0.12: Permission denied (publickey,password).",
                ConnectFailure::Authentication {
                    detail: "permission denied (publickey,password)".to_owned(),
                },
            ),
            (
                "No ED25519 host key is known for 10.20.0.12 and you have requested strict checking.\r\n\
                 Host key verification failed.",
                ConnectFailure::UnknownHostKey,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n\
                 Offending ED25519 key in /home/u/.ssh/known_hosts:7\r\n\
                 Host key verification failed.",
                ConnectFailure::ChangedHostKey {
                    line: Some("/home/u/.ssh/known_hosts:7".to_owned()),
                },
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\r\n\
                 Connection closed by 127.0.0.1 port 2201",
                ConnectFailure::Closed {
                    detail: "kex_exchange_identification: Connection closed by remote host"
                        .to_owned(),
                },
            ),
            (
                "Connection timed out during banner exchange\r\n\
                 Connection to 10.20.0.12 port 22 timed out",
                ConnectFailure::TimedOut {
                    at: "the host's SSH server".to_owned(),
                },
            ),
            (
                "",
                ConnectFailure::Other {
                    detail: "ssh gave no reason".to_owned(),
                },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(ConnectFailure::from_ssh(text), expected, "{text}");
        }
    }

    #[test]
    fn authentication_is_never_retried() {
        assert!(
            !ConnectFailure::from_ssh("root@h: Permission denied (publickey).").passing(),
            "locked accounts come from retried logins"
        );
        assert!(ConnectFailure::from_ssh("Connection reset by 10.0.0.1 port 22").passing());
    }

    #[test]
    fn a_failure_names_host_cause_attempt_and_next_step() {
        let error = host_error(Cause::Connect(ConnectFailure::Refused {
            at: "10.20.0.12:22".to_owned(),
        }));
        insta::assert_snapshot!(
            format!("{error}\ntried {}\nnext {}", error.tried().unwrap(), error.hint()),
            @r"
        web2: cannot connect: connection refused at 10.20.0.12:22
        tried ssh root@10.20.0.12 (from inventory.yaml:9)
        next is sshd running there? `ssh -F /state/dr/ssh_config web2` shows the same attempt
        "
        );
    }

    #[test]
    fn every_cause_reads_as_one_lower_case_sentence_with_a_next_step() {
        let causes = [
            Cause::Connect(ConnectFailure::Name {
                name: "wbe2".to_owned(),
            }),
            Cause::Connect(ConnectFailure::UnknownHostKey),
            Cause::Connect(ConnectFailure::ChangedHostKey {
                line: Some("/home/u/.ssh/known_hosts:7".to_owned()),
            }),
            Cause::Connect(ConnectFailure::Authentication {
                detail: "permission denied (publickey)".to_owned(),
            }),
            Cause::Privilege(PrivilegeFailure::PasswordNeeded),
            Cause::Upload(UploadFailure::DiskFull),
            Cause::Upload(UploadFailure::Corrupt),
            Cause::Conversation(ConversationFailure::NotStarted {
                code: Some(126),
                stderr: "Exec format error".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Ended {
                stderr: "Killed".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Garbage {
                start: "Welcome to".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Version { theirs: 7 }),
            Cause::Conversation(ConversationFailure::Silent {
                after: Duration::from_secs(60),
            }),
            Cause::Agent(AgentError::Locked {
                holder: "ann@desk 4711".to_owned(),
            }),
        ];
        let text: Vec<String> = causes
            .into_iter()
            .map(host_error)
            .map(|error| format!("{error}\n  {}", error.hint()))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
