//! Every kind of bad input with the exact message people get, and what holds for any input at all.

mod files;
mod mistakes;
mod properties;
