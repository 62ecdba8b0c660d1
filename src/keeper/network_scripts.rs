//! Systems that read `ifcfg-*` files themselves: network-scripts, and NetworkManager's ifcfg-rh plugin.
//!
//! network-scripts bring up an alias together with the interface it belongs to, `lo:0` with `ifcfg-lo`. NetworkManager
//! does the same for other interfaces and leaves aliases of `lo` alone (reader.c and utils.c of its plugin).
//! network-scripts source the files, so what is no plain assignment there may do anything.

use super::ifcfg::{Ifcfg, IfcfgError};
use super::{BootFiles, System, agent_boot, ifcfg};
use crate::requirement::{HostState, Origin, Topic, Unread};
use crate::resource::NetworkFiles;

pub(super) fn predict(files: &BootFiles, system: &System, state: &mut HostState) {
    state.links.get_or_insert_default();
    state.addresses.get_or_insert_default();
    if system.network_files != NetworkFiles::System {
        return;
    }
    let mut found: Vec<(&str, Ifcfg)> = Vec::new();
    for (path, device, text) in ifcfg::files(files) {
        match Ifcfg::parse(device, text) {
            Ok(file) if file.on_boot => found.push((path, file)),
            // An address by DHCP is no lab's.
            Ok(_) | Err(IfcfgError::Dynamic { .. }) => {}
            Err(error) => state.unread.push(Unread {
                topic: Topic::Network,
                place: Origin::file(path),
                cause: error.to_string(),
            }),
        }
    }
    found.sort_by_key(|(_, file)| file.label.is_some());
    let has_base = |file: &Ifcfg| {
        found
            .iter()
            .any(|(_, base)| base.label.is_none() && base.interface == file.interface)
    };
    for (path, file) in &found {
        let of_lo = file.interface.as_str() == "lo" && file.label.is_some();
        let comes_up = match &file.label {
            None => true,
            Some(_) if of_lo && system.network_manager => false,
            Some(_) => has_base(file),
        };
        if comes_up {
            agent_boot::bring_up(path, file, state);
        }
    }
}
