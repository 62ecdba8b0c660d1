//! The files that a boot reads, as the agent has collected them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where files are that a boot reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One file.
    File(&'static str),
    /// The files of a directory whose names begin and end like this.
    Files {
        directory: &'static str,
        prefix: &'static str,
        suffix: &'static str,
    },
    /// The symbolic links of a directory and of the directories in it whose names end like this.
    Links {
        directory: &'static str,
        below: &'static str,
    },
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootFile {
    /// What it says; what is no UTF-8 is replaced.
    pub text: String,
    /// When it was written, since 1970 UTC; zero where that is not known.
    pub written: Duration,
}

/// Files, and links, by absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BootFiles {
    files: BTreeMap<String, BootFile>,
    /// Where each link leads.
    links: BTreeMap<String, String>,
    /// Why a file or directory that is there could not be read.
    refused: BTreeMap<String, String>,
}

impl BootFiles {
    /// Notes a file.
    pub fn add(&mut self, path: impl Into<String>, file: BootFile) {
        self.files.insert(path.into(), file);
    }

    /// Notes a symbolic link and where it leads.
    pub fn link(&mut self, path: impl Into<String>, target: impl Into<String>) {
        self.links.insert(path.into(), target.into());
    }

    /// Notes a file or directory that could not be read.
    pub fn refuse(&mut self, path: impl Into<String>, cause: impl Into<String>) {
        self.refused.insert(path.into(), cause.into());
    }

    /// The file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&BootFile> {
        self.files.get(path)
    }

    /// The text of the file at `path`.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path).map(|file| file.text.as_str())
    }

    /// Why `path`, or something in the directory `path`, could not be read.
    pub fn refused(&self, path: &str) -> impl Iterator<Item = (&str, &str)> {
        self.refused
            .iter()
            .filter(move |(refused, _)| *refused == path || name_in(path, refused).is_some())
            .map(|(path, cause)| (path.as_str(), cause.as_str()))
    }

    /// The files of `directory`, by name: path, name, text.
    pub fn in_directory(&self, directory: &str) -> impl Iterator<Item = (&str, &str, &str)> {
        self.files.iter().filter_map(move |(path, file)| {
            let name = name_in(directory, path)?;
            Some((path.as_str(), name, file.text.as_str()))
        })
    }

    /// Every link: where it is, and where it leads.
    pub fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        self.links
            .iter()
            .map(|(path, target)| (path.as_str(), target.as_str()))
    }
}

/// The name of `path` where it is right in `directory`.
fn name_in<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    let name = path.strip_prefix(directory)?.strip_prefix('/')?;
    (!name.contains('/')).then_some(name)
}
