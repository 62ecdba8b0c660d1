//! How a host keeps a state over a boot: one file per mechanism. Pure.
//!
//! Each keeper reads the files of its mechanism: what will a boot make of them? In: [`BootFiles`], which the agent
//! collected. Out: addresses, routes, settings, IPVS services and started services in a [`HostState`], each with the
//! place it comes from. What a keeper finds and cannot read as an effect is noted as unread with its place, because
//! then only a boot tells.

pub mod agent_boot;
mod apache;
mod files;
mod firewalld;
pub mod ifcfg;
mod network_scripts;
pub mod saved_rules;
mod selinux;
mod service_manager;
pub mod sysctl_files;
pub mod sysctl_key;
mod system;
#[cfg(test)]
mod tests;

pub use apache::{ListenLine, listen_lines, places as web_server_places};
pub use files::{BootFile, BootFiles, Place};
pub use system::System;

use crate::requirement::HostState;

/// One mechanism.
struct Keeper {
    /// Where its files are.
    places: &'static [Place],
    /// Adds what a boot makes of them.
    read: fn(&BootFiles, &System, &mut HostState),
}

/// Every mechanism but the settings, which have to be asked for by name, in the order in which a boot comes to them.
const KEEPERS: [Keeper; 7] = [
    Keeper {
        places: selinux::PLACES,
        read: selinux::predict,
    },
    Keeper {
        places: service_manager::PLACES,
        read: |_, _, _| {},
    },
    Keeper {
        places: ifcfg::PLACES,
        read: network_scripts::predict,
    },
    Keeper {
        places: firewalld::PLACES,
        read: firewalld::predict,
    },
    Keeper {
        places: saved_rules::PLACES,
        read: saved_rules::predict,
    },
    Keeper {
        places: &[],
        read: agent_boot::predict,
    },
    Keeper {
        places: apache::PLACES,
        read: apache::predict,
    },
];

/// Where the files are that [`after_boot`] wants to see.
pub fn places() -> impl Iterator<Item = &'static Place> {
    let others = KEEPERS.iter().flat_map(|keeper| keeper.places);
    sysctl_files::PLACES.iter().chain(others)
}

/// What a boot will make of `files` on a host of this system.
///
/// `settings` are the kernel settings to look up, by their dotted names
/// ([`settings_asked`](crate::requirement::settings_asked)).
#[must_use]
pub fn after_boot(files: &BootFiles, system: &System, settings: &[String]) -> HostState {
    let mut state = HostState {
        settings: sysctl_files::after_boot(files, settings),
        ..HostState::default()
    };
    for keeper in &KEEPERS {
        (keeper.read)(files, system, &mut state);
    }
    state
}
