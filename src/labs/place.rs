//! Records which machines a lab touched, so that `down` misses none.

use serde::{Deserialize, Serialize};

use super::{LabsError, in_sandbox, read_json, saved, write_json};
use crate::model::{Host, HostName, Lab, LabId};
use crate::sys::dirs::Dirs;
use crate::sys::local::LocalError;

/// Next to the lab.
pub(super) const MACHINES_FILE: &str = "machines.json";

/// Refuses a lab that is up in another place than its topology and inventory say.
///
/// # Errors
/// When it is up on machines and `lab` says sandbox, or the other way round; or when it is up on machines that `lab`
/// leaves out, which no `down` would put back.
pub fn same_place(dirs: &Dirs, lab: &Lab) -> Result<(), LabsError> {
    let Some(up) = saved(dirs, lab.id())? else {
        return Ok(());
    };
    if in_sandbox(&up) != in_sandbox(lab) {
        return Err(LabsError::ElsewhereUp {
            lab: lab.id().clone(),
            sandbox: in_sandbox(&up),
        });
    }
    let named: Vec<Machine> = lab.hosts().iter().filter_map(Machine::of).collect();
    let machines: Vec<String> = touched(dirs, lab.id())?
        .iter()
        .filter(|touched| !named.iter().any(|named| named.is_at(touched)))
        .map(|touched| format!("{} ({})", touched.name, touched.host))
        .collect();
    if machines.is_empty() {
        return Ok(());
    }
    Err(LabsError::MachinesLeftOut {
        lab: lab.id().clone(),
        machines,
    })
}

/// Remembers the machines of `lab` that may be changed from now on.
///
/// # Errors
/// When it cannot be written.
pub fn touch(
    dirs: &Dirs,
    lab: &Lab,
    is_touched: impl Fn(&HostName) -> bool,
) -> Result<(), LocalError> {
    let mut machines = touched(dirs, lab.id())?;
    let known = machines.len();
    for machine in lab.hosts().iter().filter_map(Machine::of) {
        if is_touched(&machine.name) && !machines.iter().any(|known| known.is_at(&machine)) {
            machines.push(machine);
        }
    }
    if machines.len() == known {
        return Ok(());
    }
    let path = dirs.lab(lab.id()).join(MACHINES_FILE);
    write_json(&path, &machines)
}

fn touched(dirs: &Dirs, name: &LabId) -> Result<Vec<Machine>, LocalError> {
    Ok(read_json(&dirs.lab(name).join(MACHINES_FILE))?.unwrap_or_default())
}

/// A machine of one's own.
#[derive(Debug, Serialize, Deserialize)]
struct Machine {
    name: HostName,
    host: String,
    port: Option<u16>,
}

impl Machine {
    fn of(host: &Host) -> Option<Self> {
        let to = host.ssh.as_ref()?;
        Some(Self {
            name: host.name.clone(),
            host: to.host.clone(),
            port: to.port,
        })
    }

    fn is_at(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}
