//! Which lab is meant: a topology file, or a lab that is up by its name.
//!
//! A lab that is up is a directory `STATE/LAB` with `lab.json`, the lab as it was brought up, and its
//! `ssh_config`.

use std::io;
use std::path::PathBuf;

use crate::model::{HostName, Lab, LabName};
use crate::sys::atomic;
use crate::sys::dirs::{Dirs, create_private};
use crate::topology;

use super::{CommandError, exercise};

const LAB_FILE: &str = "lab.json";

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
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, CommandError> {
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
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, CommandError> {
        if let Some(name) = self.name(dirs) {
            if self.inventory.is_some() {
                return Err(CommandError::InventoryForName { name });
            }
            return saved(dirs, &name)?.ok_or(CommandError::NotUp { lab: name });
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
    fn name(&self, dirs: &Dirs) -> Option<LabName> {
        if self.topology.is_file() {
            return None;
        }
        let word = self.topology.to_str()?;
        let name: LabName = word.parse().ok()?;
        let is_up = dirs.lab(&name).join(LAB_FILE).exists();
        (is_up || !(word.contains('.') || self.topology.exists())).then_some(name)
    }
}

/// The lab that is up under `name`, as it was brought up.
///
/// # Errors
/// When its file cannot be read or is not ours.
pub fn saved(dirs: &Dirs, name: &LabName) -> Result<Option<Lab>, CommandError> {
    let path = dirs.lab(name).join(LAB_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::io(format!("read {}", path.display()))(error)),
    };
    let lab = serde_json::from_slice(&text)
        .map_err(|error| CommandError::io(format!("read {}", path.display()))(error.into()))?;
    Ok(Some(lab))
}

/// Remembers `lab` as up.
///
/// # Errors
/// When it cannot be written.
pub fn remember(dirs: &Dirs, lab: &Lab) -> Result<(), CommandError> {
    let directory = dirs.lab(lab.name());
    let path = directory.join(LAB_FILE);
    let failed = || format!("write {}", path.display());
    let text =
        serde_json::to_vec_pretty(lab).map_err(|error| CommandError::io(failed())(error.into()))?;
    create_private(&dirs.state)
        .and_then(|()| create_private(&directory))
        .and_then(|()| atomic::write(&path, &text, 0o600))
        .map_err(CommandError::io(failed()))
}

/// Removes what [`remember`] and the SSH configuration left, and the lab's directories when they are empty.
///
/// # Errors
/// When something cannot be removed.
pub fn forget(dirs: &Dirs, name: &LabName) -> Result<(), CommandError> {
    let directory = dirs.lab(name);
    exercise::forget_all(dirs, name)?;
    for file in [LAB_FILE, "ssh_config"] {
        let path = directory.join(file);
        if path.exists() {
            atomic::remove(&path)
                .map_err(CommandError::io(format!("remove {}", path.display())))?;
        }
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
pub fn running(dirs: &Dirs) -> Result<Vec<LabName>, CommandError> {
    let entries = match std::fs::read_dir(&dirs.state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(CommandError::io(format!("read {}", dirs.state.display()))(
                error,
            ));
        }
    };
    let mut names: Vec<LabName> = entries
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
    pub lab: Option<LabName>,
}

impl WhichLab {
    /// Its name.
    ///
    /// # Errors
    /// When none or several are up and none was named.
    pub fn name(&self, dirs: &Dirs) -> Result<LabName, CommandError> {
        if let Some(name) = &self.lab {
            return Ok(name.clone());
        }
        let mut names = running(dirs)?;
        match names.len() {
            0 => Err(CommandError::NothingUp),
            1 => Ok(names.remove(0)),
            _ => Err(CommandError::WhichLab { labs: names }),
        }
    }

    /// The lab itself.
    ///
    /// # Errors
    /// See [`WhichLab::name`]; also when the one that was named is not up.
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, CommandError> {
        let name = self.name(dirs)?;
        saved(dirs, &name)?.ok_or(CommandError::NotUp { lab: name })
    }

    /// The lab, and that it has `host`. Without `--lab`, the one lab that is up and has such a host.
    ///
    /// # Errors
    /// See [`WhichLab::load`]; also when there is no such host.
    pub fn with_host(&self, dirs: &Dirs, host: &HostName) -> Result<Lab, CommandError> {
        if self.lab.is_none() {
            let mut having = Vec::new();
            for name in running(dirs)? {
                having.extend(saved(dirs, &name)?.filter(|lab| lab.host(host.as_str()).is_some()));
            }
            match having.len() {
                0 => {}
                1 => return Ok(having.remove(0)),
                _ => {
                    return Err(CommandError::WhichLab {
                        labs: having.iter().map(|lab| lab.name().clone()).collect(),
                    });
                }
            }
        }
        let lab = self.load(dirs)?;
        if lab.host(host.as_str()).is_some() {
            Ok(lab)
        } else {
            Err(CommandError::UnknownHost {
                host: host.clone(),
                lab: lab.name().clone(),
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

/// That `lab` is not up in another place than this one says.
///
/// # Errors
/// When it is up on machines and this one says sandbox, or the other way round.
pub fn same_place(dirs: &Dirs, lab: &Lab) -> Result<(), CommandError> {
    match saved(dirs, lab.name())? {
        Some(up) if in_sandbox(&up) != in_sandbox(lab) => Err(CommandError::ElsewhereUp {
            lab: lab.name().clone(),
            sandbox: in_sandbox(&up),
        }),
        _ => Ok(()),
    }
}

/// Where the SSH configuration of a lab that is up is.
#[must_use]
pub fn ssh_config(dirs: &Dirs, lab: &LabName) -> PathBuf {
    dirs.lab(lab).join("ssh_config")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DR: &str = include_str!("../../topologies/dr.yaml");
    const NAT: &str = include_str!("../../topologies/nat.yaml");

    struct Home {
        directory: tempfile::TempDir,
        dirs: Dirs,
    }

    fn home() -> Home {
        let directory = tempfile::tempdir().unwrap();
        let below = |name: &str| directory.path().join(name);
        let dirs = Dirs {
            cache: below("cache"),
            state: below("state"),
            runtime: below("run"),
        };
        Home { directory, dirs }
    }

    fn lab(text: &str) -> Lab {
        topology::parse(text, "x.yaml", None).unwrap()
    }

    fn on_machines() -> Lab {
        let ssh: String = ["client", "director", "web1", "web2"]
            .iter()
            .map(|host| format!("  {host}: {{ ssh: root@{host}.example }}\n"))
            .collect();
        let inventory = topology::Inventory {
            text: &format!("hosts:\n{ssh}"),
            file_name: "inventory.yaml",
            directory: "/".as_ref(),
            home: None,
        };
        topology::parse(DR, "dr.yaml", Some(inventory)).unwrap()
    }

    fn selection(topology: impl Into<PathBuf>) -> Selection {
        Selection {
            topology: topology.into(),
            inventory: None,
        }
    }

    fn which(lab: Option<&str>) -> WhichLab {
        WhichLab {
            lab: lab.map(|name| name.parse().unwrap()),
        }
    }

    #[test]
    fn a_lab_that_is_up_goes_by_its_name_until_it_is_forgotten() {
        let home = home();
        let dr = lab(DR);
        remember(&home.dirs, &dr).unwrap();
        assert_eq!(selection("dr").load(&home.dirs).unwrap(), dr);
        assert_eq!(running(&home.dirs).unwrap(), [dr.name().clone()]);
        forget(&home.dirs, dr.name()).unwrap();
        assert!(selection("dr").load(&home.dirs).is_err());
        assert!(!home.dirs.lab(dr.name()).exists());
        assert!(running(&home.dirs).unwrap().is_empty());
    }

    #[test]
    fn a_file_wins_over_a_lab_of_the_same_name() {
        let home = home();
        remember(&home.dirs, &lab(DR)).unwrap();
        let file = home.directory.path().join("dr");
        std::fs::write(&file, NAT).unwrap();
        let found = selection(file).load(&home.dirs).unwrap();
        assert_eq!(found.name().as_str(), "nat");
    }

    #[test]
    fn the_lab_has_to_be_named_only_where_several_have_such_a_host() {
        let home = home();
        let web1: HostName = "web1".parse().unwrap();
        let none = which(None).with_host(&home.dirs, &web1);
        assert!(matches!(none, Err(CommandError::NothingUp)));
        remember(&home.dirs, &lab(DR)).unwrap();
        assert_eq!(which(None).with_host(&home.dirs, &web1).unwrap(), lab(DR));
        remember(&home.dirs, &lab(NAT)).unwrap();
        let both = which(None).with_host(&home.dirs, &web1);
        assert!(matches!(both, Err(CommandError::WhichLab { labs }) if labs.len() == 2));
        let named = which(Some("nat")).with_host(&home.dirs, &web1);
        assert_eq!(named.unwrap(), lab(NAT));
        let web9 = "web9".parse().unwrap();
        let unknown = which(Some("nat")).with_host(&home.dirs, &web9);
        assert!(matches!(unknown, Err(CommandError::UnknownHost { .. })));
    }

    #[test]
    fn a_lab_cannot_be_in_two_places() {
        let home = home();
        remember(&home.dirs, &lab(DR)).unwrap();
        assert!(same_place(&home.dirs, &lab(DR)).is_ok());
        assert!(matches!(
            same_place(&home.dirs, &on_machines()),
            Err(CommandError::ElsewhereUp { sandbox: true, .. })
        ));
        assert!(same_place(&home.dirs, &lab(NAT)).is_ok());
    }
}
