//! Reaching the hosts: SSH connections, the agent on each host, and all hosts in parallel.
//!
//! In: a [`crate::model::Lab`] whose SSH configuration is in place, and requests per host. Out: replies or a
//! [`HostError`] per host. Nothing here knows what a lab is for. The only user of the `openssh` crate.

mod advice;
mod agent;
mod command;
mod config;
mod conversation;
mod diagnosis;
mod failure;
mod fleet;
mod session;
mod upload;
mod within;

pub use command::run;
pub use config::{HostKeys, write as write_config};
pub use failure::{
    Cause, ConnectFailure, ConversationFailure, HostError, PrivilegeFailure, Route, UploadFailure,
};
pub use fleet::{Fleet, LOGINS_AT_ONCE, PerHost, Roster};
pub use session::Destination;
