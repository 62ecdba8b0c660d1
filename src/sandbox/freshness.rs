//! The time, and what a guest gets fresh with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::binary::random_bytes;
use super::control::Freshness;
use super::error::SandboxError;

/// Since 1970, UTC.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Time and randomness for the guest, as of now.
///
/// # Errors
/// When the system has no randomness.
pub fn freshness() -> Result<Freshness, SandboxError> {
    let seed = random_bytes::<64>().map_err(SandboxError::io("read", "/dev/urandom".as_ref()))?;
    let now = now();
    Ok(Freshness {
        clock: (
            i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            i64::from(now.subsec_nanos()),
        ),
        seed_base64: STANDARD.encode(seed),
    })
}
