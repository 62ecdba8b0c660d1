//! Collects the files that a boot reads.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::root::Root;
use crate::keeper::{BootFile, BootFiles, Place};

/// What is at these places. What is not there is left out; what cannot be read is noted.
pub(in crate::agent) fn collect<'p>(
    root: &Root,
    places: impl Iterator<Item = &'p Place>,
) -> BootFiles {
    let mut found = BootFiles::default();
    for place in places {
        match *place {
            Place::File(path) => file(root, path, &mut found),
            Place::Files {
                directory,
                prefix,
                suffix,
            } => {
                for name in names(root, directory, &mut found) {
                    if name.starts_with(prefix) && name.ends_with(suffix) {
                        file(root, &format!("{directory}/{name}"), &mut found);
                    }
                }
            }
            Place::Links { directory, below } => {
                for name in names(root, directory, &mut found) {
                    let path = format!("{directory}/{name}");
                    link(root, &path, &mut found);
                    if !below.is_empty() && name.ends_with(below) {
                        for name in names(root, &path, &mut found) {
                            link(root, &format!("{path}/{name}"), &mut found);
                        }
                    }
                }
            }
        }
    }
    found
}

fn names(root: &Root, directory: &str, found: &mut BootFiles) -> Vec<String> {
    match fs::read_dir(root.join(directory)) {
        Ok(entries) => {
            let mut names: Vec<String> = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            names.sort();
            names
        }
        Err(error) => {
            refuse(directory, &error, found);
            Vec::new()
        }
    }
}

fn file(root: &Root, path: &str, found: &mut BootFiles) {
    let real = root.join(path);
    match fs::read(&real) {
        Ok(content) => {
            let written = written(&real).unwrap_or_default();
            let text = String::from_utf8_lossy(&content).into_owned();
            found.add(path, BootFile { text, written });
        }
        Err(error) => refuse(path, &error, found),
    }
}

fn written(path: &Path) -> Option<Duration> {
    let written = fs::metadata(path).and_then(|found| found.modified()).ok()?;
    written.duration_since(SystemTime::UNIX_EPOCH).ok()
}

fn link(root: &Root, path: &str, found: &mut BootFiles) {
    if let Ok(target) = fs::read_link(root.join(path)) {
        found.link(path, target.display().to_string());
    }
}

fn refuse(path: &str, error: &io::Error, found: &mut BootFiles) {
    if error.kind() != io::ErrorKind::NotFound {
        found.refuse(path, error.to_string());
    }
}
