//! Whether the guard of changes on trial is alive: it holds a flock(2) on a file beside the trial's note.
//!
//! The kernel releases the lock when the process ends, whatever ended it: a reboot of the machine, of a
//! container or of a sandbox host (which keep the kernel's boot id), a logout that ends the user's processes,
//! or a kill. A start of the boot unit by hand ends nothing, so the lock tells it from a boot.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// A new lock file at `path`, locked: for the guard to inherit, so that the guard holds it from its start.
///
/// The guard of an earlier run keeps its lock on the file that this one replaces.
pub(in crate::agent) fn take(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::create_new(path)?;
    file.try_lock()?;
    Ok(file)
}

/// Whether a process holds the lock at `path`; none does where there is no such file.
pub(in crate::agent) fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Shared, so that two processes that ask at the same time do not take each other for the guard.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
pub(in crate::agent) mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// A child that another test is just starting has a copy of the lock until it has become its program.
    pub(in crate::agent) fn wait_until_free(path: &Path) {
        let end = Instant::now() + Duration::from_secs(10);
        while is_held(path).unwrap() {
            assert!(Instant::now() < end, "{} stays locked", path.display());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_lock_is_held_until_the_process_that_inherited_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guard");
        assert!(!is_held(&path).unwrap());
        let mut heir = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(take(&path).unwrap())
            .spawn()
            .unwrap();
        assert!(is_held(&path).unwrap());
        drop(heir.stdin.take());
        heir.wait().unwrap();
        wait_until_free(&path);
    }

    #[test]
    fn a_later_guard_has_a_lock_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guard");
        let first = take(&path).unwrap();
        let second = take(&path).unwrap();
        assert!(is_held(&path).unwrap());
        drop(second);
        wait_until_free(&path);
        drop(first);
    }
}
