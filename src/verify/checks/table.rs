//! The lab's service in the director's IPVS table.

use super::target::Target;
use super::{Draft, Judged};
use crate::requirement::{Need, Requirement};
use crate::resource::IpvsService;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::{describe, ipvs};

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    target
        .required
        .iter()
        .filter_map(|requirement| match &requirement.need {
            Need::VirtualService(wanted) => Some(service(target, requirement, wanted)),
            _ => None,
        })
        .collect()
}

fn service(target: Target<'_>, requirement: &Requirement, wanted: &IpvsService) -> Finding {
    let key = wanted.service.key;
    let found = target.view.virtual_service(target.name(), key);
    let status = found.as_ref().ok().copied().flatten();
    let why = status.and_then(|status| ipvs::consequence(wanted, status));
    let expected = ipvs::words(wanted);
    Draft::new(
        target.name(),
        Subject::VirtualService(key.into()),
        format!(
            "IPVS serves {key} by {} with {}",
            wanted.service.scheduler,
            describe::counted(wanted.destinations.len(), "real server")
        ),
    )
    .expected(expected.clone())
    .why(why.unwrap_or_else(|| requirement.why.clone()))
    .fix(match &found {
        Ok(status) => ipvs::repair(wanted, *status),
        Err(_) => Vec::new(),
    })
    .judged(found.map(|status| match ipvs::differences(wanted, status) {
        None => Judged::new(true, expected),
        Some(seen) => Judged::new(false, seen),
    }))
}
