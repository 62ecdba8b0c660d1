//! The sandbox: lab hosts without machines of one's own.
//!
//! One QEMU machine per lab, its hosts namespaces in one Linux kernel that has IPVS; nothing reachable from
//! outside but a loopback port per host. [`start`] brings it up (or finds it up), and writes an SSH configuration
//! with which its hosts are like any others; [`stop`] leaves nothing of it. [`init`] is the guest's side.
//!
//! In: a [`Lab`](crate::model::Lab), an [`image::Image`], the directories. Out: running hosts, and files in
//! the lab's state directory. All functions block; none needs root.

mod accelerator;
mod addresses;
mod binary;
mod bring_up;
mod cache;
mod checkpoint;
pub mod control;
pub mod cpio;
pub mod description;
mod error;
mod files;
mod freshness;
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

pub use accelerator::{Accelerator, UnknownAccelerator};
pub use bring_up::How;
pub use checkpoint::{RestoreRequest, Saved, list_saved, remove_saved, restore, save};
pub use error::{ConsoleTail, Kind, MachineError, RequestError, SandboxError};
pub use manage::{HostStatus, Status, pace, reboot, status, stop};
pub use start::{StartRequest, Started, start};
pub use system::{System, UnknownSystem};
