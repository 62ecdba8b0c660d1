//! Our own agent: brings up `ifcfg-*` files and restores IPVS rules on systems that do not do it themselves.
//!
//! `lvslab boot` calls these functions for what to bring up, and the prediction calls them for what it will bring up.
//! A systemd unit runs it; hosts of the sandbox, which have no systemd, run it as a part of their boot. A file that
//! it cannot use is left out and named, so its effect is certain: none.

use std::fmt::Display;

use super::ifcfg::{Ifcfg, SCRIPTS};
use super::{BootFiles, Place, System, ifcfg, saved_rules, service_manager};
use crate::requirement::{HostAddress, HostState, LinkState, Origin, Sourced};
use crate::resource::{NetworkFiles, ServiceManager};

/// The unit that runs it.
pub const UNIT: &str = "lvslab-boot";

/// The files that it reads.
pub fn places() -> impl Iterator<Item = &'static Place> {
    ifcfg::PLACES.iter().chain(saved_rules::PLACES)
}

/// An ifcfg file to bring up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtUp {
    pub path: String,
    pub file: Ifcfg,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub path: String,
    /// Why, a lower-case fragment.
    pub cause: String,
}

/// The files to bring up, interfaces before aliases and each by name; and those that cannot be used.
#[must_use]
pub fn interface_files(files: &BootFiles) -> (Vec<BroughtUp>, Vec<Unusable>) {
    let unusable = |path: &str, cause: &dyn Display| Unusable {
        path: path.to_owned(),
        cause: cause.to_string(),
    };
    let mut troubles: Vec<Unusable> = files
        .refused(SCRIPTS)
        .map(|(path, cause)| unusable(path, &cause))
        .collect();
    let mut found = Vec::new();
    for (path, device, text) in ifcfg::files(files) {
        match Ifcfg::parse(device, text) {
            Ok(file) if file.on_boot => found.push(BroughtUp {
                path: path.to_owned(),
                file,
            }),
            Ok(_) => {}
            Err(error) => troubles.push(unusable(path, &error)),
        }
    }
    found.sort_by_key(|one| one.file.label.is_some());
    (found, troubles)
}

/// Whether the boot runs the agent.
#[must_use]
pub fn runs(files: &BootFiles, system: &System) -> bool {
    match system.service_manager {
        ServiceManager::Systemd => service_manager::started(files, system, UNIT).is_some(),
        ServiceManager::SysV => system.network_files == NetworkFiles::Agent,
    }
}

pub(super) fn predict(files: &BootFiles, system: &System, state: &mut HostState) {
    if !runs(files, system) {
        return;
    }
    let (brought_up, _) = interface_files(files);
    for one in brought_up {
        bring_up(&one.path, &one.file, state);
    }
    saved_rules::restore_newest(files, state);
}

/// What an ifcfg file adds to a host. What is there already stays.
pub(super) fn bring_up(path: &str, file: &Ifcfg, state: &mut HostState) {
    let links = state.links.get_or_insert_default();
    if !links.iter().any(|link| link.name == file.interface) {
        links.push(LinkState {
            name: file.interface.clone(),
            up: true,
        });
    }
    if let Some(address) = file.address {
        let wanted = HostAddress {
            interface: file.interface.clone(),
            address,
        };
        let addresses = state.addresses.get_or_insert_default();
        if !addresses.iter().any(|there| there.value == wanted) {
            addresses.push(Sourced::from(wanted, Origin::file(path)));
        }
    }
    state.routes.extend(
        file.default_route()
            .map(|route| Sourced::from(route, Origin::file(path))),
    );
}
