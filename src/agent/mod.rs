//! The agent: one synchronous process per host that observes, applies, journals and puts back.
//!
//! It is this same binary, started over SSH as root, speaking [`protocol`] on standard input and output.

pub mod protocol;
pub mod sysctl_files;
mod sysctl_key;
