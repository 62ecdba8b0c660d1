//! Synchronous netlink: one socket, sequence checks, dumps read to their end.
//!
//! In go encoded requests, out come decoded replies or the kernel's error with its text. Used by the
//! agent on every host and by PID 1 of the sandbox, so nothing here waits on anything but the kernel.

mod batch;
mod error;
pub mod route;
mod socket;
#[cfg(test)]
pub(crate) mod test_namespace;

pub use batch::Batch;
pub use error::{KernelError, NetlinkError, errno};
pub use socket::{Message, Socket};
