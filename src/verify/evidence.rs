//! Everything a verdict depends on, as one JSON document: the lab, and what every host said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::protocol::{
    AgentError, Captured, Collect, HostEvidence, Ports, Reply, Request, Response,
};
use crate::model::{HostName, Lab};
use crate::requirement::Interfaces;
use crate::resource::Facts;

/// Schema of [`Evidence`] as JSON.
pub const SCHEMA: &str = "lvslab.evidence/2";

/// Why there is no evidence from a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsenceKind {
    /// No session could be made, or it ended.
    Unreachable,
    /// What the host is does not fit the lab, so there is nothing to compare it with.
    Unplanned,
    /// The host was reached and could not answer.
    Failed,
    /// It was never asked.
    NotAsked,
}

/// Why there is no evidence from a host, with the words for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Kind.
    pub kind: AbsenceKind,
    /// Lower-case fragment: `cannot connect: connection refused at 10.20.0.12:22`.
    pub cause: String,
    /// What the person can do about it.
    pub hint: Option<String>,
}

impl Absence {
    fn not_asked() -> Self {
        Self {
            kind: AbsenceKind::NotAsked,
            cause: "it was not asked".to_owned(),
            hint: None,
        }
    }

    fn failed(cause: impl Into<String>) -> Self {
        Self {
            kind: AbsenceKind::Failed,
            cause: cause.into(),
            hint: None,
        }
    }
}

/// One answer to a [`Collect`], with the question: which observation belongs to which resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What was asked.
    pub asked: Collect,
    /// What was answered.
    pub found: HostEvidence,
}

/// What a host is, whatever it is in the lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub facts: Facts,
    /// The interface that it has on each of its networks.
    pub interfaces: Interfaces,
}

/// What is known of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRecord {
    /// `None` when the host could not be asked, or its interfaces could not be told apart, for the reason in
    /// [`Self::before`].
    pub machine: Option<Machine>,
    /// What it was before the requests were sent.
    pub before: Result<Sighting, Absence>,
    /// What the client and the director were afterwards.
    pub after: Result<Sighting, Absence>,
    /// Frames of the marked requests that passed it meanwhile, and who answered it for the VIP.
    #[serde(default = "not_captured")]
    pub captured: Result<Captured, Absence>,
}

/// Documents of before there were captures have none.
fn not_captured() -> Result<Captured, Absence> {
    Err(Absence::not_asked())
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    schema: String,
    /// Version of the program that collected it.
    program: String,
    /// When, seconds since 1970 UTC.
    taken: u64,
    lab: Lab,
    requests: u32,
    /// The client's ports that are captured.
    #[serde(default)]
    marked: Option<Ports>,
    hosts: BTreeMap<HostName, HostRecord>,
    fetched: Result<Vec<Response>, Absence>,
}

/// Why a document could not be read as evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Not JSON, or not of the schema's shape.
    #[error("this is not an evidence document")]
    Shape(#[source] serde_json::Error),
    /// Another document or version.
    #[error("the document says it is `{found}`; this program reads `{SCHEMA}`")]
    Schema {
        /// What it says.
        found: String,
    },
    /// Its parts contradict each other.
    #[error("the document contradicts itself: {what}")]
    Inconsistent {
        /// How, a lower-case fragment.
        what: String,
    },
}

impl Evidence {
    /// Evidence without a single answer yet.
    ///
    /// `requests` is how many the client is asked to send, already rounded by
    /// [`requests_for`](super::requests_for); `taken` is the time since 1970 UTC.
    #[must_use]
    pub fn new(lab: &Lab, requests: u32, taken: Duration) -> Self {
        let nothing = || HostRecord {
            machine: None,
            before: Err(Absence::not_asked()),
            after: Err(Absence::not_asked()),
            captured: not_captured(),
        };
        Self {
            schema: SCHEMA.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken: taken.as_secs(),
            lab: lab.clone(),
            requests,
            marked: Some(marked_ports(taken)),
            hosts: lab
                .hosts()
                .iter()
                .map(|host| (host.name.clone(), nothing()))
                .collect(),
            fetched: Err(Absence::not_asked()),
        }
    }

    /// Notes what a host is. Hosts that are not in the lab are ignored.
    pub fn known(&mut self, host: &HostName, machine: Machine) {
        if let Some(record) = self.hosts.get_mut(host) {
            record.machine = Some(machine);
        }
    }

    /// Notes why there is and will be no evidence from a host.
    pub fn absent(&mut self, host: &HostName, why: Absence) {
        if let Some(record) = self.hosts.get_mut(host) {
            record.before = Err(why.clone());
            record.after = Err(why.clone());
            record.captured = Err(why);
        }
    }

    /// Takes in the answer to one request of [`ROUNDS`](super::ROUNDS), or why there is none.
    pub fn absorb(&mut self, host: &HostName, request: &Request, reply: Result<Reply, Absence>) {
        match request {
            Request::Collect(asked) => self.absorb_sighting(host, asked, reply),
            Request::Fetch(_) => {
                self.fetched = reply.and_then(|reply| match reply {
                    Reply::Fetched { responses } => Ok(responses),
                    other => Err(refusal(&other)),
                });
            }
            Request::CaptureStart(_) => match reply {
                Ok(Reply::CaptureStarted) => {}
                Ok(other) => self.absorb_capture(host, Err(refusal(&other))),
                Err(why) => self.absorb_capture(host, Err(why)),
            },
            Request::CaptureStop(_) => {
                let captured = reply.and_then(|reply| match reply {
                    Reply::Captured(captured) => Ok(*captured),
                    other => Err(refusal(&other)),
                });
                self.absorb_capture(host, captured);
            }
            _ => {}
        }
    }

    fn absorb_capture(&mut self, host: &HostName, captured: Result<Captured, Absence>) {
        if let Some(record) = self.hosts.get_mut(host) {
            record.captured = captured;
        }
    }

    fn absorb_sighting(&mut self, host: &HostName, asked: &Collect, reply: Result<Reply, Absence>) {
        let Some(record) = self.hosts.get_mut(host) else {
            return;
        };
        let sighting = reply.and_then(|reply| match reply {
            Reply::Evidence(found) => Ok(Sighting {
                asked: asked.clone(),
                found: *found,
            }),
            other => Err(refusal(&other)),
        });
        let first = matches!(&record.before, Err(why) if why.kind == AbsenceKind::NotAsked);
        if first {
            record.before = sighting;
        } else {
            record.after = sighting;
        }
    }

    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// When it was collected, seconds since 1970 UTC.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many requests the client was asked to send.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The client's ports whose connections are captured; `None` in documents of before there were captures.
    #[must_use]
    pub fn marked(&self) -> Option<Ports> {
        self.marked
    }

    /// The client's requests, or why there are none.
    pub fn fetched(&self) -> &Result<Vec<Response>, Absence> {
        &self.fetched
    }

    /// What is known of each host.
    #[must_use]
    pub fn hosts(&self) -> &BTreeMap<HostName, HostRecord> {
        &self.hosts
    }

    /// Hosts that could not be reached, or were lost on the way, with the reason.
    pub fn unreachable(&self) -> impl Iterator<Item = (&HostName, &Absence)> {
        self.hosts
            .iter()
            .filter_map(|(host, record)| Some((host, self.lost(host, record)?)))
    }

    /// Why `host` could not be reached at some time, where it could not.
    pub(super) fn lost<'e>(
        &'e self,
        host: &HostName,
        record: &'e HostRecord,
    ) -> Option<&'e Absence> {
        let client = *host == self.lab.client().name;
        let fetched = self.fetched.as_ref().err().filter(|_| client);
        [
            record.before.as_ref().err(),
            fetched,
            record.after.as_ref().err(),
            record.captured.as_ref().err(),
        ]
        .into_iter()
        .flatten()
        .find(|why| why.kind == AbsenceKind::Unreachable)
    }

    #[cfg(test)]
    pub(crate) fn record_mut(&mut self, host: &str) -> &mut HostRecord {
        self.hosts
            .get_mut(&host.parse().expect("a host name"))
            .expect("a host of the lab")
    }

    #[cfg(test)]
    pub(crate) fn fetched_mut(&mut self) -> &mut Result<Vec<Response>, Absence> {
        &mut self.fetched
    }

    /// The document's text, one line per value so that it can be compared by eye.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("evidence has string keys and finite numbers")
            + "\n"
    }

    /// Reads a document that was written by [`Self::to_json`].
    ///
    /// # Errors
    /// It is not such a document, is of another version, or its parts contradict each other.
    pub fn from_json(text: &str) -> Result<Self, EvidenceError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_str(text).map_err(EvidenceError::Shape)?;
        if head.schema != SCHEMA {
            return Err(EvidenceError::Schema { found: head.schema });
        }
        let evidence: Self = serde_json::from_str(text).map_err(EvidenceError::Shape)?;
        evidence
            .consistent()
            .map_err(|what| EvidenceError::Inconsistent { what })?;
        Ok(evidence)
    }

    /// What a document from outside need not keep: that its records and plans are of the lab's hosts.
    fn consistent(&self) -> Result<(), String> {
        let hosts = self.lab.hosts();
        let named: Vec<_> = hosts.iter().map(|host| &host.name).collect();
        if named.len() != self.hosts.len() || named.iter().any(|n| !self.hosts.contains_key(*n)) {
            return Err("the records are not those of the lab's hosts".to_owned());
        }
        Ok(())
    }
}

/// Ports for the marked requests of a run at `taken`, since 1970 UTC.
///
/// Below those that Linux gives out by itself (`ip_local_port_range` begins at 32768), and other ones than
/// the runs of nearly three minutes before had, unless they began within an eighth of a second: the director remembers
/// their connections for two minutes (`IP_VS_TCP_S_FIN_WAIT`), and one that comes again would follow its predecessor.
fn marked_ports(taken: Duration) -> Ports {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 16;
    const RUNS: u128 = 1400;
    // Below 1400, so this is no loss.
    let first = FIRST + COUNT * (taken.as_millis() / 125 % RUNS) as u16;
    Ports {
        first,
        last: first + COUNT - 1,
    }
}

fn refusal(reply: &Reply) -> Absence {
    match reply {
        Reply::Failed(error) => {
            let hint = match error {
                AgentError::Host { hint, .. } => hint.clone(),
                _ => None,
            };
            Absence {
                hint,
                ..Absence::failed(error.to_string())
            }
        }
        _ => Absence::failed("the agent answered another question than the one it was asked"),
    }
}
