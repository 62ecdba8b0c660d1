//! The agent: one synchronous process per host that observes, applies, journals and puts back.
//!
//! It is this same binary, started over SSH as root, speaking [`protocol`] on standard input and output.

mod announce;
mod apply;
pub mod boot;
mod capture;
mod clock;
mod command;
mod curl_output;
mod directories;
mod error;
mod evidence;
mod facts;
mod fetch;
mod firewall;
pub mod frame;
mod guard_lock;
mod ipvs_traffic;
mod journal;
mod kind;
mod listen_lines;
mod lock;
mod machine;
mod os_release;
mod own_program;
mod packet_socket;
mod processes;
pub mod protocol;
mod revert;
mod root;
mod saved_rules;
mod script;
mod serve;
#[cfg(test)]
mod session_tests;
mod sockets;
mod ssh_connection;
pub mod sysctl_files;
mod sysctl_key;
mod trial;

pub use serve::serve;
pub use trial::guard;
