//! Derived files in the cache that belong to one version of the binary: first root file systems, base states.
//!
//! Every version makes its own, a few hundred megabytes together, so old ones are removed.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How many entries are kept besides the newest.
const KEPT: usize = 3;

/// An entry that was used this recently may be about to be read.
const IN_USE: Duration = Duration::from_secs(15 * 60);

/// Marks an entry as used now.
pub fn touch(path: &Path) {
    if let Ok(file) = File::open(path) {
        let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
    }
}

/// Removes the least recently used entries of `directory`, including hidden files that killed writers left.
pub fn prune(directory: &Path) {
    let now = SystemTime::now();
    let mut entries: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    entries.sort_by(|a, b| b.cmp(a));
    for (used, path) in superfluous(entries, now) {
        let _ = used;
        let _ = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
    }
}

/// Of `entries`, last used first, those that go.
fn superfluous(
    entries: Vec<(SystemTime, PathBuf)>,
    now: SystemTime,
) -> impl Iterator<Item = (SystemTime, PathBuf)> {
    entries
        .into_iter()
        .enumerate()
        .filter_map(move |(rank, (used, path))| {
            let age = now.duration_since(used).unwrap_or_default();
            let leftover = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            (age > IN_USE && (leftover || rank > KEPT)).then_some((used, path))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_go_but_never_one_in_use() {
        let now = SystemTime::now();
        let minutes = |n: u64| now - Duration::from_secs(60 * n);
        let names = |ages: &[(u64, &str)]| -> Vec<String> {
            let entries = ages
                .iter()
                .map(|&(age, name)| (minutes(age), PathBuf::from(name)));
            superfluous(entries.collect(), now)
                .map(|(_, path)| path.display().to_string())
                .collect()
        };
        assert_eq!(
            names(&[
                (0, "a"),
                (20, "b"),
                (30, "c"),
                (40, "d"),
                (50, "e"),
                (60, "f")
            ]),
            ["e", "f"]
        );
        assert!(names(&[(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]).is_empty());
        assert_eq!(names(&[(1, ".making-1"), (20, ".making-2")]), [".making-2"]);
    }

    #[test]
    fn pruning_removes_files_and_directories() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let path = directory.path().join(name);
            std::fs::write(&path, "").unwrap();
            let old = SystemTime::now() - Duration::from_secs(3600);
            let times = FileTimes::new().set_modified(old);
            File::open(&path).unwrap().set_times(times).unwrap();
        }
        touch(&directory.path().join("a"));
        prune(directory.path());
        assert!(directory.path().join("a").exists());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4);
    }
}
