//! Which system the hosts of a sandbox run.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What a host's first process is, and the packages around it. All hosts of one sandbox run the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum System {
    /// Our own init and no service manager: a host boots in milliseconds.
    #[default]
    Plain,
    /// Debian with systemd as the first process, as on an installed machine; its boot takes tens of seconds under
    /// emulation.
    Debian,
}

/// A word that names no [`System`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither `plain` nor `debian`")]
pub struct UnknownSystem(String);

impl System {
    /// The system whose root file system is at `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        if root.join("usr/lib/systemd/systemd").exists() {
            Self::Debian
        } else {
            Self::Plain
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Debian => "debian",
        })
    }
}

impl FromStr for System {
    type Err = UnknownSystem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Plain, Self::Debian]
            .into_iter()
            .find(|system| system.to_string() == text)
            .ok_or_else(|| UnknownSystem(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_known_by_its_name_and_by_its_root_file_system() {
        assert_eq!("debian".parse(), Ok(System::Debian));
        assert_eq!("plain".parse(), Ok(System::default()));
        assert_eq!(
            "rhel".parse::<System>().unwrap_err().to_string(),
            "\"rhel\" is neither `plain` nor `debian`"
        );
        let root = tempfile::tempdir().unwrap();
        assert_eq!(System::at(root.path()), System::Plain);
        let directory = root.path().join("usr/lib/systemd");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("systemd"), "").unwrap();
        assert_eq!(System::at(root.path()), System::Debian);
    }
}
