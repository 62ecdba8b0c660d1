//! From a lab and what its hosts are to what each host should be. Pure.
//!
//! In: a [`Lab`], and the [`Facts`] of its hosts (asked of them, or [`assumed_facts`]). Out: per host the
//! resources in order of application, each with the reason and with what a person would type.
//!
//! The order on a host is: package, files, firewall and SELinux, kernel settings, links, addresses, default
//! route, services, IPVS, and last what repeats all that at boot. In a DR lab that puts the ARP settings
//! before the VIP on `lo`, without which the real server would answer for the VIP for a moment.

mod address;
mod assumed;
mod boot;
mod director;
mod error;
mod host;
mod kernel;
mod protection;
mod render;
mod shell;
mod system;
mod web;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use assumed::assumed_facts;
pub use error::PlanError;

use crate::model::{HostName, InterfaceName, Lab, NetworkId};
use crate::resource::{Facts, Resource};
use render::Templates;

/// What one host should be, in order of application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// Host.
    pub host: HostName,
    /// Interface per network the host is on, as chosen from its facts.
    pub interfaces: BTreeMap<NetworkId, InterfaceName>,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// One resource with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What should be.
    pub resource: Resource,
    /// Why the lab needs it, one sentence.
    pub why: String,
    /// What a person would type for the same effect on this host, a line each.
    pub by_hand: Vec<String>,
}

impl Step {
    /// What a person types to put right what lvslab itself has set on the host.
    ///
    /// That is [`Self::by_hand`] but for what a person who builds the lab by hand does without, since the
    /// distribution brings something else for it: a file, the unit that runs at boot.
    #[must_use]
    pub fn repair(&self) -> Vec<String> {
        match &self.resource {
            Resource::File(file) if self.by_hand.is_empty() => shell::make_file(file),
            Resource::Service(service) if boot::is_own(service) => boot::enable(),
            _ => self.by_hand.clone(),
        }
    }
}

/// The plan of every host whose facts are given; hosts without facts get none.
#[must_use]
pub fn plan(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    plans(lab, facts, Purpose::Change)
}

/// [`plan`] to compare hosts with, not to change them: what would only be wrong to change, such as a real
/// server's address in the clients' network, is no reason to have none.
#[must_use]
pub fn expectations(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    plans(lab, facts, Purpose::Judge)
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Hosts are made what it says.
    Change,
    /// Hosts are compared with it.
    Judge,
}

fn plans(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
    purpose: Purpose,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    let templates = Templates::new();
    lab.hosts()
        .iter()
        .filter_map(|host| {
            let facts = facts.get(&host.name)?;
            let planned = match &templates {
                Ok(templates) => host::plan(lab, host, facts, (templates, purpose)),
                Err(error) => Err(error.clone().into_plan_error(&host.name)),
            };
            Some((host.name.clone(), planned))
        })
        .collect()
}
