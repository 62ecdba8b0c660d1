//! How a command ends, and its exit code. Scripts and graders tell failures apart by these numbers.

use std::fmt::Write as _;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything was done, and everything that was checked is right.
    Done,
    /// lvslab itself failed, or the machine it runs on lacks something.
    Internal,
    /// The command line, the topology, the inventory or the labs that are up do not allow it.
    Usage,
    /// At least one host could not be configured or put back.
    HostFailed,
    /// At least one host could not be reached, or the lab is not up.
    Unreachable,
    /// A host took its changes back because no new connection reached it.
    RolledBack,
    /// The lab does not do what it should.
    NotVerified,
    /// Another run has locked at least one host.
    Locked,
    /// A signal ended the command: 128 + SIGINT.
    Interrupted,
    /// The exit code of a command that ran on a host.
    Remote(u8),
}

impl Status {
    /// Every status with a code of its own, by its code.
    const OWN: [Self; 9] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::HostFailed,
        Self::Unreachable,
        Self::RolledBack,
        Self::NotVerified,
        Self::Locked,
        Self::Interrupted,
    ];

    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::HostFailed => 3,
            Self::Unreachable => 4,
            Self::RolledBack => 5,
            Self::NotVerified => 6,
            Self::Locked => 7,
            Self::Interrupted => 130,
            Self::Remote(code) => code,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Internal => "internal error, or this machine lacks something",
            Self::Usage => "usage or configuration error",
            Self::HostFailed => "a host failed",
            Self::Unreachable => "a host is unreachable, or the lab is not up",
            Self::RolledBack => "changes were rolled back",
            Self::NotVerified => "verification failed",
            Self::Locked => "a host is locked by another run",
            Self::Interrupted => "interrupted",
            Self::Remote(_) => "the remote command's own",
        }
    }
}

/// The one status for several failures: the failure that has to be mended before the others show comes first.
#[must_use]
pub fn worst(failures: impl IntoIterator<Item = Status>) -> Option<Status> {
    let order = [
        Status::Internal,
        Status::Unreachable,
        Status::RolledBack,
        Status::Locked,
        Status::HostFailed,
    ];
    failures.into_iter().min_by_key(|failure| {
        let place = order.iter().position(|status| status == failure);
        place.unwrap_or(order.len())
    })
}

/// Every code with its meaning, for `--help`.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("Exit codes:\n");
    for status in Status::OWN {
        let _ = writeln!(text, "  {:<3}  {}", status.code(), status.words());
    }
    text + "`lvslab exec` and `lvslab ssh` end with the exit code of the command they ran."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_part_of_the_interface() {
        let codes = Status::OWN.map(Status::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
        assert_eq!(Status::Remote(42).code(), 42);
    }

    #[test]
    fn the_readme_lists_every_code() {
        let readme = include_str!("../../README.md");
        let line = readme.split("Exit codes: ").nth(1).unwrap();
        let line = line.split("\n\n").next().unwrap();
        for status in Status::OWN {
            let listed = format!("{} ", status.code());
            let mut parts = line.split(" · ").flat_map(|part| part.split("·\n"));
            assert!(parts.any(|part| part.starts_with(&listed)), "{status:?}");
        }
    }

    #[test]
    fn a_host_that_is_out_of_reach_counts_more_than_one_that_failed() {
        let failures = [Status::HostFailed, Status::Unreachable, Status::Locked];
        assert_eq!(worst(failures), Some(Status::Unreachable));
        assert_eq!(worst([]), None);
    }
}
