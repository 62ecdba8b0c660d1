//! Locks between lvslab processes. The kernel releases a lock when its process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use super::error::SandboxError;
use crate::model::LabId;
use crate::sys::dirs::Dirs;

/// Held until dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is the open file")] File);

/// Locks the sandbox of `lab`; waits at most `limit` for another lvslab.
///
/// # Errors
/// [`SandboxError::Busy`] when the time is up.
pub fn lab(dirs: &Dirs, lab: &LabId, limit: Duration) -> Result<Lock, SandboxError> {
    take(dirs, &format!("lab-{lab}"), limit)?.ok_or_else(|| SandboxError::Busy { lab: lab.clone() })
}

/// Locks the creation of the base state `key`; `None` when another lvslab still works on it after `limit`.
///
/// # Errors
/// When the lock file cannot be opened.
pub fn base(dirs: &Dirs, key: &str, limit: Duration) -> Result<Option<Lock>, SandboxError> {
    take(dirs, &format!("base-{key}"), limit)
}

fn take(dirs: &Dirs, name: &str, limit: Duration) -> Result<Option<Lock>, SandboxError> {
    let directory = dirs.cache.join("locks");
    std::fs::create_dir_all(&directory).map_err(SandboxError::io("create", &directory))?;
    let path = directory.join(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(SandboxError::io("open", &path))?;
    let deadline = Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(SandboxError::io("lock", &path)(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_that_the_lab_is_busy_until_the_first_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let dirs = Dirs {
            cache: directory.path().to_owned(),
            state: directory.path().to_owned(),
            runtime: directory.path().to_owned(),
        };
        let (dr, nat): (LabId, LabId) = ("dr".parse().unwrap(), "nat".parse().unwrap());
        let held = lab(&dirs, &dr, Duration::ZERO).unwrap();
        let error = lab(&dirs, &dr, Duration::ZERO).unwrap_err();
        assert_eq!(
            error.to_string(),
            "another lvslab is starting or stopping the sandbox of lab dr"
        );
        lab(&dirs, &nat, Duration::ZERO).unwrap();
        drop(held);
        // A program that another test started at the same moment may hold it, too, until it ends.
        lab(&dirs, &dr, Duration::from_secs(20)).unwrap();
    }
}
