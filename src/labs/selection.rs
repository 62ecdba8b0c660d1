//! Which lab a verb is about: a topology file, a lab that is up by its name, or the one lab that is up.

use std::path::{Path, PathBuf};

use super::{LAB_FILE, LabsError, running, saved};
use crate::model::{HostName, Lab, LabId};
use crate::sys::dirs::Dirs;
use crate::topology;

/// The lab of a verb that is about a whole lab.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Topology file, or the name of a lab that is up; without it, the one lab that is up
    #[arg(value_name = "LAB")]
    pub lab: Option<PathBuf>,
    /// The same as LAB
    #[arg(long = "lab", value_name = "LAB", id = "named")]
    pub named: Option<PathBuf>,
    /// File that says where the hosts of a topology file are (`ssh:` per host); hosts without it live in the sandbox
    #[arg(short, long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
}

/// The lab of a verb whose first argument is a host or another name.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LabOption {
    /// Topology file, or the name of a lab that is up; needed only where several labs are up
    #[arg(long = "lab", value_name = "LAB", id = "named")]
    pub named: Option<PathBuf>,
}

impl Selection {
    /// Reads the topology file, or the lab that is up under that name.
    ///
    /// # Errors
    /// Every mistake in the files; no such lab; no name while none or several labs are up.
    pub fn load(&self, dirs: &Dirs) -> Result<Lab, LabsError> {
        let word = self.word()?;
        let name = match word {
            Some(word) => named(word, dirs),
            None => Some(the_one(dirs)?),
        };
        match (name, word) {
            (Some(name), _) if self.inventory.is_some() => {
                Err(LabsError::InventoryForName { name })
            }
            (None, Some(file)) => Ok(topology::load(file, self.inventory.as_deref())?),
            (Some(name), _) => saved(dirs, &name)?.ok_or(LabsError::NotUp { lab: name }),
            (None, None) => Err(LabsError::NothingUp),
        }
    }

    /// The lab's name; the lab itself need not be up.
    ///
    /// # Errors
    /// Those of [`Self::load`], except that there is no such lab.
    pub fn name(&self, dirs: &Dirs) -> Result<LabId, LabsError> {
        name_of(self.word()?, dirs)
    }

    /// How the person would name `lab` again: `topologies/dr.yaml -i inventory.yaml`.
    #[must_use]
    pub fn words(&self, lab: &Lab) -> String {
        let word = match self.lab.as_ref().or(self.named.as_ref()) {
            Some(word) => word.display().to_string(),
            None => lab.id().to_string(),
        };
        match &self.inventory {
            Some(inventory) => format!("{word} -i {}", inventory.display()),
            None => word,
        }
    }

    /// Takes the positional argument away when it is no lab: another argument may be meant by it.
    pub fn take_word(&mut self, dirs: &Dirs) -> Option<String> {
        let word = self.lab.as_ref()?;
        let is_lab = word.is_file() || name_if_up(word, dirs).is_some();
        let text = word.to_str()?.to_owned();
        if is_lab {
            return None;
        }
        self.lab = None;
        Some(text)
    }

    fn word(&self) -> Result<Option<&Path>, LabsError> {
        match (&self.lab, &self.named) {
            (Some(one), Some(other)) => Err(LabsError::NamedTwice {
                one: one.clone(),
                other: other.clone(),
            }),
            (one, other) => Ok(one.as_deref().or(other.as_deref())),
        }
    }
}

impl LabOption {
    /// The lab's name; the lab itself need not be up.
    ///
    /// # Errors
    /// Mistakes in a topology file; no name while none or several labs are up.
    pub fn name(&self, dirs: &Dirs) -> Result<LabId, LabsError> {
        name_of(self.named.as_deref(), dirs)
    }

    /// The lab that is up, and that it has `host`. Without `--lab`, the one lab that is up and has such a host.
    ///
    /// # Errors
    /// Those of [`Self::name`]; also when the lab is not up or has no such host.
    pub fn with_host(&self, dirs: &Dirs, host: &HostName) -> Result<Lab, LabsError> {
        if self.named.is_none() {
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
        let name = self.name(dirs)?;
        let lab = saved(dirs, &name)?.ok_or(LabsError::NotUp { lab: name })?;
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

fn name_of(word: Option<&Path>, dirs: &Dirs) -> Result<LabId, LabsError> {
    let Some(word) = word else {
        return the_one(dirs);
    };
    match named(word, dirs) {
        Some(name) => Ok(name),
        None => Ok(topology::load(word, None)?.id().clone()),
    }
}

/// The one lab that is up.
fn the_one(dirs: &Dirs) -> Result<LabId, LabsError> {
    let mut names = running(dirs)?;
    match names.len() {
        0 => Err(LabsError::NothingUp),
        1 => Ok(names.remove(0)),
        _ => Err(LabsError::WhichLab { labs: names }),
    }
}

/// The name that `word` is, rather than a file: that of a lab that is up, or a word that can be a lab's name.
fn named(word: &Path, dirs: &Dirs) -> Option<LabId> {
    if word.is_file() {
        return None;
    }
    if let Some(name) = name_if_up(word, dirs) {
        return Some(name);
    }
    let text = word.to_str()?;
    text.parse().ok().filter(|_| !word.exists())
}

fn name_if_up(word: &Path, dirs: &Dirs) -> Option<LabId> {
    let name: LabId = word.to_str()?.parse().ok()?;
    dirs.lab(&name).join(LAB_FILE).exists().then_some(name)
}
