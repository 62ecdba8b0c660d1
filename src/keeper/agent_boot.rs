//! Our own agent: brings up `ifcfg-*` files and restores IPVS rules on systems that do not do it themselves.
//!
//! `lvslab boot` calls these functions for what to bring up, and the prediction calls them for what it will bring up.
//! A systemd unit runs it; hosts of the sandbox, which have no systemd, run it as a part of their boot. A file that
//! it cannot use is left out and named, so its effect is certain: none.

use std::fmt::Display;

use minijinja::context;

use super::ifcfg::{Ifcfg, SCRIPTS};
use super::render::Template;
use super::target::{PUBLIC, Rendered};
use super::{BootFiles, Place, Purpose, Step, System, Target, WriteError};
use super::{ifcfg, saved_rules, service_manager, system};
use crate::requirement::{HostAddress, HostState, LinkState, Need, Origin, Sourced};
use crate::resource::{NetworkFiles, OsFamily, Resource, Service, ServiceManager};
use crate::sys::on_host;

/// The unit that runs it.
pub const UNIT: &str = "lvslab-boot";

const UNIT_FILE: &str = "/etc/systemd/system/lvslab-boot.service";

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

/// Why the host needs the unit, if it does: systems other than RHEL do not read ifcfg files, no system restores IPVS
/// rules without the ipvsadm package, which we do not install, and NetworkManager leaves aliases of `lo` alone.
fn reason(target: Target<'_>) -> Option<&'static str> {
    if target.facts.service_manager != ServiceManager::Systemd {
        return None;
    }
    if target.facts.network_files == NetworkFiles::Agent {
        return Some("This system does not read ifcfg files, so the agent brings them up at boot.");
    }
    target.needs().find_map(|need| match need {
        Need::VirtualService(_) => Some(
            "Nothing on this system restores IPVS rules at boot as long as the ipvsadm package is not installed, \
             so the agent does.",
        ),
        Need::RealServerVip { .. } => {
            Some("NetworkManager leaves aliases of lo alone, so the agent brings lo:0 up at boot.")
        }
        _ => None,
    })
}

/// The unit, its file and that it is enabled. It stays active once it has run, so running and enabled can be compared.
pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let Some(why) = reason(target) else {
        return Ok(Vec::new());
    };
    let mut unit = target.file(
        Rendered {
            path: UNIT_FILE.to_owned(),
            template: Template::BOOT_UNIT,
            context: context! { agent => on_host::AGENT },
            mode: PUBLIC,
            directory: None,
        },
        Purpose::BootUnit,
        why,
    )?;
    // A person would do without the unit, by what the distribution has.
    let distribution_has_it =
        target.facts.family == OsFamily::Rhel && target.facts.network_files == NetworkFiles::System;
    let balances = target
        .needs()
        .any(|need| matches!(need, Need::VirtualService(_)));
    let by_hand = match (distribution_has_it, balances) {
        (true, true) => vec!["systemctl enable ipvsadm".to_owned()],
        (true, false) => Vec::new(),
        (false, _) => system::enable_unit(UNIT),
    };
    if distribution_has_it {
        unit.by_hand.clear();
    }
    let enabled = Step {
        resource: Resource::Service(Service {
            name: UNIT.to_owned(),
            running: true,
            enabled: true,
            restart_on: vec![UNIT_FILE.to_owned()],
        }),
        purpose: Purpose::BootSequence,
        why: "A unit does nothing at boot until it is enabled.".to_owned(),
        by_hand,
    };
    Ok(vec![unit, enabled])
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
