//! What unit tests of several modules stand on.

pub mod programs;
pub mod script;
