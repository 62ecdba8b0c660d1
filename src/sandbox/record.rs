//! `sandbox.json`: what a later lvslab needs to know of a running sandbox. Written last, so a sandbox that has
//! one came up completely.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SandboxError;
use super::identity::Identity;
use super::layout::Layout;
use super::ssh_config::{self, Reach};
use crate::model::{HostName, LabName};
use crate::sys::atomic;
use crate::sys::dirs::{self, Dirs};

const SCHEMA: &str = "lvslab.sandbox/1";

/// A sandbox that came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: String,
    /// Lab.
    pub lab: LabName,
    /// Machines and wires.
    pub layout: Layout,
    /// How its hosts are reached, in the layout's order.
    pub hosts: Vec<HostRecord>,
    /// What it runs on.
    pub identity: Identity,
    /// Seconds since 1970 when it came up.
    pub started: u64,
}

/// One host of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Name.
    pub name: HostName,
    /// Address of `mgmt0`.
    pub management: Ipv4Addr,
    /// Port of 127.0.0.1 that reaches its port 22.
    pub port: u16,
    /// Public host key, one line.
    pub host_key: String,
}

/// Where the files of one lab's sandbox are.
#[derive(Debug, Clone)]
pub struct Files {
    /// State of the lab.
    pub state: PathBuf,
    /// Its sockets and pid file.
    pub runtime: PathBuf,
}

impl Files {
    /// Those of `lab`.
    #[must_use]
    pub fn of(dirs: &Dirs, lab: &LabName) -> Self {
        Self {
            state: dirs.lab(lab),
            runtime: dirs.lab_runtime(lab),
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

impl Record {
    /// A record of a sandbox that came up now.
    #[must_use]
    pub fn new(lab: LabName, layout: Layout, hosts: Vec<HostRecord>, identity: Identity) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            lab,
            layout,
            hosts,
            identity,
            started: super::now().as_secs(),
        }
    }

    /// Reads a record; `None` when there is none, or none this version understands.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (record.schema == SCHEMA).then_some(record)
    }

    /// Writes what `ssh` needs, then the record.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, files: &Files, private_key: &str) -> Result<(), SandboxError> {
        let reach: Vec<Reach> = self
            .hosts
            .iter()
            .map(|host| Reach {
                name: host.name.clone(),
                port: host.port,
            })
            .collect();
        let config = ssh_config::config(&reach, &files.identity(), &files.known_hosts());
        let keys = self
            .hosts
            .iter()
            .map(|host| (&host.name, host.host_key.as_str()));
        let put = |path: PathBuf, content: &[u8]| {
            atomic::write(&path, content, 0o600).map_err(SandboxError::io("write", &path))
        };
        put(files.identity(), private_key.as_bytes())?;
        put(
            files.known_hosts(),
            ssh_config::known_hosts(keys).as_bytes(),
        )?;
        put(files.ssh_config(), config.as_bytes())?;
        let json = serde_json::to_vec_pretty(self)
            .map_err(io::Error::other)
            .map_err(SandboxError::io("write", &files.record()))?;
        put(files.record(), &json)
    }

    /// The names of the hosts for a message.
    #[must_use]
    pub fn host_names(&self) -> String {
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        names.join(", ")
    }
}
