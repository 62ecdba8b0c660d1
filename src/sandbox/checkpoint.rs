//! Saved labs: a running sandbox with its memory and disks, kept under a name, to be restored later.
//!
//! A saved lab loads only with the accelerator, QEMU, image and lvslab build that saved it. So it is in the cache, under
//! `saved/LAB/NAME`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::Serialize;

use super::accelerator::Accelerator;
use super::binary::Binary;
use super::bring_up::{How, Plan, SUBJECT};
use super::control::{NewKeys, Request};
use super::error::{RequestError, SandboxError};
use super::files::Files;
use super::freshness::{freshness, now};
use super::identity::image_build;
use super::keys::SandboxKeys;
use super::machine::{Choice, Qemu};
use super::record::{HostRecord, Record};
use super::start::{Started, machine_name};
use super::{image::Image, leftovers, lock};
use crate::model::{LabId, LabName};
use crate::sys::atomic;
use crate::sys::dirs::{self, Dirs};
use crate::sys::progress::Progress;

const LOCK_LIMIT: Duration = Duration::from_secs(60);

const STATE: &str = "state";
const RECORD: &str = "sandbox.json";
/// No name of a saved state begins like it.
const TEMPORARY: &str = ".saving";
/// Files of the commands that are saved along: the lab, and the exercise that is set on its hosts.
const COMPANIONS: [&str; 2] = [dirs::LAB_FILE, dirs::EXERCISE_FILE];

/// What to restore.
#[derive(Debug, Clone, Copy)]
pub struct RestoreRequest<'a> {
    pub lab: &'a LabId,
    /// Name it was saved under.
    pub name: &'a str,
    /// Where state and cache are.
    pub dirs: &'a Dirs,
    /// The image it was saved with.
    pub image: &'a Image,
    /// Longest wait for the guest.
    pub timeout: Duration,
}

/// A saved lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saved {
    pub lab: LabId,
    pub name: String,
    /// Seconds since 1970 when it was saved.
    pub saved: u64,
    /// Size on disk, bytes.
    pub bytes: u64,
}

/// Saves the running sandbox of `lab` as `name`, in place of an earlier one of that name. The sandbox runs on.
///
/// # Errors
/// [`SandboxError::NotRunning`], [`RequestError::SaveName`], or what kept the state from being written.
pub fn save(dirs: &Dirs, lab: &LabId, name: &str) -> Result<Saved, SandboxError> {
    let name = checked_name(name)?;
    let files = Files::of(dirs, lab);
    let _lock = lock::lab(dirs, lab, LOCK_LIMIT)?;
    let (_, machine) =
        leftovers::running(&files)?.ok_or_else(|| SandboxError::NotRunning { lab: lab.clone() })?;
    let directory = directory(dirs, lab);
    let temporary = directory.join(TEMPORARY);
    // What an interrupted save left: with the lock held, no other save is under way.
    discard(&temporary)?;
    dirs::create_private(&temporary).map_err(SandboxError::io("create", &temporary))?;
    let kept = machine
        .save_state(&temporary.join(STATE))
        .and_then(|()| copy(&files.record(), &temporary.join(RECORD)))
        .and_then(|()| carry_companions(&files.state, &temporary));
    if let Err(error) = kept {
        let _ = discard(&temporary);
        return Err(error);
    }
    let target = directory.join(name.as_str());
    discard(&target)?;
    std::fs::rename(&temporary, &target).map_err(SandboxError::io("write", &target))?;
    describe(lab, &target).ok_or_else(|| missing(dirs, lab, name.as_str()))
}

/// Restores a saved lab, in place of the running one.
///
/// The machine gets the present time, a fresh random seed and fresh keys; SSH sessions that were open when it was saved
/// have ended; the loopback ports are new ones.
///
/// # Errors
/// [`RequestError::NoSuchSave`], [`RequestError::SaveName`]; [`RequestError::UnusableSave`] when it was saved with something else than what is
/// here, in which case a running sandbox is left alone.
pub fn restore(
    request: &RestoreRequest<'_>,
    progress: &dyn Progress,
) -> Result<Started, SandboxError> {
    let began = Instant::now();
    let (dirs, lab) = (request.dirs, request.lab);
    let name = checked_name(request.name)?;
    let source = directory(dirs, lab).join(name.as_str());
    let record =
        Record::read(&source.join(RECORD)).ok_or_else(|| missing(dirs, lab, name.as_str()))?;
    let files = Files::of(dirs, lab);
    let _lock = lock::lab(dirs, lab, LOCK_LIMIT)?;
    let qemu = Qemu::installed(dirs)?;
    let binary = Binary::running()?;
    let plan = Plan {
        dirs,
        image: request.image,
        image_build: image_build(request.image)?,
        qemu: &qemu,
        binary: &binary,
        files: &files,
        name: machine_name(lab),
        hosts: record.hosts.len(),
        size: record.identity.size,
        limit: request.timeout,
    };
    let accelerator = match plan.choose(None)? {
        Choice::Decided(accelerator) => accelerator,
        Choice::KvmWorked => Accelerator::Kvm,
        // It was saved here under this one.
        Choice::TryKvm => record.identity.accelerator,
    };
    if let Some(obstacle) = record.identity.obstacle(&plan.identity(accelerator)) {
        return Err(RequestError::UnusableSave {
            lab: lab.clone(),
            name,
            obstacle,
        }
        .into());
    }
    files.create()?;
    leftovers::clear(&files)?;
    progress.doing(SUBJECT, &format!("restoring the saved lab {name}"));
    match take_up(&plan, record, &source, accelerator) {
        Ok(hosts) => {
            let started = Started {
                how: How::Restored,
                accelerator,
                elapsed: began.elapsed(),
                ssh_config: files.ssh_config(),
            };
            progress.finished(SUBJECT, &started.summary(hosts));
            Ok(started)
        }
        Err(error) => {
            let _ = leftovers::clear(&files);
            Err(error)
        }
    }
}

fn take_up(
    plan: &Plan<'_>,
    record: Record,
    source: &Path,
    accelerator: Accelerator,
) -> Result<usize, SandboxError> {
    let names = record.hosts.iter().map(|host| &host.name);
    let keys = SandboxKeys::generate(&record.lab, names)?;
    let (machine, ports) = plan.launch(accelerator, None)?;
    let outcome = machine
        .load_state(&source.join(STATE))
        .and_then(|()| {
            let request = Request::Refresh {
                fresh: freshness()?,
                keys: NewKeys {
                    authorized_key: keys.person.public.clone(),
                    host_keys: keys.hosts.iter().map(|key| key.private.clone()).collect(),
                },
            };
            machine.ask(request, plan.limit, "setting its clock, seed and keys")
        })
        .and_then(|_| {
            carry_companions(source, &plan.files.state)?;
            let hosts: Vec<HostRecord> = record
                .hosts
                .into_iter()
                .zip(ports)
                .zip(keys.hosts)
                .map(|((host, port), key)| HostRecord {
                    port,
                    host_key: key.public,
                    ..host
                })
                .collect();
            let count = hosts.len();
            let record = Record {
                hosts,
                runtime: plan.files.runtime.clone(),
                started: now().as_secs(),
                ..record
            };
            record
                .write(plan.files, &keys.person.private)
                .map(|()| count)
        });
    if outcome.is_err() {
        machine.end()?;
    }
    outcome
}

/// Every saved lab, by lab and name.
#[must_use]
pub fn list_saved(dirs: &Dirs) -> Vec<Saved> {
    let mut saved: Vec<Saved> = children(&dirs.cache.join("saved"))
        .into_iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse::<LabId>().ok())
        .flat_map(|lab| {
            children(&directory(dirs, &lab))
                .into_iter()
                .filter_map(move |path| describe(&lab, &path))
        })
        .collect();
    saved.sort_by(|a, b| (&a.lab, &a.name).cmp(&(&b.lab, &b.name)));
    saved
}

/// Forgets a saved lab. Whether there was one.
///
/// # Errors
/// [`RequestError::SaveName`], or when its files cannot be removed.
pub fn remove_saved(dirs: &Dirs, lab: &LabId, name: &str) -> Result<bool, SandboxError> {
    let target = directory(dirs, lab).join(checked_name(name)?.as_str());
    let found = target.exists();
    discard(&target)?;
    Ok(found)
}

fn describe(lab: &LabId, path: &Path) -> Option<Saved> {
    let name = path.file_name()?.to_str()?.to_owned();
    name.parse::<LabName>().ok()?;
    let found = std::fs::metadata(path.join(STATE)).ok()?;
    let written = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Saved {
        lab: lab.clone(),
        name,
        saved: written.as_secs(),
        bytes: found.len(),
    })
}

/// A saved lab's name becomes a directory; the alphabet is a lab's.
fn checked_name(name: &str) -> Result<LabName, SandboxError> {
    name.parse().map_err(|source| {
        RequestError::SaveName {
            name: name.to_owned(),
            source,
        }
        .into()
    })
}

fn directory(dirs: &Dirs, lab: &LabId) -> PathBuf {
    dirs.cache.join("saved").join(lab.as_str())
}

fn missing(dirs: &Dirs, lab: &LabId, name: &str) -> SandboxError {
    let known: Vec<String> = list_saved(dirs)
        .into_iter()
        .filter(|saved| saved.lab == *lab)
        .map(|saved| saved.name)
        .collect();
    RequestError::NoSuchSave {
        lab: lab.clone(),
        name: name.to_owned(),
        known: if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        },
    }
    .into()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

/// Copies the companions. One that `from` lacks is removed from `to`.
fn carry_companions(from: &Path, to: &Path) -> Result<(), SandboxError> {
    for name in COMPANIONS {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            copy(&from, &to)?;
        } else {
            atomic::remove(&to).map_err(SandboxError::io("remove", &to))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), SandboxError> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(SandboxError::io("copy", from))
}

fn discard(directory: &Path) -> Result<(), SandboxError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SandboxError::io("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(root: &Path) -> Dirs {
        Dirs {
            cache: root.join("cache"),
            state: root.join("state"),
            runtime: root.join("run"),
        }
    }

    #[test]
    fn a_save_that_is_not_there_is_named_with_those_that_are() {
        let root = tempfile::tempdir().unwrap();
        let dirs = dirs(root.path());
        let lab: LabId = "dr".parse().unwrap();
        assert_eq!(
            missing(&dirs, &lab, "x").to_string(),
            "lab dr has no saved state x; saved are: none"
        );
        for name in ["verified", "fresh", TEMPORARY] {
            let save = directory(&dirs, &lab).join(name);
            std::fs::create_dir_all(&save).unwrap();
            std::fs::write(save.join(STATE), "12345").unwrap();
        }
        let names: Vec<(String, u64)> = list_saved(&dirs)
            .into_iter()
            .map(|saved| (saved.name, saved.bytes))
            .collect();
        assert_eq!(names, [("fresh".to_owned(), 5), ("verified".to_owned(), 5)]);
        assert_eq!(
            missing(&dirs, &lab, "x").to_string(),
            "lab dr has no saved state x; saved are: fresh, verified"
        );
        assert!(remove_saved(&dirs, &lab, "fresh").unwrap());
        assert!(!remove_saved(&dirs, &lab, "fresh").unwrap());
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let error = save(&dirs(root.path()), &"dr".parse().unwrap(), "../x").unwrap_err();
        assert_eq!(
            error.in_full(),
            "a saved state cannot be called \"../x\": '.' is not allowed here; use lower-case letters, digits \
             and inner hyphens"
        );
    }

    #[test]
    fn a_saved_state_takes_the_lab_and_its_exercise_along_or_that_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let [state, healthy, broken] =
            ["state", "healthy", "broken"].map(|name| root.path().join(name));
        for directory in [&state, &healthy, &broken] {
            std::fs::create_dir(directory).unwrap();
        }
        let exercise = || std::fs::read_to_string(state.join("exercise")).ok();
        std::fs::write(state.join("lab.json"), "{}").unwrap();
        carry_companions(&state, &healthy).unwrap();
        std::fs::write(state.join("exercise"), "sealed").unwrap();
        carry_companions(&state, &broken).unwrap();

        carry_companions(&healthy, &state).unwrap();
        assert_eq!(exercise(), None);
        std::fs::remove_dir_all(&state).unwrap();
        std::fs::create_dir(&state).unwrap();
        carry_companions(&broken, &state).unwrap();
        assert_eq!(exercise().as_deref(), Some("sealed"));
        assert!(state.join("lab.json").exists());
    }

    #[test]
    fn only_a_running_sandbox_can_be_saved() {
        let root = tempfile::tempdir().unwrap();
        let error = save(&dirs(root.path()), &"dr".parse().unwrap(), "x").unwrap_err();
        assert!(matches!(error, SandboxError::NotRunning { .. }), "{error}");
    }
}
