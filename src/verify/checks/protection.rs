//! What a host does to protect itself, as far as the lab's policy has it switched off and where it is there at all.

use super::target::Target;
use super::{Draft, Judged};
use crate::requirement::{Need, Requirement};
use crate::resource::{Firewall, Observed, Resource, Selinux, SelinuxMode};
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    target
        .required
        .iter()
        .filter_map(|requirement| match requirement.need {
            Need::OpenFirewall { zone } if target.facts().firewalld => {
                Some(default_zone(target, requirement, zone))
            }
            Need::Selinux { mode } if is_present(target) => {
                Some(selinux(target, requirement, mode))
            }
            _ => None,
        })
        .collect()
}

/// Whether SELinux is there; permissive counts, too: it may be so only until the next boot.
pub(super) fn is_present(target: Target<'_>) -> bool {
    let mode = target.facts().selinux;
    mode.is_some_and(|mode| mode != SelinuxMode::Disabled)
}

fn default_zone(target: Target<'_>, requirement: &Requirement, zone: &str) -> Finding {
    let asked = Resource::Firewall(Firewall {
        zone: zone.to_owned(),
    });
    let observed = target.view.observed(target.name(), &asked.id());
    Draft::new(
        target.name(),
        Subject::FirewalldZone,
        format!("firewalld's default zone is {zone}"),
    )
    .expected(zone)
    .why(requirement.why.clone())
    .fix([format!("firewall-cmd --set-default-zone={zone}")])
    .judged(observed.map(|observed| match observed {
        Observed::Firewall {
            zone: Some(present),
        } => Judged::new(present == zone, present.clone()),
        _ => Judged::new(true, "firewalld does not run"),
    }))
}

fn selinux(target: Target<'_>, requirement: &Requirement, mode: SelinuxMode) -> Finding {
    let asked = Resource::Selinux(Selinux { mode });
    let observed = target.view.observed(target.name(), &asked.id());
    Draft::new(target.name(), Subject::Selinux, "SELinux does not enforce")
        .expected(mode.as_str())
        .why(requirement.why.clone())
        .fix(["setenforce 0".to_owned()])
        .judged(observed.map(|observed| match observed {
            Observed::Selinux {
                live: Some(live), ..
            } => Judged::new(*live != SelinuxMode::Enforcing, live.as_str()),
            _ => Judged::new(true, "SELinux is absent"),
        }))
}
