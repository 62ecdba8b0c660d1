//! `sandbox.json`: what a later lvslab needs to know about a running sandbox. It is written last, so a sandbox with a
//! record came up completely.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SandboxError;
use super::files::Files;
use super::identity::Identity;
use super::layout::Layout;
use super::ssh_config::{self, Reach};
use crate::model::{HostName, LabId};
use crate::sys::atomic;

/// A sandbox that came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What this is.
    pub schema: Schema,
    pub lab: LabId,
    /// Machines and wires.
    pub layout: Layout,
    /// Directory of its sockets, absolute.
    pub runtime: PathBuf,
    /// How its hosts are reached, in the layout's order.
    pub hosts: Vec<HostRecord>,
    /// What it runs on.
    pub identity: Identity,
    /// Seconds since 1970 when it came up.
    pub started: u64,
}

/// The records that this version understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// The only one.
    #[serde(rename = "lvslab.sandbox/1")]
    Sandbox1,
}

/// One host of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    pub name: HostName,
    /// Address of `mgmt0`.
    pub management: Ipv4Addr,
    /// Port of 127.0.0.1 that reaches its port 22.
    pub port: u16,
    /// Public host key, one line.
    pub host_key: String,
}

/// The files of the sandbox that came up, whose sockets are where its record says; without a record, `started`.
#[must_use]
pub fn files(started: &Files) -> Files {
    let record = Record::read(&started.record());
    Files {
        state: started.state.clone(),
        runtime: record.map_or_else(|| started.runtime.clone(), |record| record.runtime),
    }
}

impl Record {
    /// Reads a record; `None` when there is none, or none this version understands.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
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
