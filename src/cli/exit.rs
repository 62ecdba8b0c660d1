//! Exit codes. They are part of the interface: scripts and graders tell failures apart by them.

use crate::commands::Status;

/// Everything asked for is so.
pub const OK: u8 = 0;
/// lvslab itself, or the machine it runs on, is at fault.
pub const INTERNAL: u8 = 1;
/// The command line, the topology, the inventory or the state of the labs does not allow it.
pub const USAGE: u8 = 2;
/// At least one host could not be made or put back as asked.
pub const HOST_FAILED: u8 = 3;
/// At least one host could not be reached.
pub const UNREACHABLE: u8 = 4;
/// Changes were taken back by themselves.
pub const ROLLED_BACK: u8 = 5;
/// The lab does not do what it should.
pub const NOT_VERIFIED: u8 = 6;
/// Another run has at least one host locked.
pub const LOCKED: u8 = 7;
/// Interrupted (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// For `--help`.
pub const TABLE: &str = "\
Exit codes:
  0    ok
  1    internal error, or this machine lacks something
  2    usage or configuration error
  3    a host failed
  4    a host is unreachable, or the lab is not up
  5    changes were rolled back
  6    verification failed
  7    a host is locked by another run
  130  interrupted
`lvslab exec` and `lvslab ssh` end with the exit code of what they ran.";

/// The code for how a command ended.
#[must_use]
pub fn code(status: Status) -> u8 {
    match status {
        Status::Done => OK,
        Status::Internal => INTERNAL,
        Status::Usage => USAGE,
        Status::HostFailed => HOST_FAILED,
        Status::Unreachable => UNREACHABLE,
        Status::RolledBack => ROLLED_BACK,
        Status::NotVerified => NOT_VERIFIED,
        Status::Locked => LOCKED,
        Status::Remote(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_code_that_help_documents() {
        let expected = [
            (Status::Done, 0),
            (Status::Internal, 1),
            (Status::Usage, 2),
            (Status::HostFailed, 3),
            (Status::Unreachable, 4),
            (Status::RolledBack, 5),
            (Status::NotVerified, 6),
            (Status::Locked, 7),
            (Status::Remote(42), 42),
        ];
        for (status, number) in expected {
            assert_eq!(code(status), number, "{status:?}");
            if !matches!(status, Status::Remote(_)) {
                assert!(TABLE.contains(&format!("\n  {number}  ")), "{number}");
            }
        }
        assert!(TABLE.contains(&format!("\n  {INTERRUPTED}  ")));
    }
}
