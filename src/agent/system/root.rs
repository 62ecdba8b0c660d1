//! The root directory of the machine that the agent changes: `/`, or in tests a directory in its place.

use std::path::{Path, PathBuf};

use crate::sys::on_host;

/// The directory in which absolute paths of the machine begin.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// `/`.
    #[must_use]
    pub fn machine() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A directory that stands for `/`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The place of `path`, which is absolute on the machine.
    #[must_use]
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// [`on_host::DIRECTORY`] below this root.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.join(on_host::DIRECTORY)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}
