//! One image per key, built by one process, and published only when complete.
//!
//! Layout of the directory: `KEY/` is an image; `.building/` what is becoming one; `.lock` is locked (flock(2))
//! by the process that builds and by the programs it started, so that the files of a killed build are removed
//! only when nobody writes to them any more; `.scratch` tells where the build works; `build.log` is the log of the
//! last build.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::{Image, ImageError, SUBJECT};
use crate::sys::atomic;
use crate::sys::progress::Progress;

/// Where a build works.
pub(super) struct Room<'a> {
    /// Empty directory, on the disk where the image will be; its content becomes the image.
    pub(super) image: &'a Path,
    /// Where the log goes.
    pub(super) log: &'a Path,
    /// Where the build notes what else must be removed if it is killed.
    pub(super) note: &'a Path,
    /// Held by whoever builds. Programs that write to the image inherit it.
    pub(super) lock: &'a File,
}

/// The image named `key`, if it is there.
pub(super) fn find(images: &Path, key: &str) -> Option<Image> {
    Image::at(&images.join(key), key)
}

/// The image named `key`, or the one that `build` makes. Of all processes only one builds at a time.
pub(super) fn obtain(
    images: &Path,
    key: &str,
    progress: &dyn Progress,
    build: impl FnOnce(&Room<'_>) -> Result<(), ImageError>,
) -> Result<Image, ImageError> {
    if let Some(image) = find(images, key) {
        return Ok(image);
    }
    fs::create_dir_all(images).map_err(ImageError::file("create", images))?;
    let lock = lock(&images.join(".lock"), progress)?;
    // Another process may have built it while we waited.
    if let Some(image) = find(images, key) {
        return Ok(image);
    }
    let building = images.join(".building");
    remove_all(&building)?;
    fs::create_dir(&building).map_err(ImageError::file("create", &building))?;
    let result = build(&Room {
        image: &building,
        log: &images.join("build.log"),
        note: &images.join(".scratch"),
        lock: &lock,
    })
    .and_then(|()| publish(&building, images, key));
    if result.is_err() {
        // The next call removes it too; the disk may be full now.
        let _ = fs::remove_dir_all(&building);
    }
    result
}

/// Makes `building` the image named `key`.
fn publish(building: &Path, images: &Path, key: &str) -> Result<Image, ImageError> {
    if Image::at(building, key).is_none() {
        return Err(ImageError::Incomplete {
            path: building.to_owned(),
        });
    }
    // A name that survives a power cut must not outlive its content.
    sync(building).map_err(ImageError::file("write", building))?;
    let path = images.join(key);
    // Only an incomplete one can be there: `find` did not see it.
    remove_all(&path)?;
    fs::rename(building, &path).map_err(ImageError::file("create", &path))?;
    atomic::sync_directory(images).map_err(ImageError::file("write", images))?;
    Image::at(&path, key).ok_or(ImageError::Incomplete { path })
}

fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

fn remove_all(path: &Path) -> Result<(), ImageError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ImageError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Takes the lock, waiting for whoever has it and saying who that is.
fn lock(path: &Path, progress: &dyn Progress) -> Result<File, ImageError> {
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(ImageError::file("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            progress.doing(
                SUBJECT,
                &format!(
                    "waiting for another lvslab (process {}), which is building the image",
                    owner.trim()
                ),
            );
            file.lock().map_err(ImageError::file("lock", path))?;
        }
        Err(TryLockError::Error(error)) => return Err(ImageError::file("lock", path)(error)),
    }
    // Only for the message above.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}
#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
