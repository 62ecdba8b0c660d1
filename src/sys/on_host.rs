//! Where lvslab keeps its things on a lab's host. All of it is root's alone.

/// Everything.
pub const DIRECTORY: &str = "/var/lib/lvslab";

/// The agents that were uploaded, by their SHA-256.
pub const PROGRAMS: &str = "/var/lib/lvslab/bin";

/// A link to the agent that last changed the host: what a boot and the drop-in run.
pub const AGENT: &str = "/var/lib/lvslab/agent";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_below_one_directory() {
        for path in [PROGRAMS, AGENT] {
            assert!(path.strip_prefix(DIRECTORY).unwrap().starts_with('/'));
        }
    }
}
