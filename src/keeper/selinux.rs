//! SELinux: the mode that a boot sets.

use super::{BootFiles, Place, Purpose, Step, System, Target, WriteError};
use crate::requirement::{HostState, Need, Origin, Sourced};
use crate::resource::{Resource, Selinux, SelinuxMode};

const CONFIGURATION: &str = "/etc/selinux/config";

pub(super) const PLACES: &[Place] = &[Place::File(CONFIGURATION)];

pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    // Permissive is looked at, too: it may be so only until the next boot.
    let present = matches!(
        target.facts.selinux,
        Some(SelinuxMode::Enforcing | SelinuxMode::Permissive)
    );
    let steps = target
        .requirements
        .iter()
        .filter(|_| present)
        .filter_map(|requirement| match requirement.need {
            Need::Selinux { mode } => Some(Step {
                resource: Resource::Selinux(Selinux { mode }),
                purpose: Purpose::Selinux,
                why: requirement.why.clone(),
                by_hand: vec![
                    "setenforce 0".to_owned(),
                    format!("sed -i '/^SELINUX=/s/enforcing/permissive/' {CONFIGURATION}"),
                ],
            }),
            _ => None,
        });
    Ok(steps.collect())
}

pub(super) fn predict(files: &BootFiles, _: &System, state: &mut HostState) {
    let mode = files.text(CONFIGURATION).and_then(|text| {
        text.lines()
            .rev()
            .filter_map(|line| line.trim().strip_prefix("SELINUX="))
            .find_map(|word| mode(word.trim()))
    });
    state.selinux = Some(Sourced::from(mode, Origin::file(CONFIGURATION)));
}

fn mode(word: &str) -> Option<SelinuxMode> {
    [
        SelinuxMode::Enforcing,
        SelinuxMode::Permissive,
        SelinuxMode::Disabled,
    ]
    .into_iter()
    .find(|mode| mode.as_str() == word)
}
