//! firewalld: the default zone that it starts with.

use super::{BootFiles, Place, Purpose, Step, System, Target, WriteError, service_manager};
use crate::requirement::{HostState, Need, Origin, Sourced};
use crate::resource::{Firewall, Resource};

const CONFIGURATION: &str = "/etc/firewalld/firewalld.conf";

pub(super) const PLACES: &[Place] = &[Place::File(CONFIGURATION)];

/// The zone where no file names another (firewalld.conf(5)).
const DEFAULT: &str = "public";

pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let steps = target
        .requirements
        .iter()
        .filter(|_| target.facts.firewalld)
        .filter_map(|requirement| match requirement.need {
            Need::OpenFirewall { zone } => Some(Step {
                resource: Resource::Firewall(Firewall {
                    zone: zone.to_owned(),
                }),
                purpose: Purpose::Firewall,
                why: requirement.why.clone(),
                by_hand: vec![format!("firewall-cmd --set-default-zone={zone}")],
            }),
            _ => None,
        });
    Ok(steps.collect())
}

pub(super) fn predict(files: &BootFiles, system: &System, state: &mut HostState) {
    let zone = service_manager::started(files, system, "firewalld").map(|_| {
        let said = files.text(CONFIGURATION).unwrap_or_default().lines().rev();
        said.filter_map(|line| line.trim().strip_prefix("DefaultZone="))
            .map(|zone| zone.trim().to_owned())
            .next()
            .unwrap_or_else(|| DEFAULT.to_owned())
    });
    state.firewall = Some(Sourced::from(zone, Origin::file(CONFIGURATION)));
}
