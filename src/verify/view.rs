//! The evidence as the checks ask for it: what was seen, or from whom it is missing.

use std::net::IpAddr;

use super::evidence::{Absence, AbsenceKind, Evidence, HostRecord, Machine, Sighting};
use super::graph::Lack;
use crate::agent::protocol::{Captured, HostEvidence, Response, RouteEvidence};
use crate::ipvs::{ServiceKey, ServiceStatus};
use crate::keeper::BootFiles;
use crate::model::{Host, HostName, InterfaceName, Lab, NetworkId};
use crate::resource::{Observed, ResourceId};

/// Something that was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    /// Whose evidence is missing.
    pub(super) host: HostName,
    /// Whether it was asked, and reached.
    pub(super) lack: Lack,
    /// Why, a lower-case fragment.
    pub(super) cause: String,
    /// What the person can do about it.
    pub(super) hint: Option<String>,
}

impl Gap {
    /// A host was asked and did not say, for this reason.
    pub(super) fn untold(host: &HostName, cause: impl Into<String>) -> Self {
        Self {
            host: host.clone(),
            lack: Lack::Untold,
            cause: cause.into(),
            hint: None,
        }
    }
}

/// Seen, or not.
pub(super) type Seen<T> = Result<T, Gap>;

/// A look at the evidence.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    evidence: &'a Evidence,
}

impl<'a> View<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        Self { evidence }
    }

    pub(super) fn evidence(self) -> &'a Evidence {
        self.evidence
    }

    pub(super) fn lab(self) -> &'a Lab {
        self.evidence.lab()
    }

    pub(super) fn requests(self) -> u32 {
        self.evidence.requests()
    }

    pub(super) fn machine(self, host: &HostName) -> Option<&'a Machine> {
        self.record(host).and_then(|record| record.machine.as_ref())
    }

    /// Interface that was chosen for `network`.
    pub(super) fn interface(
        self,
        host: &HostName,
        network: NetworkId,
    ) -> Option<&'a InterfaceName> {
        self.machine(host)?.interfaces.get(network)
    }

    /// What the host said before the requests.
    pub(super) fn before(self, host: &HostName) -> Seen<&'a HostEvidence> {
        self.sighting(host).map(|sighting| &sighting.found)
    }

    /// What the client or the director said after the requests.
    pub(super) fn after(self, host: &HostName) -> Seen<&'a HostEvidence> {
        match self.record(host).map(|record| &record.after) {
            Some(Ok(sighting)) => Ok(&sighting.found),
            Some(Err(why)) => Err(self.gap(host, why)),
            None => Err(stranger(host)),
        }
    }

    /// Frames captured on all lab interfaces of the host.
    pub(super) fn captured(self, host: &HostName) -> Seen<&'a Captured> {
        let captured = match self.record(host).map(|record| &record.captured) {
            Some(Ok(captured)) => captured,
            Some(Err(why)) => return Err(self.gap(host, why)),
            None => return Err(stranger(host)),
        };
        match captured.failures.iter().next() {
            None => Ok(captured),
            Some((interface, reason)) => Err(Gap::untold(
                host,
                format!("nothing could be captured on {interface}: {reason}"),
            )),
        }
    }

    pub(super) fn observed(self, host: &HostName, id: &ResourceId) -> Seen<&'a Observed> {
        let sighting = self.sighting(host)?;
        let at = sighting.asked.resources.iter().position(|r| r.id() == *id);
        match at.and_then(|at| sighting.found.observed.get(at)) {
            Some(Ok(observed)) => Ok(observed),
            Some(Err(trouble)) => Err(Gap {
                hint: trouble.hint.clone(),
                ..Gap::untold(host, trouble.cause.clone())
            }),
            None => Err(untold(host, id)),
        }
    }

    /// The live value of one setting.
    pub(super) fn sysctl(self, host: &HostName, key: &str) -> Seen<Option<&'a str>> {
        let id = ResourceId(format!("sysctl {key}"));
        match self.observed(host, &id)? {
            Observed::Sysctl { value } => Ok(value.as_deref().map(str::trim)),
            _ => Err(untold(host, key)),
        }
    }

    /// The files that a boot reads.
    pub(super) fn boot_files(self, host: &HostName) -> Seen<&'a BootFiles> {
        let found = self.before(host)?;
        found
            .boot_files
            .as_ref()
            .ok_or_else(|| untold(host, "the files that a boot reads"))
    }

    /// The lab's service in the IPVS table; `None` where it is not there.
    pub(super) fn virtual_service(
        self,
        host: &HostName,
        key: ServiceKey,
    ) -> Seen<Option<&'a ServiceStatus>> {
        match &self.before(host)?.ipvs {
            Some(Ok(table)) => Ok(table.iter().find(|status| status.service.key == key)),
            Some(Err(cause)) => Err(Gap::untold(host, cause.clone())),
            None => Err(untold(host, "the IPVS table")),
        }
    }

    pub(super) fn route(self, host: &HostName, to: IpAddr) -> Seen<&'a RouteEvidence> {
        let found = self.before(host)?;
        let entry = found.routes.iter().find(|entry| entry.to == to);
        entry.ok_or_else(|| untold(host, format_args!("its route to {to}")))
    }

    /// MAC of the interface the host has on `network`.
    pub(super) fn mac(self, host: &HostName, network: NetworkId) -> Seen<&'a str> {
        let found = self.before(host)?;
        let interface = self.interface(host, network);
        let link = found
            .links
            .iter()
            .find(|link| Some(&link.name) == interface);
        link.map(|link| link.mac.as_str())
            .ok_or_else(|| untold(host, "the MAC of its lab interface"))
    }

    /// The host of the lab that has this MAC.
    pub(super) fn owner_of(self, mac: &str) -> Option<&'a HostName> {
        let owns = |host: &&'a Host| {
            self.before(&host.name)
                .is_ok_and(|found| found.links.iter().any(|link| link.mac == mac))
        };
        self.lab()
            .hosts()
            .iter()
            .find(owns)
            .map(|host: &'a Host| &host.name)
    }

    pub(super) fn fetched(self) -> Seen<&'a [Response]> {
        match self.evidence.fetched() {
            Ok(responses) => Ok(responses),
            // A client that gave no evidence at all was not asked for requests either: one reason is enough.
            Err(why) if why.kind == AbsenceKind::NotAsked => {
                let client = &self.lab().client().name;
                self.before(client)?;
                Err(self.gap(client, why))
            }
            Err(why) => Err(self.gap(&self.lab().client().name, why)),
        }
    }

    /// A host that was lost is not asked any further: then the loss is the reason.
    fn gap(self, host: &HostName, why: &Absence) -> Gap {
        let lost = self
            .record(host)
            .and_then(|record| self.evidence.lost(host, record))
            .filter(|_| why.kind == AbsenceKind::NotAsked);
        let why = lost.unwrap_or(why);
        Gap {
            host: host.clone(),
            lack: match why.kind {
                AbsenceKind::Unreachable => Lack::Unreachable,
                AbsenceKind::NotAsked => Lack::NotAsked,
                AbsenceKind::Unplanned | AbsenceKind::Failed => Lack::Untold,
            },
            cause: why.cause.clone(),
            hint: why.hint.clone(),
        }
    }

    fn record(self, host: &HostName) -> Option<&'a HostRecord> {
        self.evidence.hosts().get(host)
    }

    fn sighting(self, host: &HostName) -> Seen<&'a Sighting> {
        match self.record(host).map(|record| &record.before) {
            Some(Ok(sighting)) => Ok(sighting),
            Some(Err(why)) => Err(self.gap(host, why)),
            None => Err(stranger(host)),
        }
    }
}

/// Evidence that a host was asked for and did not give.
pub(super) fn untold(host: &HostName, what: impl std::fmt::Display) -> Gap {
    Gap::untold(host, format!("the agent did not report {what}"))
}

fn stranger(host: &HostName) -> Gap {
    Gap::untold(host, format!("{host} is not in the evidence"))
}
