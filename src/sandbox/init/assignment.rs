//! What makes a spare host the host of a lab.

use serde::{Deserialize, Serialize};

use crate::sandbox::description::GuestHost;

/// Who a host is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Description.
    pub host: GuestHost,
    /// Who may log in: one line of `authorized_keys`.
    pub authorized_key: String,
    /// Whether its name and keys are still to be written to its disk.
    pub factory_new: bool,
}
