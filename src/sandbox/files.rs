//! Where the files of one lab's sandbox are.
//!
//! Whether its machine lives is written in the state directory, which stays. Only the sockets are in the runtime
//! directory, for their paths must be short, and that one may be another from one command to the next: it is named by
//! `XDG_RUNTIME_DIR`, which not every way to log in sets, and systemd removes it when the person logs out.

use std::path::PathBuf;

use super::SandboxError;
use super::record::Record;
use crate::model::LabName;
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
    pub fn of(dirs: &Dirs, lab: &LabName) -> Self {
        Self {
            state: dirs.lab(lab),
            runtime: dirs.lab_runtime(lab),
        }
    }

    /// Those of the sandbox that came up, whose sockets are where its record says; without a record, these.
    #[must_use]
    pub fn as_recorded(&self) -> Self {
        let record = Record::read(&self.record());
        Self {
            state: self.state.clone(),
            runtime: record.map_or_else(|| self.runtime.clone(), |record| record.runtime),
        }
    }

    /// Creates both directories, private to this user.
    ///
    /// # Errors
    /// When one belongs to somebody else or cannot be made.
    pub fn create(&self) -> Result<(), SandboxError> {
        for directory in [&self.state, &self.runtime] {
            dirs::create_private(directory).map_err(SandboxError::io("create", directory))?;
        }
        Ok(())
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
        self.state.join("ssh_config")
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
