//! From a lab and what its hosts are to what each host should be. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{HostName, InterfaceName, Lab};
use crate::resource::{Facts, Resource};

/// What one host should be, in order of application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// Host.
    pub host: HostName,
    /// Interface per segment the host is on, as chosen from its facts.
    pub interfaces: BTreeMap<usize, InterfaceName>,
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

/// Why a plan could not be made for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// To be filled in: ambiguous interface, missing interface, ...
    #[error("{host}: no plan")]
    NoPlan {
        /// Host.
        host: HostName,
    },
}

/// The plan of every host whose facts are given; hosts without facts get none.
pub fn plan(
    lab: &Lab,
    facts: &BTreeMap<HostName, Facts>,
) -> BTreeMap<HostName, Result<HostPlan, PlanError>> {
    let _ = (lab, facts);
    BTreeMap::new()
}
