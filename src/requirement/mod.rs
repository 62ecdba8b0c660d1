//! What must hold on each host for a lab to work, now and after the next boot. Pure.
//!
//! In: a [`Lab`]. Out: per host its [`Requirement`]s, each with the reason for it and with what is seen while it does
//! not hold. A requirement names an effect, never a file: an address on the interface of a network, a way to another
//! host, a service in the IPVS table. So it is the same for everybody who builds the lab, whatever tool they use.
//! [`judge`] holds a requirement against the [`HostState`] of a host, be it observed or predicted.
//!
//! Each kind of requirement has a file of its own, which says who needs it ([`SOURCES`]) and when it holds.

mod arp;
mod attachment;
mod firewall;
mod forwarding;
mod interfaces;
mod need;
mod program;
mod selinux;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod verdict;
mod vip;
mod way;
mod web;

use std::collections::BTreeMap;

pub use attachment::{OwnAddress, Term};
pub use interfaces::{Candidate, InterfaceError, Interfaces};
pub use need::{Kind, Need};
pub use program::Program;
pub use state::{
    Hop, HostAddress, HostState, LinkState, Listening, Origin, Route, SettingStates, Sourced,
    Topic, Unread, Unset, WebState,
};
pub use verdict::{Verdict, judge};
pub use way::Way;
pub use web::WebServer;

use crate::ipvs::ServiceKey;
use crate::model::{Host, HostName, Lab};

/// Something that must hold on a host, now and after the next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What must hold. Unique on a host.
    pub need: Need,
    /// The virtual service that it is about; `None` where every service needs it.
    pub service: Option<ServiceKey>,
    /// Why the lab needs it, in one sentence.
    pub why: String,
    /// What is seen while it does not hold, in one sentence.
    pub symptom: &'static str,
}

/// What one host needs of one kind, from the lab.
type Source = fn(&Lab, &Host) -> Vec<Requirement>;

/// Who needs what, one line per kind, in the order in which a person builds a lab.
const SOURCES: [Source; 11] = [
    program::required,
    attachment::links,
    attachment::addresses,
    vip::required,
    arp::required,
    forwarding::required,
    way::required,
    web::required,
    service::required,
    firewall::required,
    selinux::required,
];

/// The requirements of every host of `lab`.
#[must_use]
pub fn require(lab: &Lab) -> BTreeMap<HostName, Vec<Requirement>> {
    lab.hosts()
        .iter()
        .map(|host| (host.name.clone(), of_host(lab, host)))
        .collect()
}

/// The requirements of one host of `lab`.
#[must_use]
pub fn of_host(lab: &Lab, host: &Host) -> Vec<Requirement> {
    let mut requirements: Vec<Requirement> = Vec::new();
    for one in SOURCES.iter().flat_map(|source| source(lab, host)) {
        // Two services may need the same of a host.
        if requirements.iter().all(|other| other.need != one.need) {
            requirements.push(one);
        }
    }
    requirements
}

/// Kernel settings that have to be looked at before `requirements` can be judged, by their dotted names.
#[must_use]
pub fn settings_asked(requirements: &[Requirement], interfaces: &Interfaces) -> Vec<String> {
    let mut keys: Vec<String> = requirements
        .iter()
        .flat_map(|requirement| requirement.need.settings_asked(interfaces))
        .collect();
    keys.sort();
    keys.dedup();
    keys
}
