//! Changes on trial: a host whose changes nobody confirms over a new connection puts them back by itself.
//!
//! A change of addresses, routes or the packet filter can leave a connection that is open working and let no
//! new one in. So before its first change an apply that is on trial notes what is there, beside the lab's
//! journal and in its format (`/var/lib/lvslab/trial/LAB.jsonl`), and starts a guard: a process of its own,
//! which outlives the session. When the apply has ended, however it did, the guard waits for so long and then
//! puts back what this apply changed, which need not be all that the lab has changed. If the host reboots
//! first, the guard dies with it and [`after_boot`] rolls back.

mod armed;
mod end;
mod note;

use std::time::Duration;

pub(super) use armed::Trial;
pub(super) use end::keep;
pub(in crate::agent) use end::{after_boot, awaits_confirmation, confirm, roll_back_unconfirmed};

/// How often a process that waits for a trial's end looks.
pub(in crate::agent) const LOOK: Duration = Duration::from_millis(200);
