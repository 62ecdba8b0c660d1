//! The keys on a host's disk: the host key, and the keys that may log in. sshd reads both at every login.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::{Failure, While};
use crate::sys::atomic;

/// Below the host's `/`.
const HOST_KEY: &str = "etc/ssh/ssh_host_ed25519_key";
const LOGIN_DIRECTORY: &str = "root/.ssh";
const AUTHORIZED: &str = "root/.ssh/authorized_keys";

/// Writes the private `host_key` (OpenSSH format) to the disk at `root`, and replaces the line `before` of
/// `authorized_keys` by `authorized`. Other lines stay.
pub fn write(root: &Path, host_key: &str, authorized: &str, before: &str) -> Result<(), Failure> {
    replace(&root.join(HOST_KEY), host_key)?;
    let directory = root.join(LOGIN_DIRECTORY);
    if !directory.exists() {
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .during(format_args!("create {}", directory.display()))?;
    }
    let file = root.join(AUTHORIZED);
    let there = fs::read_to_string(&file).unwrap_or_default();
    let (authorized, before) = (authorized.trim_end(), before.trim_end());
    let mut lines: Vec<&str> = there
        .lines()
        .filter(|line| ![authorized, before].contains(line))
        .collect();
    lines.push(authorized);
    replace(&file, &(lines.join("\n") + "\n"))
}

/// Replaces the file instead of writing to it: it may be a link to another place.
fn replace(path: &Path, content: &str) -> Result<(), Failure> {
    atomic::write(path, content.as_bytes(), 0o600).during(format_args!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_login_key_comes_in_place_of_the_old_one_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
        fs::create_dir(root.path().join("root")).unwrap();
        let authorized = || fs::read_to_string(root.path().join(AUTHORIZED)).unwrap();
        write(root.path(), "host 1", "ed25519 one\n", "").unwrap();
        assert_eq!(authorized(), "ed25519 one\n");
        fs::write(
            root.path().join(AUTHORIZED),
            "ed25519 one\nrsa a student's\n",
        )
        .unwrap();
        write(root.path(), "host 2", "ed25519 two", "ed25519 one").unwrap();
        assert_eq!(authorized(), "rsa a student's\ned25519 two\n");
        let host_key = fs::read_to_string(root.path().join(HOST_KEY)).unwrap();
        assert_eq!(host_key, "host 2");
    }

    #[test]
    fn a_link_that_somebody_made_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
        fs::create_dir(root.path().join("root")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, root.path().join(HOST_KEY)).unwrap();
        write(root.path(), "host", "ed25519 one", "").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
    }
}
