//! What mmdebstrap, apt, dpkg and our hook print during a build: progress, and the cause of a failure.
//!
//! In: their lines. Out: [`Event`]s for [`crate::sys::progress`], or a [`Failure`].

use super::stream::Tail;

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A new stage of the work.
    Stage(String),
    /// Steps done of those known, in the current stage. A package is three: downloaded, unpacked, set up.
    Amount(u64, u64),
}

/// Why a build failed, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: String,
    pub(super) next: String,
}

/// Follows a build.
#[derive(Debug)]
pub(super) struct BuildLog {
    tail: Tail,
    steps: u64,
    total: u64,
    failure: Option<Failure>,
    last_error: Option<String>,
}

/// mmdebstrap's own messages, and what to call the stage they begin.
const STAGES: [(&str, &str); 5] = [
    ("I: running apt-get update", "fetching package lists"),
    (
        "I: downloading packages with apt",
        "downloading the base system",
    ),
    ("I: extracting archives", "unpacking the base system"),
    (
        "I: installing essential packages",
        "installing the base system",
    ),
    (
        "I: installing remaining packages",
        "installing the hosts' packages",
    ),
];

/// Words that tell a cause, the most reliable first. Where the line says more than we could, the message quotes it.
const CAUSES: [(&str, &str, &str); 12] = [
    (
        "No space left on device",
        "the disk is full",
        "free some space, or point XDG_CACHE_HOME and TMPDIR to a larger disk",
    ),
    (
        "is not valid yet",
        "this machine's clock is behind the mirror's",
        "set the clock and run `lvslab sandbox prepare` again",
    ),
    (
        "NO_PUBKEY",
        "the mirror is signed with a key that this machine does not have",
        "name Debian's own mirror: LVSLAB_DEBIAN_MIRROR=http://deb.debian.org/debian",
    ),
    (
        "Temporary failure resolving",
        "the Debian mirror's name cannot be resolved",
        NETWORK,
    ),
    (
        "Could not resolve",
        "the Debian mirror's name cannot be resolved",
        NETWORK,
    ),
    (
        "Unable to connect to",
        "the Debian mirror cannot be reached",
        NETWORK,
    ),
    (
        "Could not connect to",
        "the Debian mirror cannot be reached",
        NETWORK,
    ),
    (
        "Connection timed out",
        "the Debian mirror cannot be reached",
        NETWORK,
    ),
    (
        "Failed to fetch",
        "the Debian mirror did not deliver a file",
        NETWORK,
    ),
    (
        "newuidmap",
        "the range of subordinate ids cannot be used",
        "look at /etc/subuid and /etc/subgid, and whether newuidmap is setuid root",
    ),
    (
        "unshare() failed",
        "this machine does not let you make user namespaces",
        NAMESPACES,
    ),
    (
        "is not accessible",
        "the directory for temporary files is not open to everybody",
        "point TMPDIR to a directory that everybody may enter, as /var/tmp is",
    ),
];

const NETWORK: &str = "check the network and the proxy (http_proxy, or apt's own setting), or name a mirror that \
                       works here: LVSLAB_DEBIAN_MIRROR=http://deb.debian.org/debian";
const NAMESPACES: &str = "allow it (sysctl kernel.unprivileged_userns_clone=1, and \
                          kernel.apparmor_restrict_unprivileged_userns=0 where there is AppArmor), or run \
                          `lvslab sandbox prepare` as root";

impl BuildLog {
    pub(super) fn new() -> Self {
        Self {
            tail: Tail::new(15),
            steps: 0,
            total: 0,
            failure: None,
            last_error: None,
        }
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &str) -> Option<Event> {
        self.tail.push(line);
        self.watch_for_causes(line);
        if let Some(stage) = line.strip_prefix("lvslab: stage ") {
            // What the hook installs is counted afresh.
            self.total = 0;
            return Some(Event::Stage(stage.to_owned()));
        }
        if let Some((_, stage)) = STAGES.iter().find(|(text, _)| line.starts_with(text)) {
            return Some(Event::Stage((*stage).to_owned()));
        }
        if let Some(packages) = newly_installed(line) {
            self.steps = 0;
            self.total = packages * 3;
            return None;
        }
        let step = ["Get:", "Unpacking ", "Setting up "]
            .iter()
            .any(|start| line.starts_with(start));
        // Lists are "Get:" too; before the first installation nobody knows how many there will be.
        if !step || self.total == 0 {
            return None;
        }
        self.steps = (self.steps + 1).min(self.total);
        Some(Event::Amount(self.steps, self.total))
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        self.tail.to_string()
    }

    /// Why it failed, as far as the lines tell.
    pub(super) fn failure(self, status: std::process::ExitStatus) -> Failure {
        self.failure.unwrap_or_else(|| Failure {
            cause: self
                .last_error
                .unwrap_or_else(|| format!("mmdebstrap ended with {status}")),
            next: "the log says more; run `lvslab sandbox prepare` again once that is mended"
                .to_owned(),
        })
    }

    /// Keeps the first cause: later ones are its consequences.
    fn watch_for_causes(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("E: ")
            && self.last_error.is_none()
        {
            self.last_error = Some(rest.to_owned());
        }
        if self.failure.is_some() {
            return;
        }
        if let Some(cause) = line.strip_prefix("lvslab: cause ") {
            self.failure = Some(Failure {
                cause: cause.to_owned(),
                next:
                    "run `lvslab sandbox prepare` again; if it stays so, another mirror may help: \
                       LVSLAB_DEBIAN_MIRROR=http://deb.debian.org/debian"
                        .to_owned(),
            });
            return;
        }
        // A retry that succeeds leaves such lines too: they matter only when the build fails.
        if let Some((_, cause, next)) = CAUSES.iter().find(|(text, _, _)| line.contains(text)) {
            self.failure = Some(Failure {
                cause: format!("{cause} ({})", line.trim()),
                next: (*next).to_owned(),
            });
        }
    }
}

/// N of apt's `0 upgraded, N newly installed, 0 to remove and 0 not upgraded.`
fn newly_installed(line: &str) -> Option<u64> {
    let before = line.split(" newly installed").next()?;
    if before.len() == line.len() {
        return None;
    }
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn follow(text: &str) -> (Vec<Event>, BuildLog) {
        let mut log = BuildLog::new();
        let events = text.lines().filter_map(|line| log.line(line)).collect();
        (events, log)
    }

    fn failure(text: &str) -> Failure {
        follow(text)
            .1
            .failure(std::process::ExitStatus::from_raw(25 << 8))
    }

    #[test]
    fn stages_and_packages_become_progress() {
        let (events, _) = follow(
            "I: running apt-get update...\nGet:1 http://deb.debian.org/debian bookworm InRelease [151 kB]\n\
             I: downloading packages with apt...\n0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.\n\
             Get:1 http://deb.debian.org/debian bookworm/main amd64 libc6 amd64 2.36 [2 kB]\n\
             I: installing essential packages...\nUnpacking libc6:amd64 (2.36) ...\nSetting up libc6:amd64 (2.36) ...\n\
             lvslab: stage packing the root file system\n",
        );
        let stage = |text: &str| Event::Stage(text.to_owned());
        assert_eq!(
            events,
            [
                stage("fetching package lists"),
                stage("downloading the base system"),
                Event::Amount(1, 6),
                stage("installing the base system"),
                Event::Amount(2, 6),
                Event::Amount(3, 6),
                stage("packing the root file system"),
            ]
        );
    }

    #[test]
    fn without_a_network_the_mirror_is_named() {
        let found = failure(
            "I: running apt-get update...\n\
             W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'\n\
             E: apt-get update failed\n",
        );
        assert_eq!(
            found.cause,
            "the Debian mirror's name cannot be resolved (W: Failed to fetch \
             http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org')"
        );
        assert!(found.next.contains("LVSLAB_DEBIAN_MIRROR"));
    }

    #[test]
    fn a_full_disk_is_called_that() {
        let found = failure(
            "dpkg: error: failed to write status: No space left on device\nE: mmdebstrap failed to run\n",
        );
        assert!(
            found.cause.starts_with("the disk is full"),
            "{}",
            found.cause
        );
    }

    #[test]
    fn the_hook_can_name_its_own_cause() {
        let found = failure(
            "lvslab: cause linux-image-cloud-amd64 names no kernel package\nE: command failed: x\n",
        );
        assert_eq!(
            found.cause,
            "linux-image-cloud-amd64 names no kernel package"
        );
    }

    #[test]
    fn an_unknown_failure_gives_the_first_error_line() {
        let found = failure("I: hello\nE: something new\nE: mmdebstrap failed to run\n");
        assert_eq!(found.cause, "something new");
        assert_eq!(failure("").cause, "mmdebstrap ended with exit status: 25");
    }

    proptest::proptest! {
        #[test]
        fn no_line_gives_more_than_all(lines in proptest::collection::vec("(Get:|Unpacking |I: |[0-9]{1,3} newly installed|lvslab: stage )\\PC{0,20}", 0..40)) {
            let mut log = BuildLog::new();
            for line in lines {
                if let Some(Event::Amount(done, total)) = log.line(&line) {
                    proptest::prop_assert!(done <= total);
                }
            }
        }
    }
}
