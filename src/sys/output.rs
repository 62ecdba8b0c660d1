//! The one way to standard output, and to files that a person names. What cannot be written is an error.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use super::atomic;
use super::local::LocalError;

/// Writes `text` to standard output. A reader that has closed its pipe (`| head -1`) has all it wants, so that is no
/// error.
///
/// # Errors
/// Whatever else the system says: a full disk, a closed descriptor.
pub fn print(text: &str) -> Result<(), LocalError> {
    let mut out = io::stdout().lock();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
        .map_err(LocalError::when("write standard output"))
}

/// `written`, where a pipe that its reader has closed counts as written.
///
/// # Errors
/// Every other error.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a file that a person named: whole or not at all, unless the path is a device, a pipe or a link, which
/// have to stay what they are.
///
/// # Errors
/// Whatever the system says.
pub fn file(path: &Path, content: &[u8]) -> Result<(), LocalError> {
    let is_special = std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file());
    let written = if is_special {
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)
            .and_then(|mut file| unless_closed(file.write_all(content)))
    } else {
        atomic::write(path, content, 0o644)
    };
    written.map_err(LocalError::when(format!("write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_device_is_written_to_and_stays_a_device() {
        let error = file(Path::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(error.to_string(), "cannot write /dev/full");
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        file(Path::new("/dev/null"), b"x").unwrap();
        assert!(!std::fs::metadata("/dev/full").unwrap().is_file());
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_link_is_followed_and_a_file_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (report, link) = (
            directory.path().join("report"),
            directory.path().join("link"),
        );
        file(&report, b"old").unwrap();
        std::os::unix::fs::symlink(&report, &link).unwrap();
        file(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&report).unwrap(), b"new");
    }
}
