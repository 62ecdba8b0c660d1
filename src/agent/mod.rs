//! The agent: one synchronous process per host that observes, applies, journals and puts back.
//!
//! It is this same binary, started over SSH as root, speaking [`protocol`] on standard input and output.

mod apply;
mod clock;
mod error;
pub mod frame;
pub mod ipvs_traffic;
mod journal;
mod lock;
mod machine;
pub mod protocol;
mod revert;
mod root;
pub mod sysctl_files;
mod sysctl_key;
