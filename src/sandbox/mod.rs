//! The sandbox: lab hosts without machines of one's own.

pub mod description;
pub mod image;
