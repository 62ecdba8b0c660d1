//! What a lab *is*: hosts, networks, the virtual service. Valid by construction, no I/O.
//!
//! A [`Lab`] that exists is a lab that can be built; [`crate::topology`] is the way to one.

mod lab;
mod name;
mod service;

pub use lab::{Attachment, Host, Lab, LabParts, Mode, Policy, Role, SshTarget};
pub use name::{HostName, InterfaceName, LabName, NameError};
pub use service::{ForwardingMethod, Protocol, RealServer, Scheduler, VirtualService};
