//! Which QEMU is installed. Saved states load only into the version that wrote them.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::sandbox::error::{MachineError, SandboxError};
use crate::sys::atomic;
use crate::sys::dirs::Dirs;

const PROGRAM: &str = "qemu-system-x86_64";

/// An installed QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qemu {
    pub program: PathBuf,
    /// First line of `--version` after `QEMU emulator version `: `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`.
    pub version: String,
}

/// The version of a program file that has not changed since; saves a process per start.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Known {
    program: PathBuf,
    inode: u64,
    size: u64,
    modified_ns: i128,
    version: String,
}

impl Qemu {
    /// The QEMU on the `PATH`.
    ///
    /// # Errors
    /// [`MachineError::Qemu`] when there is none or it does not tell its version.
    pub fn installed(dirs: &Dirs) -> Result<Self, SandboxError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program =
            find(PROGRAM, std::env::split_paths(&path)).ok_or_else(|| MachineError::Qemu {
                complaint: format!("{PROGRAM} is not on the PATH"),
            })?;
        let memory = dirs.cache.join("qemu.json");
        let current = Known::of(&program).map_err(SandboxError::io("examine", &program))?;
        if let Some(version) = current.recall(&memory) {
            return Ok(Self { program, version });
        }
        let version = ask_version(&program).map_err(SandboxError::io("run", &program))?;
        let known = Known {
            version: version.clone(),
            ..current
        };
        // Only a saving: without it the next start asks again.
        let _ = std::fs::create_dir_all(&dirs.cache).and_then(|()| {
            let json = serde_json::to_vec(&known).map_err(io::Error::other)?;
            atomic::write(&memory, &json, 0o600)
        });
        Ok(Self { program, version })
    }
}

impl Known {
    fn of(program: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(program)?;
        Ok(Self {
            program: program.to_owned(),
            inode: found.ino(),
            size: found.size(),
            modified_ns: i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
            version: String::new(),
        })
    }

    fn recall(&self, memory: &Path) -> Option<String> {
        let mut known: Self = serde_json::from_slice(&std::fs::read(memory).ok()?).ok()?;
        let version = std::mem::take(&mut known.version);
        (known == *self && !version.is_empty()).then_some(version)
    }
}

fn find(name: &str, path: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    path.filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|candidate| {
            std::fs::metadata(candidate)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

fn ask_version(program: &Path) -> io::Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| io::Error::other("it does not tell its version"))
}

fn parse_version(text: &str) -> Option<String> {
    text.lines()
        .next()?
        .strip_prefix("QEMU emulator version ")
        .map(|version| version.trim().to_owned())
        .filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_with_its_packaging() {
        let text = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c)\n";
        assert_eq!(
            parse_version(text).as_deref(),
            Some("7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)")
        );
        assert_eq!(parse_version("bash: qemu: not found\n"), None);
    }

    #[test]
    fn a_replaced_program_is_asked_again() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(PROGRAM);
        let memory = directory.path().join("qemu.json");
        std::fs::write(&program, "old").unwrap();
        let known = Known {
            version: "7.2".to_owned(),
            ..Known::of(&program).unwrap()
        };
        std::fs::write(&memory, serde_json::to_vec(&known).unwrap()).unwrap();
        let now = Known::of(&program).unwrap();
        assert_eq!(now.recall(&memory).as_deref(), Some("7.2"));
        std::fs::write(&program, "newer").unwrap();
        assert_eq!(Known::of(&program).unwrap().recall(&memory), None);
    }

    #[test]
    fn only_an_executable_file_in_an_absolute_directory_counts() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("tool");
        std::fs::write(&program, "").unwrap();
        let path = || [PathBuf::from("."), directory.path().to_owned()].into_iter();
        assert_eq!(find("tool", path()), None);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("tool", path()), Some(program));
    }
}
