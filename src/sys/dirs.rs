//! Where lvslab keeps things (XDG Base Directory Specification).
//!
//! `cache`: kernels and images, rebuilt at will. `state`: one directory per lab, gone after `down`.
//! `runtime`: sockets, in a path short enough for `sun_path` (108 bytes).

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::model::LabId;

/// In a lab's state directory: the lab as it was brought up.
pub const LAB_FILE: &str = "lab.json";
/// In a lab's state directory: the exercise that is set.
pub const EXERCISE_FILE: &str = "exercise";
/// In a lab's state directory: how ssh(1) reaches the lab's hosts.
pub const SSH_CONFIG_FILE: &str = "ssh_config";

/// The three roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// `$XDG_CACHE_HOME/lvslab`.
    pub cache: PathBuf,
    /// `$XDG_STATE_HOME/lvslab`.
    pub state: PathBuf,
    /// `$XDG_RUNTIME_DIR/lvslab`, or `/tmp/lvslab-UID`.
    pub runtime: PathBuf,
}

impl Dirs {
    /// From the environment, or else from the person's home directory in passwd(5); nothing is created.
    ///
    /// # Errors
    /// When none of these says where a root is.
    pub fn from_environment() -> io::Result<Self> {
        let runtime = match absolute("XDG_RUNTIME_DIR") {
            Some(base) => base.join("lvslab"),
            None => PathBuf::from(format!("/tmp/lvslab-{}", nix::unistd::getuid())),
        };
        Ok(Self {
            cache: root("XDG_CACHE_HOME", ".cache")?,
            state: root("XDG_STATE_HOME", ".local/state")?,
            runtime,
        })
    }

    /// State of one lab.
    #[must_use]
    pub fn lab(&self, lab: &LabId) -> PathBuf {
        self.state.join(lab.as_str())
    }

    /// Sockets of one lab.
    #[must_use]
    pub fn lab_runtime(&self, lab: &LabId) -> PathBuf {
        self.runtime.join(lab.as_str())
    }
}

/// Creates `path` and its parents as 0700 and makes sure it is ours alone.
///
/// # Errors
/// Whatever the system says; `PermissionDenied` when the directory belongs to somebody else.
pub fn create_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    if is_private(path) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{} belongs to somebody else or others may write to it",
            path.display()
        ),
    ))
}

/// Whether `path` is a directory of ours that nobody else may write to.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_dir() && found.uid() == nix::unistd::getuid().as_raw() && found.mode() & 0o022 == 0
    })
}

fn root(variable: &str, under_home: &str) -> io::Result<PathBuf> {
    absolute(variable)
        .or_else(|| home().map(|home| home.join(under_home)))
        .map(|base| base.join("lvslab"))
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "neither {variable} nor HOME is set, and /etc/passwd has no home of this user"
                ),
            )
        })
}

/// `HOME`, or the account's directory: system services run without `HOME`.
fn home() -> Option<PathBuf> {
    absolute("HOME").or_else(|| {
        let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
        home_of(&accounts, nix::unistd::getuid().as_raw())
    })
}

/// The home directory of `uid` in passwd(5). We parse the file because the C library's look-up loads plug-ins, which a
/// static binary cannot do.
fn home_of(accounts: &str, uid: u32) -> Option<PathBuf> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let home = PathBuf::from(fields.get(5)?);
        (fields[2].parse() == Ok(uid) && home.is_absolute()).then_some(home)
    })
}

/// Relative values are ignored, as the specification asks.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_is_found_by_number() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\nbroken\nnobody:x:7:7:::/bin/false\n\
                        ann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n";
        assert_eq!(home_of(accounts, 0), Some("/root".into()));
        assert_eq!(home_of(accounts, 1000), Some("/home/ann".into()));
        assert_eq!(home_of(accounts, 7), None);
        assert_eq!(home_of(accounts, 4711), None);
    }
}
