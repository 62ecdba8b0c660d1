//! The things lvslab makes true on a host: their state and the difference between two states. Pure.
//!
//! A [`Resource`] is what should be; an [`Observed`] is what is, of the same kind; [`diff`] says what
//! would have to change. The same types are the wire format to the agent, the journal's format, and the
//! input of the checks.

mod change;
mod describe;
mod facts;
mod file;
mod ipvs;
mod kinds;
#[cfg(test)]
mod tests;
mod undo;

pub use change::{Change, diff};
pub use facts::{Facts, LinkFacts, NetworkFiles, OsFamily, ServiceManager};
pub use kinds::{
    Address, AddressState, DefaultRoute, File, FileState, Firewall, IpvsService, Link, Observed,
    Package, Resource, ResourceId, RouteState, Selinux, SelinuxMode, Service, ServiceState, Sysctl,
};
pub use undo::undo;
