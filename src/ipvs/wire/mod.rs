//! IPVS attributes of generic netlink, as `include/uapi/linux/ip_vs.h` defines them.
//!
//! One file per object. Numbers have the kernel's names, variants have words. Unknown attributes are kept, so
//! that decoding and encoding again gives the same bytes. Decoding never panics.

mod daemon;
mod destination;
mod direct;
mod encode;
mod info;
mod kernel;
mod message;
mod reply;
mod request;
mod service;
mod stats;
#[cfg(test)]
mod tests;
mod value;

pub use daemon::DaemonAttr;
pub use destination::DestinationAttr;
pub(super) use direct::destination_dump;
pub use encode::{encode, encode_by_attributes};
pub use info::InfoAttr;
pub use message::{CommandAttr, CommandNumber, IpvsMessage};
pub(super) use reply::{read_daemon, read_destination, read_info, read_service, read_timeouts};
#[cfg(test)]
use request::destination_get;
#[cfg(test)]
use request::request;
pub(super) use request::{daemon_dump, service_get};
pub use service::{ServiceAttr, ServiceFlags};
pub use stats::{Counter, StatsAttr};

/// Reads a message in every way in which the client reads replies, and counts those that found something.
/// For the fuzz target.
#[doc(hidden)]
#[must_use]
pub fn readings(payload: &[u8]) -> usize {
    use super::model::Family::{Inet, Inet6};
    let found = [
        matches!(read_service(payload), Ok(Some(_))),
        matches!(read_destination(payload, Inet), Ok(Some(_))),
        matches!(read_destination(payload, Inet6), Ok(Some(_))),
        matches!(read_daemon(payload), Ok(Some(_))),
        matches!(read_timeouts(payload), Ok(Some(_))),
        matches!(read_info(payload), Ok(Some(_))),
    ];
    found.into_iter().filter(|found| *found).count()
}
