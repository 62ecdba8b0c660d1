//! The directory in which a system is installed before it is packed.
//!
//! An ordinary user's build runs with the ids of the user's subordinate range. So every user must be able to enter the
//! directory, which is not true of many home directories, and only those ids can remove what is in it. A note in the
//! cache says where it is, so that the next build can clean up after one that was killed.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ImageError;
use super::requirements::Host;
use crate::sys::atomic;

const PREFIX: &str = "lvslab-image-";

/// A scratch directory; [`Scratch::remove`] it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    note: PathBuf,
}

impl Scratch {
    /// A new directory under `parent`, written down in the file `note` first.
    pub(super) fn create(parent: &Path, note: &Path) -> Result<Self, ImageError> {
        let path = parent.join(format!("{PREFIX}{}", unique()?));
        let scratch = Self {
            path,
            note: note.to_owned(),
        };
        atomic::write(note, scratch.path.as_os_str().as_bytes(), 0o600)
            .map_err(ImageError::file("write", note))?;
        fs::DirBuilder::new()
            .mode(0o755)
            .create(&scratch.path)
            // Whatever the umask: others must get in.
            .and_then(|()| fs::set_permissions(&scratch.path, fs::Permissions::from_mode(0o755)))
            .map_err(ImageError::file("create", &scratch.path))?;
        Ok(scratch)
    }

    /// The one that `note` tells of, if there is a note and it is one of ours.
    pub(super) fn noted(note: &Path) -> Option<Self> {
        let path = PathBuf::from(std::ffi::OsString::from_vec(fs::read(note).ok()?));
        let ours = path.is_absolute()
            && path.file_name().is_some_and(|name| {
                name.as_bytes()
                    .strip_prefix(PREFIX.as_bytes())
                    .is_some_and(|rest| !rest.is_empty())
            });
        ours.then(|| Self {
            path,
            note: note.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory and the note. Never crosses into another file system: a build that was killed may
    /// have left one mounted.
    pub(super) fn remove(self, host: &Host) -> Result<(), ImageError> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ImageError::file("read", &self.path)(error)),
            // Somebody else's directory of that name is not ours to remove.
            Ok(found) if found.uid() != host.uid || !found.is_dir() => {}
            Ok(_) => {
                if !host.is_root() {
                    self.remove_foreign(host);
                }
                let status = rm(host)
                    .arg(&self.path)
                    .status()
                    .map_err(ImageError::file("remove", &self.path))?;
                if !status.success() && self.path.exists() {
                    return Err(ImageError::file("remove", &self.path)(io::Error::other(
                        "rm could not",
                    )));
                }
            }
        }
        atomic::remove(&self.note).map_err(ImageError::file("remove", &self.note))
    }

    /// Empties the directories that belong to subordinate ids, as root of their namespace. The empty directories are in
    /// ours and go with it.
    fn remove_foreign(&self, host: &Host) {
        let foreign: Vec<PathBuf> = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.metadata().is_ok_and(|found| found.uid() != host.uid))
            .map(|entry| entry.path())
            .collect();
        let Some(mmdebstrap) = host.program("mmdebstrap").filter(|_| !foreign.is_empty()) else {
            return;
        };
        // Its status says nothing: it may not remove the outermost directory, which `rm` does afterwards.
        let _ = quiet(Command::new(mmdebstrap), host)
            .args(["--unshare-helper", "rm", "-rf", "--one-file-system"])
            .args(foreign)
            .status();
    }
}

fn rm(host: &Host) -> Command {
    let mut command = quiet(
        Command::new(host.program("rm").unwrap_or_else(|| "rm".into())),
        host,
    );
    command.args(["-rf", "--one-file-system", "--"]);
    command
}

fn quiet(mut command: Command, host: &Host) -> Command {
    command
        .env("PATH", host.path_variable())
        // A directory that the subordinate ids can be in.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn unique() -> Result<String, ImageError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        ImageError::file("read", "the kernel's random numbers")(io::Error::other(error.to_string()))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_build_is_found_again_by_its_note_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("note");
        let host = Host::here();
        let scratch = Scratch::create(directory.path(), &note).unwrap();
        let path = scratch.path().to_owned();
        fs::create_dir_all(path.join("mmdebstrap.x/root")).unwrap();
        fs::write(path.join("mmdebstrap.x/root/file"), "x").unwrap();
        drop(scratch);

        let found = Scratch::noted(&note).unwrap();
        assert_eq!(found.path(), path);
        found.remove(&host).unwrap();
        assert!(!path.exists() && !note.exists());
        assert!(Scratch::noted(&note).is_none());
    }

    #[test]
    fn everybody_can_get_in_whatever_the_umask() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(directory.path(), &directory.path().join("note")).unwrap();
        let mode = fs::metadata(scratch.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn a_note_of_something_else_removes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("note");
        for text in ["", "/", "/home", "lvslab-image-1", "/tmp/lvslab-image-"] {
            fs::write(&note, text).unwrap();
            assert!(Scratch::noted(&note).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_note_of_a_directory_that_is_gone_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("note");
        fs::write(
            &note,
            directory
                .path()
                .join("lvslab-image-gone")
                .as_os_str()
                .as_bytes(),
        )
        .unwrap();
        Scratch::noted(&note)
            .unwrap()
            .remove(&Host::here())
            .unwrap();
        assert!(!note.exists());
    }
}
