//! Saved IPVS rules: of the two places that people save them in, the one whose file counts at boot.
//!
//! Debian's and RHEL's own ipvsadm services each read one of them. Here a person may follow instructions for
//! the other system, so what was saved last is what was meant. What is in the older file is out of date; put
//! together, the two would bring back services that were deleted before saving.

use std::fs;
use std::time::SystemTime;

use super::root::Root;
use crate::ipvs::Desired;
use crate::ipvsadm::parse_desired;

/// Where Debian's and RHEL's own ipvsadm services keep saved rules.
const PATHS: [&str; 2] = ["/etc/ipvsadm.rules", "/etc/sysconfig/ipvsadm"];

/// The file that boot reads: the one written last.
pub(in crate::agent) fn in_force(root: &Root) -> Option<&'static str> {
    let written = |path: &&str| -> Option<SystemTime> {
        fs::metadata(root.join(path))
            .and_then(|found| found.modified())
            .ok()
    };
    PATHS
        .into_iter()
        .filter(|path| written(path).is_some())
        // Of two of the same age the first.
        .reduce(|first, second| {
            if written(&second) > written(&first) {
                second
            } else {
                first
            }
        })
}

/// The file that boot reads instead of the one at `path` with this content, if it says something else.
pub(in crate::agent) fn read_instead(
    root: &Root,
    path: &str,
    content: &[u8],
) -> Option<&'static str> {
    if !PATHS.contains(&path) {
        return None;
    }
    let other = in_force(root).filter(|other| *other != path)?;
    let found = fs::read(root.join(other)).unwrap_or_default();
    (!same_table(content, &found)).then_some(other)
}

/// Whether both describe the same table, in whatever order.
fn same_table(one: &[u8], other: &[u8]) -> bool {
    one == other || matches!((table(one), table(other)), (Some(one), Some(other)) if one == other)
}

fn table(content: &[u8]) -> Option<Vec<Desired>> {
    let mut table = parse_desired(std::str::from_utf8(content).ok()?).ok()?;
    table.sort_by_key(|one| one.service.key);
    for one in &mut table {
        one.destinations.sort_by_key(crate::ipvs::Destination::key);
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DEBIAN: &str = PATHS[0];
    const RHEL: &str = PATHS[1];
    const RULES: &str = "-A -t 192.168.4.15:80 -s wrr\n\
        -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n\
        -a -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 1\n";

    /// Files with their ages in seconds.
    fn root(files: &[(&str, &str, u64)]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for (path, text, age) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(written).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn boot_reads_the_file_that_was_written_last() {
        for (files, read) in [
            (&[][..], None),
            (&[(RHEL, "", 9)], Some(RHEL)),
            (&[(DEBIAN, "", 9)], Some(DEBIAN)),
            (&[(DEBIAN, "", 2), (RHEL, "", 1)], Some(RHEL)),
            (&[(DEBIAN, "", 1), (RHEL, "", 2)], Some(DEBIAN)),
            (&[(DEBIAN, "", 1), (RHEL, "", 1)], Some(DEBIAN)),
        ] {
            assert_eq!(in_force(&root(files).1), read, "{files:?}");
        }
    }

    #[test]
    fn a_newer_file_matters_when_it_says_something_else() {
        let instead = |newer: &str, path| {
            let (_directory, root) = root(&[(DEBIAN, RULES, 2), (RHEL, newer, 1)]);
            read_instead(&root, path, RULES.as_bytes())
        };
        let lines: Vec<&str> = RULES.lines().collect();
        let reordered = format!("# saved\n{}\n{}\n{}\n", lines[0], lines[2], lines[1]);
        assert_eq!(instead(&reordered, DEBIAN), None);
        for newer in ["", lines[0], "-A -t nonsense"] {
            assert_eq!(instead(newer, DEBIAN), Some(RHEL), "{newer}");
            assert_eq!(instead(newer, RHEL), None);
            assert_eq!(instead(newer, "/etc/hosts"), None);
        }
    }
}
