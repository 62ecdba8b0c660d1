//! SELinux: the mode that a boot sets.

use super::{BootFiles, Place, System};
use crate::requirement::{HostState, Origin, Sourced};
use crate::resource::SelinuxMode;

const CONFIGURATION: &str = "/etc/selinux/config";

pub(super) const PLACES: &[Place] = &[Place::File(CONFIGURATION)];

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
