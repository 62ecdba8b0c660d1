//! firewalld, as far as the lab's policy has it opened.

use super::{HostState, Need, Requirement, Verdict};
use crate::model::{Host, Lab, Role};

/// The zone in which everything passes.
const ZONE: &str = "trusted";

/// Of the director and the real servers; nothing connects to the client.
pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    if host.is(Role::Client) || !lab.policy().trust_firewall {
        return Vec::new();
    }
    vec![Requirement {
        need: Need::OpenFirewall { zone: ZONE },
        service: None,
        why: "firewalld's default zone rejects web requests and forwarded packets; in the zone `trusted` all pass."
            .to_owned(),
        symptom: "Requests are refused or hang at this host.",
    }]
}

pub(super) fn judge(zone: &str, state: &HostState) -> Verdict {
    match &state.firewall {
        None => Verdict::not_seen("firewalld"),
        Some(found) => match &found.value {
            None => Verdict::holds("firewalld does not run"),
            Some(present) if present == zone => Verdict::holds(present.clone()),
            Some(present) => Verdict::fails(present.clone(), found.origin.clone()),
        },
    }
}
