//! The sandbox: lab hosts without machines of one's own.
//!
//! One QEMU machine per lab, its hosts namespaces in one Linux kernel that has IPVS; nothing reachable from
//! outside but a loopback port per host. [`start`] brings it up (or finds it up), and writes an SSH configuration
//! with which its hosts are like any others; [`stop`] leaves nothing of it. [`init`] is the guest's side.
//!
//! In: a [`Lab`](crate::model::Lab), an [`image::Image`], the directories. Out: running hosts, and files in
//! the lab's state directory. All functions block; none needs root.

mod binary;
mod bring_up;
mod cache;
mod checkpoint;
pub mod control;
pub mod cpio;
pub mod description;
mod error;
mod files;
mod identity;
pub mod image;
pub mod init;
mod initramfs;
mod keys;
mod layout;
mod leftovers;
mod lock;
mod machine;
mod manage;
mod record;
mod ssh_config;
mod start;
mod system;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

pub use checkpoint::{RestoreRequest, Saved, list_saved, remove_saved, restore, save};
pub use error::{ConsoleTail, SandboxError};
pub use machine::{Accelerator, UnknownAccelerator};
pub use manage::{HostStatus, Status, pace, reboot, status, stop};
pub use start::{StartRequest, Started, start};
pub use system::{System, UnknownSystem};

/// Who is being worked on, for [`Progress`](crate::sys::progress::Progress).
const SUBJECT: &str = "sandbox";

/// What a start took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing: it was running.
    AlreadyRunning,
    /// A saved state.
    Restored,
    /// A boot.
    Booted,
}

/// Since 1970, UTC.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
