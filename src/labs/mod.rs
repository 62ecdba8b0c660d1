//! Which lab is meant: a topology file, or a lab that is up by its name.
//!
//! A lab that is up is a directory `STATE/LAB` with `lab.json`, the lab as it was brought up, its `ssh_config`, and
//! `machines.json`, the machines of the person's own that the lab has touched.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{Lab, LabId};
use crate::sys::atomic;
use crate::sys::dirs::{Dirs, EXERCISE_FILE, LAB_FILE, SSH_CONFIG_FILE, create_private};
use crate::sys::local::LocalError;

mod error;
mod place;
mod selection;

pub use error::LabsError;
pub use place::{same_place, touch};
pub use selection::{LabOption, Selection};

/// The lab that is up under `name`, as it was brought up.
///
/// # Errors
/// When its file cannot be read or is not ours.
pub fn saved(dirs: &Dirs, name: &LabId) -> Result<Option<Lab>, LocalError> {
    read_json(&dirs.lab(name).join(LAB_FILE))
}

/// When the lab was brought up as it is now; `None` when that cannot be told.
#[must_use]
pub fn since(dirs: &Dirs, name: &LabId) -> Option<SystemTime> {
    let file = std::fs::metadata(dirs.lab(name).join(LAB_FILE)).ok()?;
    file.modified().ok()
}

/// Remembers `lab` as up.
///
/// # Errors
/// When it cannot be written.
pub fn remember(dirs: &Dirs, lab: &Lab) -> Result<(), LocalError> {
    make_directory(dirs, lab.id())?;
    if saved(dirs, lab.id())?.as_ref() == Some(lab) {
        // The file's time says since when the lab is up.
        return Ok(());
    }
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
        // A directory that is not empty stays.
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
