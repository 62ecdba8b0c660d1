//! From a lab and what its hosts are to what each host should be. Pure.
//!
//! In: a [`Lab`], and the [`Facts`] of its hosts (asked of them, or [`assumed_facts`]). Out: per host the steps in
//! order of application ([`Purpose::place`](crate::keeper::Purpose::place)), each with the reason and with what a person
//! would type. A plan is what the [keepers](crate::keeper) write for the host's
//! [requirements](crate::requirement), and nothing that would cut the SSH connection.

mod assumed;
mod error;
mod host;
mod safety;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use assumed::assumed_facts;
pub use error::PlanError;

pub use crate::keeper::Step;
use crate::keeper::Templates;
use crate::model::{HostName, InterfaceName, Lab, NetworkId};
use crate::resource::Facts;

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

/// The plan of every host whose facts are given; hosts without facts get none.
#[must_use]
pub fn plan(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    plans(lab, facts, Intent::Change)
}

/// [`plan`] to compare hosts with, not to change them: what would only be wrong to change, such as a real
/// server's address in the clients' network, is no reason to have none.
#[must_use]
pub fn expectations(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    plans(lab, facts, Intent::Judge)
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    /// Hosts are made what it says.
    Change,
    /// Hosts are compared with it.
    Judge,
}

fn plans(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
    intent: Intent,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    let templates = Templates::new();
    lab.hosts()
        .iter()
        .filter_map(|host| {
            let facts = facts.get(&host.name)?;
            let planned = match &templates {
                Ok(templates) => host::plan(lab, host, facts, (templates, intent)),
                Err(error) => Err(PlanError::Write {
                    host: host.name.clone(),
                    cause: error.clone(),
                }),
            };
            Some((host.name.clone(), planned))
        })
        .collect()
}
