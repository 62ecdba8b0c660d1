//! What a lab *is*: networks, hosts, virtual services. Valid by construction, no I/O.
//!
//! A [`Lab`] that exists is a lab that can be built; [`crate::topology`] is the way to one. What a forwarding method
//! means stands in one table, [`Profile`].

mod forwarding;
mod host;
mod identity;
mod lab;
mod name;
mod network;
mod service;

pub use forwarding::{
    Destination, DirectorVip, ForwardingMethod, Profile, Replies, Setting, Settings, Wiring, Words,
};
pub use host::{Host, Role, SshTarget};
pub use identity::{LabId, Seat};
pub use lab::{Lab, LabParts, Policy};
pub use name::{HostName, InterfaceName, LabName, NameError, NetworkName};
pub use network::{Attachment, Network, NetworkId};
pub use service::{Protocol, RealServer, Scheduler, VirtualService};
