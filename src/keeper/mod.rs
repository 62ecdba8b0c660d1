//! How a host keeps a state over a boot: one file per mechanism. Pure.
//!
//! Each keeper writes for requirements: what must be made true, so that they hold now or after a boot? In: a [`Target`],
//! which is a host with its requirements. Out: [`Step`]s.
//!
//! And each keeper reads the files of its mechanism: what will a boot make of them? In: [`BootFiles`], which the agent
//! collected. Out: addresses, routes, settings, IPVS services and started services in a [`HostState`], each with the
//! place it comes from. What a keeper finds and cannot read as an effect is noted as unread with its place, because
//! then only a boot tells.

pub mod agent_boot;
mod alias;
mod apache;
mod error;
mod files;
mod firewalld;
pub mod ifcfg;
pub mod ipvsadm_programs;
mod kernel;
mod network_scripts;
mod programs;
mod render;
pub mod saved_rules;
mod selinux;
mod service_manager;
mod shell;
mod step;
pub mod sysctl_files;
pub mod sysctl_key;
mod system;
mod target;
#[cfg(test)]
mod tests;

pub use apache::{ListenLine, PAGE, listen_lines};
pub use error::WriteError;
pub use files::{BootFile, BootFiles, Place};
pub use render::Templates;
pub use step::{Purpose, Step};
pub use system::System;
pub use target::{Home, Target};

use crate::requirement::HostState;

/// What a keeper writes for.
type Write = fn(Target<'_>) -> Result<Vec<Step>, WriteError>;

/// Every keeper that writes. Within one place of the order of application, its steps come in this order.
const WRITERS: [Write; 9] = [
    programs::write,
    ifcfg::write,
    sysctl_files::write,
    apache::write,
    saved_rules::write,
    agent_boot::write,
    firewalld::write,
    selinux::write,
    kernel::write,
];

/// What has to be made true on a host for its requirements to hold now and after a boot, in no order yet
/// ([`Purpose::place`]).
///
/// # Errors
/// A keeper cannot keep a requirement on this host.
pub fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let mut steps = Vec::new();
    for write in WRITERS {
        for step in write(target)? {
            // Two requirements may be kept by the same resource: the gateway is that of every client.
            if steps
                .iter()
                .all(|other: &Step| other.resource != step.resource)
            {
                steps.push(step);
            }
        }
    }
    Ok(steps)
}

/// One mechanism whose files a boot reads.
struct Reader {
    /// Where its files are.
    places: &'static [Place],
    /// Adds what a boot makes of them.
    read: fn(&BootFiles, &System, &mut HostState),
}

/// Every mechanism but the settings, which have to be asked for by name, in the order in which a boot comes to them.
const READERS: [Reader; 7] = [
    Reader {
        places: selinux::PLACES,
        read: selinux::predict,
    },
    Reader {
        places: service_manager::PLACES,
        read: |_, _, _| {},
    },
    Reader {
        places: ifcfg::PLACES,
        read: network_scripts::predict,
    },
    Reader {
        places: firewalld::PLACES,
        read: firewalld::predict,
    },
    Reader {
        places: saved_rules::PLACES,
        read: saved_rules::predict,
    },
    Reader {
        places: &[],
        read: agent_boot::predict,
    },
    Reader {
        places: apache::PLACES,
        read: apache::predict,
    },
];

/// Where the files are that [`after_boot`] wants to see.
pub fn places() -> impl Iterator<Item = &'static Place> {
    let others = READERS.iter().flat_map(|reader| reader.places);
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
    for reader in &READERS {
        (reader.read)(files, system, &mut state);
    }
    state
}
