//! One run per host at a time: flock(2) on `/var/lib/lvslab/lock`, whose text says who holds it.
//!
//! The kernel releases the lock when the process that holds it ends, so text left in the file locks nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::host;
use crate::agent::system::root::Root;
use crate::sys::clock;

/// The host's lock, held until it is dropped.
#[derive(Debug)]
pub(in crate::agent) struct HostLock(
    #[expect(dead_code, reason = "held for its drop")] Flock<File>,
);

impl HostLock {
    /// Takes the lock for `run`; the error says who holds it.
    pub(in crate::agent) fn take(root: &Root, run: &str) -> Result<Self, AgentError> {
        let directory = root.state();
        let path = directory.join("lock");
        loop {
            let file = open(&directory, &path)
                .map_err(|error| host(format!("cannot open {}", path.display()), error))?;
            let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    return Err(AgentError::Locked {
                        holder: holder(&mut file),
                    });
                }
                Err((_, errno)) => {
                    return Err(host(format!("cannot lock {}", path.display()), errno));
                }
            };
            // A run that removes the directory at its end may have done so after we opened the file.
            if !is_same(&lock, &path) {
                continue;
            }
            write_holder(&mut lock, run)
                .map_err(|error| host(format!("cannot write {}", path.display()), error))?;
            return Ok(Self(lock));
        }
    }
}

fn open(directory: &Path, path: &Path) -> io::Result<File> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // The journal below it holds the former content of files, which only root may read. The directory may be older.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(512).read_to_string(&mut text);
    match text.trim() {
        "" => "somebody who has not said who they are".to_owned(),
        text => text.to_owned(),
    }
}

fn write_holder(file: &mut File, run: &str) -> io::Result<()> {
    let run: String = run.chars().filter(|c| !c.is_control()).take(200).collect();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{run}, since {}", clock::now_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_learns_who_has_the_host() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let first = HostLock::take(&root, "ann@desk 4711").unwrap();
        let AgentError::Locked { holder } = HostLock::take(&root, "bob@desk 1").unwrap_err() else {
            panic!("not locked");
        };
        assert!(holder.starts_with("ann@desk 4711, since 2"), "{holder}");
        drop(first);
        HostLock::take(&root, "bob@desk 1").unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_is_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        fs::create_dir_all(root.state()).unwrap();
        fs::write(
            root.state().join("lock"),
            "a much longer text of a run that died long ago",
        )
        .unwrap();
        let _lock = HostLock::take(&root, "bob").unwrap();
        let text = fs::read_to_string(root.state().join("lock")).unwrap();
        assert!(text.starts_with("bob, since "), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
