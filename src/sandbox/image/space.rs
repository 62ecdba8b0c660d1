//! Checks the free space before a build begins.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ImageError;

/// What the finished image and its log take.
pub(super) const IMAGE_BYTES: u64 = 300_000_000;
/// What the system and its copies take while it is built: measured, 900 MB.
pub(super) const BUILD_BYTES: u64 = 1_300_000_000;

/// Makes sure that each file system has the sum of the bytes that are wanted on it.
///
/// # Errors
/// [`ImageError::Space`] for the first one that is too full.
pub(super) fn check(wanted: &[(&Path, u64)]) -> Result<(), ImageError> {
    let mut devices: BTreeMap<u64, u64> = BTreeMap::new();
    for &(path, bytes) in wanted {
        let found = std::fs::metadata(path).map_err(ImageError::file("read", path))?;
        let sum = devices.entry(found.dev()).or_default();
        *sum += bytes;
        let needed_bytes = *sum;
        let free = nix::sys::statvfs::statvfs(path)
            .map_err(|errno| ImageError::file("read", path)(errno.into()))?;
        let free_bytes = free.blocks_available().saturating_mul(free.fragment_size());
        if free_bytes < needed_bytes {
            return Err(ImageError::Space {
                path: path.to_owned(),
                free_bytes,
                needed_bytes,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_for_one_file_system_add_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        check(&[(path, 1), (path, 1)]).unwrap();
        // Each half alone would do on any real disk's numbers; together they exceed every disk.
        let half = u64::MAX / 2;
        let error = check(&[(path, 0), (path, half), (path, half)]).unwrap_err();
        assert!(matches!(error, ImageError::Space { .. }), "{error}");
    }

    #[test]
    fn the_message_gives_both_amounts_and_the_place() {
        let error = ImageError::Space {
            path: "/var/tmp".into(),
            free_bytes: 412_345_678,
            needed_bytes: 1_550_000_000,
        };
        insta::assert_snapshot!(format!("{error}\n{}", error.hint()), @r"
        /var/tmp has 412 MB free, and building the sandbox image needs 1550 MB
        free some space, or point XDG_CACHE_HOME and TMPDIR to a larger disk
        ");
    }
}
