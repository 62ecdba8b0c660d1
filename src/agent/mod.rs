//! The agent: one synchronous process per host that observes, applies, journals and puts back.
//!
//! It is this same binary, started over SSH as root, speaking [`protocol`] on standard input and output.

mod apply;
mod clock;
mod command;
mod error;
pub mod frame;
pub mod ipvs_traffic;
mod journal;
mod kind;
mod lock;
mod machine;
mod processes;
pub mod protocol;
mod revert;
mod root;
mod ssh_connection;
pub mod sysctl_files;
mod sysctl_key;
