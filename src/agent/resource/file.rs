//! Files: content, permission bits, owner and SELinux context.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use crate::agent::change::journal::Item;
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::boot_files;
use crate::agent::system::command::{self, Limits, succeed};
use crate::agent::system::root::Root;
use crate::agent::system::selinux_context;
use crate::keeper::saved_rules;
use crate::resource::{File, FileState};
use crate::sys::atomic;

/// Files larger than this are no lab files, and neither journal nor wire should hold them.
const LARGEST_BYTES: u64 = 8 << 20;

/// Where systemd looks for the units an administrator writes; it reads them again only when told to.
const UNITS: &str = "/etc/systemd/system/";

/// What is there; `None` when there is nothing.
pub(super) fn observe(root: &Root, path: &str) -> Result<Option<FileState>, ResourceError> {
    let real = checked(root, path)?;
    let found = match fs::symlink_metadata(&real) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(format!("cannot look at {path}"), error)),
    };
    if found.is_symlink() {
        let target = fs::read_link(&real).unwrap_or_default();
        return Err(
            because(format!("{path} is a symbolic link to {}", target.display())).hint(format!(
                "lvslab does not write through links; move {path} away if nothing needs it"
            )),
        );
    }
    if found.is_dir() {
        return Err(because(format!("{path} is a directory")).hint(format!(
            "a file belongs there; move {path} away if nothing needs it"
        )));
    }
    if !found.is_file() {
        return Err(because(format!("{path} is a device, a socket or a pipe")));
    }
    let mut content = Vec::new();
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&real)
        .and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut content))
        .map_err(|error| failed(format!("cannot read {path}"), error))?;
    if content.len() as u64 > LARGEST_BYTES {
        return Err(because(format!(
            "{path} holds more than {} MiB and could not be put back",
            LARGEST_BYTES >> 20
        )));
    }
    Ok(Some(FileState {
        content_base64: FileState::encode(&content),
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        context: selinux_context::of(&real),
        read_instead: read_instead(root, path, &content),
    }))
}

/// The saved rules that a boot restores instead of those at `path`.
fn read_instead(root: &Root, path: &str, content: &[u8]) -> Option<String> {
    if !saved_rules::are_saved_at(path) {
        return None;
    }
    let files = boot_files::collect(root, saved_rules::PLACES.iter());
    let content = String::from_utf8_lossy(content);
    saved_rules::read_instead(&files, path, &content).map(str::to_owned)
}

/// The directories that will be made for it, outermost first.
pub(super) fn side_effects(root: &Root, path: &str) -> Result<Vec<Item>, ResourceError> {
    checked(root, path)?;
    let mut missing: Vec<Item> = Path::new(path)
        .ancestors()
        .skip(1)
        .take_while(|directory| !root.join(directory).exists())
        .map(|directory| Item::Directory {
            path: directory.display().to_string(),
        })
        .collect();
    missing.reverse();
    Ok(missing)
}

/// Makes the file what is asked for, owned by root.
pub(super) fn apply(
    root: &Root,
    desired: &File,
    before: Option<&FileState>,
) -> Result<(), ResourceError> {
    let real = checked(root, &desired.path)?;
    make_parent(&real)?;
    let context = before.and_then(|state| state.context.as_deref());
    let state = Written {
        content: desired.content.as_bytes(),
        mode: desired.mode & 0o7777,
        owner: (0, 0),
        context,
    };
    write(&real, &desired.path, &state)?;
    if context.is_none() {
        relabel(root, &desired.path)?;
    }
    units_changed(root, &desired.path)
}

fn make_parent(real: &Path) -> Result<(), ResourceError> {
    let Some(parent) = real.parent() else {
        return Ok(());
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(parent)
        .map_err(|error| failed(format!("cannot make {}", parent.display()), error))
}

/// Makes the file what it was, byte for byte; its directory may be gone by now.
pub(super) fn restore(
    root: &Root,
    path: &str,
    before: Option<&FileState>,
) -> Result<(), ResourceError> {
    let real = checked(root, path)?;
    match before {
        None => {
            atomic::remove(&real).map_err(|error| failed(format!("cannot remove {path}"), error))?
        }
        Some(state) => {
            let content = state.content().ok_or_else(|| {
                because(format!("the journal's copy of {path} cannot be decoded"))
            })?;
            make_parent(&real)?;
            write(
                &real,
                path,
                &Written {
                    content: &content,
                    mode: state.mode,
                    owner: (state.uid, state.gid),
                    context: state.context.as_deref(),
                },
            )?;
        }
    }
    units_changed(root, path)
}

/// Removes a directory that was made for a file, unless something else is in it; whether there is none now.
pub(super) fn remove_directory(root: &Root, path: &str) -> Result<bool, ResourceError> {
    match fs::remove_dir(checked(root, path)?) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(true),
            io::ErrorKind::DirectoryNotEmpty => Ok(false),
            _ => Err(failed(format!("cannot remove {path}"), error)),
        },
    }
}

struct Written<'a> {
    content: &'a [u8],
    mode: u32,
    owner: (u32, u32),
    context: Option<&'a str>,
}

fn write(real: &Path, path: &str, state: &Written<'_>) -> Result<(), ResourceError> {
    atomic::write_prepared(real, state.content, state.mode, |file| {
        let found = file.metadata()?;
        if (found.uid(), found.gid()) != state.owner {
            let (uid, gid) = state.owner;
            std::os::unix::fs::fchown(file, Some(uid), Some(gid))?;
        }
        match state.context {
            Some(context) => selinux_context::set(file, context),
            None => Ok(()),
        }
    })
    .map_err(|error| {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let error = failed(format!("cannot write {path}"), error);
        if full {
            error.hint("free some space on that file system")
        } else {
            error
        }
    })
}

/// A new file gets the context the policy has for its path, as if it had been made there by hand.
fn relabel(root: &Root, path: &str) -> Result<(), ResourceError> {
    if !root.join("/sys/fs/selinux/enforce").exists() || command::find("restorecon").is_none() {
        return Ok(());
    }
    succeed(
        command::command("restorecon").arg("-F").arg(path),
        Limits::seconds(30),
    )
    .map(|_| ())
}

fn units_changed(root: &Root, path: &str) -> Result<(), ResourceError> {
    if !path.starts_with(UNITS) || !root.join("/run/systemd/system").is_dir() {
        return Ok(());
    }
    succeed(
        command::command("systemctl").arg("daemon-reload"),
        Limits::seconds(60),
    )
    .map(|_| ())
}

fn checked(root: &Root, path: &str) -> Result<PathBuf, ResourceError> {
    let sound = path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains(|c: char| c.is_control())
        && Path::new(path)
            .components()
            .all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    if sound {
        Ok(root.join(path))
    } else {
        Err(because(format!("{path:?} is no absolute path of a file")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        (directory, root)
    }

    /// Owned by whoever runs the test, where root would own it.
    fn written(root: &Root, path: &str, content: &[u8], mode: u32) {
        let real = root.join(path);
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::write(&real, content).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_put_back_byte_for_byte_with_its_bits() {
        let (_directory, root) = root();
        let content = [0, 159, 146, 150, b'\n', b'x'];
        written(&root, "/etc/a", &content, 0o640);
        let before = observe(&root, "/etc/a").unwrap();
        written(&root, "/etc/a", b"ours", 0o600);
        restore(&root, "/etc/a", before.as_ref()).unwrap();
        assert_eq!(fs::read(root.join("/etc/a")).unwrap(), content);
        assert_eq!(observe(&root, "/etc/a").unwrap(), before);

        let absent = observe(&root, "/etc/b").unwrap();
        assert_eq!(absent, None);
        written(&root, "/etc/b", b"ours", 0o600);
        restore(&root, "/etc/b", None).unwrap();
        assert_eq!(observe(&root, "/etc/b").unwrap(), None);
    }

    #[test]
    fn directories_made_on_the_way_are_known_outermost_first_and_removed_when_empty() {
        let (_directory, root) = root();
        fs::create_dir(root.join("/etc")).unwrap();
        let path = "/etc/sysconfig/network-scripts/ifcfg-lo:0";
        let made: Vec<_> = side_effects(&root, path)
            .unwrap()
            .iter()
            .map(|item| item.id().0)
            .collect();
        assert_eq!(
            made,
            [
                "directory /etc/sysconfig",
                "directory /etc/sysconfig/network-scripts"
            ]
        );
        written(&root, path, b"", 0o644);
        let directory = "/etc/sysconfig/network-scripts";
        assert!(!remove_directory(&root, directory).unwrap());
        restore(&root, path, None).unwrap();
        assert!(remove_directory(&root, directory).unwrap());
        assert!(remove_directory(&root, directory).unwrap());
        assert_eq!(side_effects(&root, "/etc/motd").unwrap(), []);
    }

    #[test]
    fn links_directories_and_devices_in_the_way_are_clear_errors() {
        let (_directory, root) = root();
        fs::create_dir_all(root.join("/etc/dir")).unwrap();
        symlink("/etc/shadow", root.join("/etc/link")).unwrap();
        nix::unistd::mkfifo(&root.join("/etc/pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        for (path, cause) in [
            ("/etc/link", "/etc/link is a symbolic link to /etc/shadow"),
            ("/etc/dir", "/etc/dir is a directory"),
            ("/etc/pipe", "/etc/pipe is a device, a socket or a pipe"),
            ("etc/x", "\"etc/x\" is no absolute path of a file"),
            ("/etc/../x", "\"/etc/../x\" is no absolute path of a file"),
            ("/etc/x/", "\"/etc/x/\" is no absolute path of a file"),
        ] {
            assert_eq!(observe(&root, path).unwrap_err().cause, cause);
        }
        written(&root, "/etc/file", b"", 0o644);
        let error = observe(&root, "/etc/file/below").unwrap_err();
        assert!(
            error.cause.starts_with("cannot look at /etc/file/below: "),
            "{error}"
        );
    }

    #[test]
    fn a_file_too_large_to_be_journaled_is_refused() {
        let (_directory, root) = root();
        let file = fs::File::create(root.join("/big")).unwrap();
        file.set_len(LARGEST_BYTES + 1).unwrap();
        assert_eq!(
            observe(&root, "/big").unwrap_err().cause,
            "/big holds more than 8 MiB and could not be put back"
        );
    }
}
