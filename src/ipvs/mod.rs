//! Our own IPVS client over generic netlink.
//!
//! [`model`] holds what services and destinations are; the client reads and programs them.

pub mod model;

pub use model::{
    Counters, Destination, DestinationStatus, Family, Forwarding, Service, ServiceKey,
    ServiceStatus, Table, Transport, TunnelKind,
};
