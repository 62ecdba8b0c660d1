//! The `lvslab` binary: everything is in the library.
fn main() {}
