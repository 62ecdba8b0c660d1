//! Changes to a host and the way back: what was there is on disk before anything is changed.
//!
//! All of it is written for a [`machine::Machine`], so its laws are tested on a machine in memory.

pub(super) mod apply;
mod guard_lock;
pub(super) mod journal;
mod lock;
pub(super) mod machine;
mod outcome;
mod own_program;
mod put_back;
pub(super) mod revert;
pub(super) mod script;
pub(super) mod trial;
