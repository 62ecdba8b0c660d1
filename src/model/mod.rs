//! What a lab *is*: hosts, networks, the virtual service. Valid by construction, no I/O.
//!
//! A [`Lab`] that exists is a lab that can be built; [`crate::topology`] is the way to one.

mod forwarding;
mod lab;
mod name;
mod service;

pub use forwarding::{
    Destination, DirectorVip, ForwardingMethod, Profile, Replies, Setting, Settings, Wiring, Words,
};
pub use lab::{Attachment, Host, Lab, LabParts, Policy, Role, SshTarget};
pub use name::{HostName, InterfaceName, LabName, NameError};
pub use service::{Protocol, RealServer, Scheduler, VirtualService};
