//! Which lab is meant: a topology file, or a lab that is up by its name.
//!
//! A lab that is up is a directory `STATE/LAB` with `lab.json`, the lab as it was brought up, its `ssh_config`, and
//! `machines.json`, the machines of one's own that may have something of it.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{HostName, Lab, LabId};
use crate::sys::atomic;
use crate::sys::dirs::{Dirs, EXERCISE_FILE, LAB_FILE, SSH_CONFIG_FILE, create_private};
use crate::sys::local::LocalError;
use crate::topology;

mod error;
mod place;

pub use error::LabsError;
pub use place::{same_place, touch};

/// The lab a person names on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Selection {
    /// Topology file, or the name of a lab that is up
    #[arg(value_name = "TOPOLOGY")]
    pub topology: PathBuf,
    /// File that says where the hosts are (`ssh:` per host); hosts without it live in the sandbox
    #[arg(short, long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
}

/// A [`Selection`] that a file of evidence (`--from`, an option of the verb's own) can stand in for.
#[derive(Debug, Clone, clap::Args)]
pub struct LiveSelection {
    /// Topology file, or the name of a lab that is up
    #[arg(value_name = "TOPOLOGY", required_unless_present = "from")]
    topology: Option<PathBuf>,
    /// File that says where the hosts are (`ssh:` per host); hosts without it live in the sandbox
    #[arg(short, long, value_name = "FILE")]
    inventory: Option<PathBuf>,
}

impl LiveSelection {
    /// [`Selection::load`]; only where there is no `--from`.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, LabsError> {
        let selection = Selection {
            // The command line has either this or --from.
            topology: self.topology.clone().unwrap_or_default(),
            inventory: self.inventory.clone(),
        };
        selection.load(dirs)
    }
}

impl Selection {
    /// Reads the file, or the lab that is up under that name.
    ///
    /// # Errors
    /// Every mistake in the files, or that there is no such lab.
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, LabsError> {
        if let Some(name) = self.name(dirs) {
            if self.inventory.is_some() {
                return Err(LabsError::InventoryForName { name });
            }
            return saved(dirs, &name)?.ok_or(LabsError::NotUp { lab: name });
        }
        Ok(topology::load(&self.topology, self.inventory.as_deref())?)
    }

    /// As the person would write it again: `topologies/dr.yaml -i inventory.yaml`.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.inventory {
            Some(inventory) => format!("{} -i {}", self.topology.display(), inventory.display()),
            None => self.topology.display().to_string(),
        }
    }

    /// The lab that is meant rather than a file: one that is up, or a word that looks like no path.
    fn name(&self, dirs: &Dirs) -> Option<LabId> {
        if self.topology.is_file() {
            return None;
        }
        let word = self.topology.to_str()?;
        let name: LabId = word.parse().ok()?;
        let is_up = dirs.lab(&name).join(LAB_FILE).exists();
        (is_up || !(word.contains('.') || self.topology.exists())).then_some(name)
    }
}

/// The lab that is up under `name`, as it was brought up.
///
/// # Errors
/// When its file cannot be read or is not ours.
pub fn saved(dirs: &Dirs, name: &LabId) -> Result<Option<Lab>, LocalError> {
    read_json(&dirs.lab(name).join(LAB_FILE))
}

/// Remembers `lab` as up.
///
/// # Errors
/// When it cannot be written.
pub fn remember(dirs: &Dirs, lab: &Lab) -> Result<(), LocalError> {
    make_directory(dirs, lab.id())?;
    write_json(&dirs.lab(lab.id()).join(LAB_FILE), lab)
}

/// Makes the directory of what is remembered of a lab.
///
/// # Errors
/// When it cannot be made or is not ours.
pub fn make_directory(dirs: &Dirs, name: &LabId) -> Result<(), LocalError> {
    let directory = dirs.lab(name);
    create_private(&dirs.state)
        .and_then(|()| create_private(&directory))
        .map_err(LocalError::when(format!("make {}", directory.display())))
}

/// Removes what [`remember`] and the SSH configuration left, and the lab's directories when they are empty.
///
/// # Errors
/// When something cannot be removed.
pub fn forget(dirs: &Dirs, name: &LabId) -> Result<(), LocalError> {
    let directory = dirs.lab(name);
    for file in [
        EXERCISE_FILE,
        LAB_FILE,
        place::MACHINES_FILE,
        SSH_CONFIG_FILE,
    ] {
        let path = directory.join(file);
        atomic::remove(&path).map_err(LocalError::when(format!("remove {}", path.display())))?;
    }
    for directory in [directory, dirs.lab_runtime(name)] {
        // Whoever still has files there keeps them.
        let _ = std::fs::remove_dir(directory);
    }
    Ok(())
}

/// Every lab that is up, by name.
///
/// # Errors
/// When the state directory cannot be read.
pub fn running(dirs: &Dirs) -> Result<Vec<LabId>, LocalError> {
    let entries = match std::fs::read_dir(&dirs.state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(LocalError::when(format!("read {}", dirs.state.display()))(
                error,
            ));
        }
    };
    let mut names: Vec<LabId> = entries
        .flatten()
        .filter(|entry| {
            let has = |file: &str| entry.path().join(file).exists();
            // A start that was killed half-way leaves only the sandbox's own file.
            has(LAB_FILE) || has("sandbox.json")
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// `--lab NAME`, needed only when several labs are up.
#[derive(Debug, Clone, clap::Args)]
pub struct WhichLab {
    /// Lab, where several are up
    #[arg(long, value_name = "NAME")]
    pub lab: Option<LabId>,
}

impl WhichLab {
    /// Its name.
    ///
    /// # Errors
    /// When none or several are up and none was named.
    pub fn name(&self, dirs: &Dirs) -> Result<LabId, LabsError> {
        if let Some(name) = &self.lab {
            return Ok(name.clone());
        }
        let mut names = running(dirs)?;
        match names.len() {
            0 => Err(LabsError::NothingUp),
            1 => Ok(names.remove(0)),
            _ => Err(LabsError::WhichLab { labs: names }),
        }
    }

    /// The lab itself.
    ///
    /// # Errors
    /// See [`WhichLab::name`]; also when the one that was named is not up.
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, LabsError> {
        let name = self.name(dirs)?;
        saved(dirs, &name)?.ok_or(LabsError::NotUp { lab: name })
    }

    /// The lab, and that it has `host`. Without `--lab`, the one lab that is up and has such a host.
    ///
    /// # Errors
    /// See [`WhichLab::load`]; also when there is no such host.
    pub fn with_host(&self, dirs: &Dirs, host: &HostName) -> Result<Lab, LabsError> {
        if self.lab.is_none() {
            let mut having = Vec::new();
            for name in running(dirs)? {
                having.extend(saved(dirs, &name)?.filter(|lab| lab.host(host.as_str()).is_some()));
            }
            match having.len() {
                0 => {}
                1 => return Ok(having.remove(0)),
                _ => {
                    return Err(LabsError::WhichLab {
                        labs: having.iter().map(|lab| lab.id().clone()).collect(),
                    });
                }
            }
        }
        let lab = self.load(dirs)?;
        if lab.host(host.as_str()).is_some() {
            Ok(lab)
        } else {
            Err(LabsError::UnknownHost {
                host: host.clone(),
                lab: lab.id().clone(),
                known: lab.hosts().iter().map(|host| host.name.clone()).collect(),
            })
        }
    }
}

/// Whether the lab's hosts live in the sandbox: all do, or none does.
#[must_use]
pub fn in_sandbox(lab: &Lab) -> bool {
    lab.hosts().iter().all(|host| host.ssh.is_none())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LocalError> {
    let failed = || format!("read {}", path.display());
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::when(failed())(error)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| LocalError::when(failed())(error.into()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LocalError> {
    let failed = || format!("write {}", path.display());
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| LocalError::when(failed())(error.into()))?;
    atomic::write(path, &text, 0o600).map_err(LocalError::when(failed()))
}

/// Where the SSH configuration of a lab that is up is.
#[must_use]
pub fn ssh_config(dirs: &Dirs, lab: &LabId) -> PathBuf {
    dirs.lab(lab).join(SSH_CONFIG_FILE)
}

#[cfg(test)]
mod tests;
