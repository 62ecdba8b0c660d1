//! Our own IPVS client over generic netlink.
//!
//! [`model`] defines services and destinations; [`Client`] reads and programs them; [`reconcile()`] computes,
//! without I/O, the fewest [`Command`]s from one table to another; [`Snapshot`] takes commands back.

mod client;
mod command;
mod error;
pub mod model;
mod reconcile;
#[cfg(test)]
pub(crate) mod test_strategies;
mod undo;
mod verbs;
pub mod wire;

pub use client::Client;
pub use command::Command;
pub use error::{IpvsError, Refusal, Refused};
pub use model::{
    Counters, Daemon, DaemonRole, Destination, DestinationKey, DestinationStatus, Family,
    Forwarding, Granularity, Info, Service, ServiceKey, ServiceStatus, Table, Timeouts, Transport,
    TunnelKind,
};
pub use reconcile::{Desired, Draining, Others, Removal, draining, reconcile, reconcile_service};
pub use undo::Snapshot;
