//! The facts about a machine that decide whether it meets a requirement. Tests make their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A machine and a caller on it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Root of its file system, `/`.
    pub root: PathBuf,
    /// Directories searched for programs, in order.
    pub path: Vec<PathBuf>,
    /// The caller's effective user id.
    pub uid: u32,
    /// The caller's login name, or the id in decimal where it has none.
    pub user: String,
    /// Whether a person can be asked for a password here.
    pub terminal: bool,
}

impl Host {
    /// This machine and this process.
    #[must_use]
    pub fn here() -> Self {
        let uid = nix::unistd::geteuid().as_raw();
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = login_name(&accounts, uid).unwrap_or_else(|| uid.to_string());
        let mut path: Vec<PathBuf> = std::env::var_os("PATH")
            .map(|value| std::env::split_paths(&value).collect())
            .unwrap_or_default();
        // Not on an ordinary user's PATH in Debian.
        path.extend(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
        Self {
            root: PathBuf::from("/"),
            path,
            uid,
            user,
            // sudo asks on the terminal itself, whatever the standard streams are.
            terminal: std::io::IsTerminal::is_terminal(&std::io::stdin())
                && fs::File::open("/dev/tty").is_ok(),
        }
    }

    /// Whether the caller is root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether there is such a program, or for an absolute path such a file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        if Path::new(name).is_absolute() {
            self.at(name).exists()
        } else {
            self.program(name).is_some()
        }
    }

    /// Where a program is.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.path
            .iter()
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(name))
            .find(|path| {
                fs::metadata(path)
                    .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
            })
    }

    /// The program path for child processes, so that they find what [`Host::program`] found.
    #[must_use]
    pub fn path_variable(&self) -> std::ffi::OsString {
        std::env::join_paths(&self.path).unwrap_or_default()
    }

    /// `path` of that machine.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// The name of `uid` in passwd(5). Read by hand: the C library's look-up loads plug-ins, which a static
/// binary cannot; an account that is only in a directory service goes by its number.
fn login_name(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_name_is_found_by_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(login_name(accounts, 1000).as_deref(), Some("ann"));
        assert_eq!(login_name(accounts, 0).as_deref(), Some("root"));
        assert_eq!(login_name(accounts, 7), None);
    }
}
