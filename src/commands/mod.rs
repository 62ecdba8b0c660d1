//! commands: to be described.
