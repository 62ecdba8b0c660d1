//! How long starting or stopping a service may take.

/// For one run of an init script or of systemctl(1), seconds.
pub(super) const SCRIPT_SECONDS: u64 = 180;
