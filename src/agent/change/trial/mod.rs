//! Changes on trial: a host reverts its changes unless the controller confirms them over a new connection.
//!
//! A change of addresses, routes or the packet filter can keep an open connection working and yet let no new one in.
//! So before its first change an apply on trial notes the present state in a journal of its own
//! (`/var/lib/lvslab/trial/LAB.jsonl`) and starts a guard, a process that outlives the session. After the end of the
//! apply, successful or not, the guard waits for the time that was asked for and then rolls back what this apply
//! changed; changes that an earlier `up` made and confirmed stay. If the host reboots first, the guard dies with it and
//! [`after_boot`] rolls back.

mod armed;
mod end;
mod note;

use std::time::Duration;

pub(super) use armed::Trial;
pub(super) use end::keep;
pub(in crate::agent) use end::{after_boot, awaits_confirmation, confirm, roll_back_unconfirmed};

/// How often a process that waits for the end of a trial looks.
pub(in crate::agent) const LOOK: Duration = Duration::from_millis(200);
