//! Where the files of one lab's sandbox are.
//!
//! The pid file is in the state directory, which is always the same. The sockets need short paths, so they are in the
//! runtime directory. That can be another directory for the next command, because not every login sets
//! `XDG_RUNTIME_DIR`, and systemd removes it at logout.

use std::path::{Path, PathBuf};

use super::error::SandboxError;
use crate::model::LabId;
use crate::sys::dirs::{self, Dirs};

/// Where the files of one lab's sandbox are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// State of the lab.
    pub state: PathBuf,
    /// Its sockets, and what may go with them.
    pub runtime: PathBuf,
}

impl Files {
    /// Those of a sandbox of `lab` that is started now.
    #[must_use]
    pub fn of(dirs: &Dirs, lab: &LabId) -> Self {
        Self {
            state: dirs.lab(lab),
            runtime: dirs.lab_runtime(lab),
        }
    }

    /// Creates both directories, private to this user.
    ///
    /// # Errors
    /// When one, or the root of the runtime directories, belongs to somebody else or cannot be made.
    pub fn create(&self) -> Result<(), SandboxError> {
        // The root first: in /tmp another user may have made it, and could replace what is in it.
        for directory in self.runtime.parent().into_iter().chain([&*self.runtime]) {
            dirs::create_private(directory).map_err(|source| SandboxError::RuntimeDirectory {
                path: directory.to_owned(),
                source,
            })?;
        }
        dirs::create_private(&self.state).map_err(SandboxError::io("create", &self.state))
    }

    /// Whether what is found in the runtime directory was put there by this user.
    #[must_use]
    pub fn runtime_is_private(&self) -> bool {
        self.runtime.parent().is_some_and(dirs::is_private)
    }

    /// The record itself.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.state.join("sandbox.json")
    }

    /// The machine's console.
    #[must_use]
    pub fn console(&self) -> PathBuf {
        self.state.join("console.log")
    }

    /// Where QEMU writes its pid.
    #[must_use]
    pub fn pid(&self) -> PathBuf {
        self.state.join("pid")
    }

    /// What QEMU has to complain about.
    #[must_use]
    pub fn complaints(&self) -> PathBuf {
        self.runtime.join("qemu.log")
    }

    /// The socket of QEMU's monitor.
    #[must_use]
    pub fn monitor(&self) -> PathBuf {
        self.runtime.join("qmp")
    }

    /// The socket of the port to PID 1.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.runtime.join("control")
    }

    /// `ssh -F` this.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.state.join(dirs::SSH_CONFIG_FILE)
    }

    /// The person's private key.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.state.join("id_ed25519")
    }

    /// The hosts' public keys.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.state.join("known_hosts")
    }
}

/// Removes one of them where it is there.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(file: &Path) -> Result<(), SandboxError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SandboxError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_is_made_below_a_runtime_root_that_others_may_write_to() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            state: directory.path().join("state/dr"),
            runtime: directory.path().join("lvslab-1000/dr"),
        };
        let root = directory.path().join("lvslab-1000");
        std::fs::create_dir(&root).unwrap();
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = files.create().unwrap_err();
        assert!(matches!(error, SandboxError::RuntimeDirectory { path, .. } if path == root));
        assert!(!files.runtime.exists() && !files.state.exists() && !files.runtime_is_private());

        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700)).unwrap();
        files.create().unwrap();
        assert!(files.runtime.exists() && files.state.exists() && files.runtime_is_private());
    }
}
