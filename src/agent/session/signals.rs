//! Signals that must not end a process of ours in the middle of a change.

use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes this process ignore the signal.
pub(super) fn ignore(kind: Signal) -> nix::Result<()> {
    #[expect(
        unsafe_code,
        reason = "signal(2) is unsafe for handlers; this one only ignores"
    )]
    // SAFETY: no handler function is installed.
    let result = unsafe { signal(kind, SigHandler::SigIgn) };
    result.map(drop)
}
