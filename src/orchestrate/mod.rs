//! orchestrate: to be described.
