//! What this machine refused to do, as an error.

use std::io;

/// This machine refused something. Display leaves the source out.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct LocalError {
    doing: String,
    source: io::Error,
}

impl LocalError {
    /// For `map_err`: `doing` follows "cannot", as in "cannot read /etc/hosts".
    pub fn when(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self { doing, source }
    }
}
