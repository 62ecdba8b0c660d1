//! The root directory of the machine that is looked after: `/`, or a directory that stands for it.

use std::path::{Path, PathBuf};

use crate::sys::on_host;

/// Where absolute paths begin.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The machine itself.
    #[must_use]
    pub fn machine() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A directory that stands for `/`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Where `path`, absolute on the machine, really is.
    #[must_use]
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Directory of everything lvslab keeps on a host.
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
