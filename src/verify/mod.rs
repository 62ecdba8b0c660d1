//! verify: to be described.
