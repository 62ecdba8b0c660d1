//! A running sandbox: stopping it, asking how it is, restarting one of its hosts.

use std::time::Duration;

use serde::Serialize;

use super::accelerator::Accelerator;
use super::control::{GuestState, Reply, Request};
use super::error::{RequestError, SandboxError};
use super::files::Files;
use super::freshness::now;
use super::machine::Machine;
use super::record::{self, Record};
use super::{leftovers, lock};
use crate::model::{HostName, LabId};
use crate::sys::dirs::Dirs;
use crate::sys::pace::Pace;

/// Longest wait for another lvslab that works on the same sandbox.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// Longest wait for a machine to report its hosts' state.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// Longest wait for a reboot: half a minute for the shutdown, the rest for a boot with slow services.
const REBOOT_LIMIT: Duration = Duration::from_secs(180);

/// How one lab's sandbox is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub lab: LabId,
    /// Whether its machine runs. If not, it was not stopped by lvslab: this machine was restarted, or QEMU was killed.
    pub running: bool,
    /// QEMU's process.
    pub pid: Option<i32>,
    /// What runs the guest.
    pub accelerator: Accelerator,
    /// Seconds since it was started.
    pub uptime_seconds: u64,
    /// Memory QEMU uses of this machine, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory the guest may use, MiB.
    pub guest_memory_mib: u32,
    /// Hosts, in the lab's order.
    pub hosts: Vec<HostStatus>,
}

/// How one host of a sandbox is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    pub name: HostName,
    /// What it is doing; `None` when its machine does not say.
    pub state: Option<GuestState>,
    /// Seconds since it was started or rebooted.
    pub uptime_seconds: Option<u64>,
    /// Port of 127.0.0.1 for SSH.
    pub port: u16,
    /// A command that logs in.
    pub login: String,
}

/// Ends the sandbox of `lab` and removes its files, except those in the cache. Returns whether there was one.
///
/// The lab's whole state directory goes, because nothing in it has a meaning without the hosts.
///
/// # Errors
/// When the machine does not end or a file cannot be removed.
pub fn stop(dirs: &Dirs, lab: &LabId) -> Result<bool, SandboxError> {
    let _lock = lock::lab(dirs, lab, LOCK_LIMIT)?;
    let files = record::files(&Files::of(dirs, lab));
    if !leftovers::exist(&files) {
        return Ok(false);
    }
    leftovers::clear(&files)?;
    match std::fs::remove_dir_all(&files.state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SandboxError::io("remove", &files.state)(error));
        }
        _ => {}
    }
    leftovers::remove_empty_directories(&files);
    let _ = std::fs::remove_dir(&dirs.state);
    Ok(true)
}

/// Every lab that has a sandbox, by name.
///
/// # Errors
/// When the state directory cannot be read.
pub fn status(dirs: &Dirs) -> Result<Vec<Status>, SandboxError> {
    let entries = match std::fs::read_dir(&dirs.state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SandboxError::io("read", &dirs.state)(error)),
    };
    let mut labs: Vec<Status> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<LabId>().ok())
        .filter_map(|lab| status_of(dirs, &lab))
        .collect();
    labs.sort_by(|a, b| a.lab.cmp(&b.lab));
    Ok(labs)
}

fn status_of(dirs: &Dirs, lab: &LabId) -> Option<Status> {
    let files = record::files(&Files::of(dirs, lab));
    let record = Record::read(&files.record())?;
    let machine = Machine::running(&files);
    let guests = machine
        .as_ref()
        .filter(|machine| machine.can_be_asked())
        .and_then(|machine| {
            machine
                .ask(Request::Status, STATUS_LIMIT, "telling its status")
                .ok()
        })
        .and_then(|reply| match reply {
            Reply::Status { hosts } => Some(hosts),
            _ => None,
        })
        .unwrap_or_default();
    let hosts = record
        .hosts
        .iter()
        .map(|host| {
            let guest = guests.iter().find(|guest| guest.name == host.name);
            HostStatus {
                name: host.name.clone(),
                state: guest.map(|guest| guest.state),
                uptime_seconds: guest
                    .filter(|guest| guest.state == GuestState::Up)
                    .map(|guest| guest.uptime_seconds),
                port: host.port,
                login: format!("ssh -F {} {}", files.ssh_config().display(), host.name),
            }
        })
        .collect();
    let process = machine.as_ref().map(Machine::process);
    Some(Status {
        lab: record.lab.clone(),
        running: process.is_some(),
        pid: process.map(|process| process.pid()),
        accelerator: record.identity.accelerator,
        uptime_seconds: match process {
            Some(_) => now().as_secs().saturating_sub(record.started),
            None => 0,
        },
        memory_bytes: process.and_then(|process| process.resident_bytes()),
        guest_memory_mib: record.identity.size.memory_mib,
        hosts,
    })
}

/// How time passes for waits on the hosts of `lab`: as their machine gets processors, where it is a sandbox that runs.
#[must_use]
pub fn pace(dirs: &Dirs, lab: &LabId) -> Pace {
    Machine::running(&Files::of(dirs, lab)).map_or(Pace::Wall, |machine| machine.pace())
}

/// Restarts one host from its own disk and returns when it accepts logins again.
///
/// # Errors
/// [`SandboxError::NotRunning`], [`RequestError::UnknownHost`], or what kept it from coming up.
pub fn reboot(dirs: &Dirs, lab: &LabId, host: &HostName) -> Result<(), SandboxError> {
    let files = Files::of(dirs, lab);
    let _lock = lock::lab(dirs, lab, LOCK_LIMIT)?;
    let (record, machine) =
        leftovers::running(&files)?.ok_or_else(|| SandboxError::NotRunning { lab: lab.clone() })?;
    if record.hosts.iter().all(|known| known.name != *host) {
        return Err(RequestError::UnknownHost {
            lab: lab.clone(),
            host: host.clone(),
            known: record.host_names(),
        }
        .into());
    }
    machine
        .ask(
            Request::Reboot { host: host.clone() },
            REBOOT_LIMIT,
            &format!("rebooting {host}"),
        )
        .map(drop)
}
