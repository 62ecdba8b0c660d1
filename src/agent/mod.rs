//! The agent: one synchronous process per host that observes, applies, journals and puts back.
//!
//! It is this same binary, started over SSH as root, speaking [`protocol`] on standard input and output. Its rooms,
//! lower ones first:
//!
//! | room | what it is for |
//! |---|---|
//! | `protocol` | messages between controller and agent, and their framing |
//! | `system` | what the agent needs of the operating system: root directory, programs, processes, settings files |
//! | `change` | the lock, the journal, applying, putting back, changes on trial; for any machine |
//! | `resource` | how each kind of resource is observed, made true and put back on this machine |
//! | `boot` | what a boot brings up |
//! | `look` | facts for planning and evidence for the checks |
//! | `probe` | requests by curl, captures, ARP |
//! | `session` | the processes: one that serves requests, one that guards a trial |

pub mod boot;
mod change;
mod look;
mod probe;
pub mod protocol;
mod resource;
mod session;
pub mod system;

pub use session::{guard, serve};
