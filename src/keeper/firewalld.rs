//! firewalld: the default zone that it starts with.

use super::{BootFiles, Place, System, service_manager};
use crate::requirement::{HostState, Origin, Sourced};

const CONFIGURATION: &str = "/etc/firewalld/firewalld.conf";

pub(super) const PLACES: &[Place] = &[Place::File(CONFIGURATION)];

/// The zone where no file names another (firewalld.conf(5)).
const DEFAULT: &str = "public";

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
