//! The state before each change, one file per lab: `/var/lib/lvslab/journal/LAB.jsonl`.
//!
//! The file is append-only lines of JSON. A line is on disk before its change is made, so a last line that was cut
//! off belongs to a change that was never made, and is dropped. If several runs change a resource, the journal keeps
//! the state before the first change. An `undone` line ends an entry once its resource is back in that state.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::system::root::Root;
use crate::model::LabId;
use crate::resource::{Observed, Resource, ResourceId};
use crate::sys::atomic;

/// Version of the format of the lines.
const VERSION: u32 = 1;

/// Something that will be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a journal has a few dozen of them"
)]
pub(in crate::agent) enum Item {
    /// A resource and its state before the first change.
    Resource {
        resource: Resource,
        before: Observed,
    },
    /// A directory that was made for a file; it is removed when it is empty.
    Directory {
        /// Absolute path.
        path: String,
    },
}

impl Item {
    pub(in crate::agent) fn id(&self) -> ResourceId {
        match self {
            Self::Resource { resource, .. } => resource.id(),
            Self::Directory { path } => ResourceId(format!("directory {path}")),
        }
    }
}

/// One thing to put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Entry {
    pub item: Item,
    /// The plan's resource whose change also changed this one; `None` where this is a resource of the plan.
    pub part_of: Option<ResourceId>,
    /// Services that read this file; they are restarted when it is put back.
    pub restarts: Vec<String>,
    /// Packages that were installed for it, itself included.
    #[serde(default)]
    pub installed: Vec<String>,
}

impl Entry {
    /// The plan's resource for which this entry was made.
    pub(in crate::agent) fn owner(&self) -> ResourceId {
        self.part_of.clone().unwrap_or_else(|| self.item.id())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum Line {
    Journal {
        version: u32,
    },
    Before {
        entry: Entry,
    },
    Installed {
        id: ResourceId,
        packages: Vec<String>,
    },
    RestartPending {
        service: String,
    },
    Restarted {
        service: String,
    },
    Undone {
        id: ResourceId,
    },
}

/// One lab's journal on this host. No file is created before the first line.
#[derive(Debug)]
pub(in crate::agent) struct Journal {
    path: PathBuf,
    file: Option<File>,
    /// Length up to the end of the last whole line, in bytes.
    length: u64,
    entries: Vec<Entry>,
    pending: Vec<String>,
}

impl Journal {
    /// Reads the lab's journal; one without entries where there is no file.
    pub(in crate::agent) fn open(root: &Root, lab: &LabId) -> Result<Self, AgentError> {
        Self::at(directory(root).join(format!("{lab}.jsonl")))
    }

    /// Reads the journal at `path`; one without entries where there is no file.
    pub(in crate::agent) fn at(path: PathBuf) -> Result<Self, AgentError> {
        let mut journal = Self {
            path,
            file: None,
            length: 0,
            entries: Vec::new(),
            pending: Vec::new(),
        };
        let text = match fs::read(&journal.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journal),
            Err(error) => return Err(host(journal.describe("cannot read"), error)),
        };
        let mut lines = text
            .split_inclusive(|&byte| byte == b'\n')
            .enumerate()
            .peekable();
        while let Some((number, line)) = lines.next() {
            let parsed = serde_json::from_slice::<Line>(line);
            match parsed {
                Ok(parsed) if line.ends_with(b"\n") => {
                    journal.read(parsed)?;
                    journal.length += line.len() as u64;
                }
                // The line was cut off, so its change was never made.
                _ if lines.peek().is_none() => break,
                Ok(_) => break,
                Err(error) => {
                    return Err(AgentError::Host {
                        cause: format!("{} at line {}: {error}", journal.describe("damaged:"), number + 1),
                        hint: Some("what was there before is in its other lines; put the host back by hand and remove the file".into()),
                    });
                }
            }
        }
        Ok(journal)
    }

    /// What is to be put back, oldest first.
    pub(in crate::agent) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Services that have not been restarted since their files changed.
    pub(in crate::agent) fn pending_restarts(&self) -> &[String] {
        &self.pending
    }

    /// Whether `id` has an entry.
    pub(in crate::agent) fn owns(&self, id: &ResourceId) -> bool {
        self.entries.iter().any(|entry| entry.item.id() == *id)
    }

    /// Notes a state before its change; an older note of the same item wins.
    pub(in crate::agent) fn before(&mut self, entry: Entry) -> Result<(), AgentError> {
        if self.owns(&entry.item.id()) {
            return Ok(());
        }
        self.append(Line::Before { entry })
    }

    /// Notes the packages that were installed for `id`.
    pub(in crate::agent) fn installed(
        &mut self,
        id: &ResourceId,
        packages: Vec<String>,
    ) -> Result<(), AgentError> {
        let id = id.clone();
        self.append(Line::Installed { id, packages })
    }

    /// Notes that `service` will have to be restarted.
    pub(in crate::agent) fn restart_pending(&mut self, service: &str) -> Result<(), AgentError> {
        if self.pending.iter().any(|pending| pending == service) {
            return Ok(());
        }
        self.append(Line::RestartPending {
            service: service.to_owned(),
        })
    }

    /// Notes that `service` was restarted, or started, and so has read its files.
    pub(in crate::agent) fn restarted(&mut self, service: &str) -> Result<(), AgentError> {
        if !self.pending.iter().any(|pending| pending == service) {
            return Ok(());
        }
        self.append(Line::Restarted {
            service: service.to_owned(),
        })
    }

    /// Notes that `id` was put back, which ends its entry.
    pub(in crate::agent) fn undone(&mut self, id: ResourceId) -> Result<(), AgentError> {
        self.append(Line::Undone { id })
    }

    /// Removes the journal's file.
    pub(in crate::agent) fn remove(self) -> Result<(), AgentError> {
        atomic::remove(&self.path).map_err(|error| host(self.describe("cannot remove"), error))
    }

    fn read(&mut self, line: Line) -> Result<(), AgentError> {
        match line {
            Line::Journal { version: VERSION } => {}
            Line::Journal { version } => {
                return Err(AgentError::Host {
                    cause: format!(
                        "{} is of version {version}, this agent reads version {VERSION}",
                        self.describe("the journal")
                    ),
                    hint: Some("use the lvslab that deployed this lab to take it down".into()),
                });
            }
            Line::Before { entry } => {
                if !self.owns(&entry.item.id()) {
                    self.entries.push(entry);
                }
            }
            Line::Installed { id, packages } => {
                if let Some(entry) = self.entries.iter_mut().find(|e| e.item.id() == id) {
                    entry.installed = packages;
                }
            }
            Line::RestartPending { service } => self.pending.push(service),
            Line::Restarted { service } => self.pending.retain(|pending| *pending != service),
            Line::Undone { id } => self.entries.retain(|entry| entry.item.id() != id),
        }
        Ok(())
    }

    fn append(&mut self, line: Line) -> Result<(), AgentError> {
        self.write(&line)
            .map_err(|error| host(self.describe("cannot write"), error))?;
        self.read(line)
    }

    /// The line is on disk when this returns.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        if self.file.is_none() {
            self.create()?;
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        if self.length == 0 {
            serde_json::to_writer(&mut bytes, &Line::Journal { version: VERSION })?;
            bytes.push(b'\n');
        }
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            self.cut_torn_line();
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off the part of a line that a failed write may have left, as on a full disk: the next line must not
    /// follow it. If that fails, too, the next write opens the file anew and cuts it off first.
    fn cut_torn_line(&mut self) {
        let cut = self.file.as_ref().map(|file| file.set_len(self.length));
        if !matches!(cut, Some(Ok(()))) {
            self.file = None;
        }
    }

    fn create(&mut self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        // The rest of a line that was cut off must not run into the next one.
        file.set_len(self.length)?;
        file.sync_all()?;
        atomic::sync_directory(directory)?;
        self.file = Some(file);
        Ok(())
    }

    fn describe(&self, what: &str) -> String {
        format!("{what} {}", self.path.display())
    }
}

/// Labs with a journal on this host.
pub(in crate::agent) fn labs(root: &Root) -> Vec<LabId> {
    labs_with_files(&directory(root), ".jsonl")
}

/// Labs with a file of this ending in `directory`, by name.
pub(in crate::agent) fn labs_with_files(directory: &Path, ending: &str) -> Vec<LabId> {
    let mut labs: Vec<LabId> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_suffix(ending)?.parse().ok()
        })
        .collect();
    labs.sort();
    labs
}

fn directory(root: &Root) -> PathBuf {
    root.state().join("journal")
}

#[cfg(test)]
#[path = "tests/journal.rs"]
mod tests;
