//! Saved IPVS rules, and who restores them at boot.
//!
//! Debian's and RHEL's own ipvsadm services each read one file. Our agent reads the newer of the two, because a person
//! may follow instructions for the other system: what was saved last is what was meant. It never puts the two
//! together, which would bring back services that were deleted before saving.

use super::{BootFiles, Place, Purpose, Step, System, Target, WriteError, service_manager};
use crate::ipvs::{Desired, Destination};
use crate::ipvsadm::{parse_desired, save_format};
use crate::requirement::{HostState, Need, Origin, Sourced, Topic, Unread};
use crate::resource::{File, IpvsService, OsFamily};

/// Where Debian's and RHEL's own ipvsadm services keep saved rules.
const PATHS: [&str; 2] = ["/etc/ipvsadm.rules", "/etc/sysconfig/ipvsadm"];

/// Says whether Debian's service restores anything.
const DEBIANS_SWITCH: &str = "/etc/default/ipvsadm";

/// The files that [`in_force`] chooses from.
pub const PLACES: &[Place] = &[
    Place::File(PATHS[0]),
    Place::File(PATHS[1]),
    Place::File(DEBIANS_SWITCH),
];

/// The file that our agent restores: the one written last, and of two of the same age the first.
#[must_use]
pub fn in_force(files: &BootFiles) -> Option<&'static str> {
    let written = |path: &str| files.get(path).map(|file| file.written);
    PATHS
        .into_iter()
        .filter(|path| files.get(path).is_some() || files.refused(path).next().is_some())
        .reduce(|first, second| {
            if written(second) > written(first) {
                second
            } else {
                first
            }
        })
}

/// Whether rules are saved at `path` on some system.
#[must_use]
pub fn are_saved_at(path: &str) -> bool {
    PATHS.contains(&path)
}

/// The file that our agent restores instead of the one at `path` with this content, if it says something else.
#[must_use]
pub fn read_instead(files: &BootFiles, path: &str, content: &str) -> Option<&'static str> {
    if !are_saved_at(path) {
        return None;
    }
    let other = in_force(files).filter(|other| *other != path)?;
    let found = files.text(other).unwrap_or_default();
    (!same_table(content, found)).then_some(other)
}

/// Whether both describe the same table, in whatever order.
fn same_table(one: &str, other: &str) -> bool {
    one == other || matches!((table(one), table(other)), (Some(one), Some(other)) if one == other)
}

fn table(text: &str) -> Option<Vec<Desired>> {
    let mut table = parse_desired(text).ok()?;
    table.sort_by_key(|one| one.service.key);
    for one in &mut table {
        one.destinations.sort_by_key(Destination::key);
    }
    Some(table)
}

/// The rules file that the distribution's own service and our agent read.
pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let rules = target.needs().filter_map(|need| match need {
        Need::VirtualService(wanted) => Some(save_format(&wanted.service, &wanted.destinations)),
        _ => None,
    });
    let content: String = rules.collect();
    if content.is_empty() {
        return Ok(Vec::new());
    }
    let file = File {
        path: target.system().saved_rules().to_owned(),
        content,
        mode: 0o600,
    };
    Ok(vec![Step::file(
        file,
        Purpose::SavedRules,
        "The kernel forgets its IPVS table at a reboot; it is read again from this file, in the format of \
         ipvsadm-save.",
    )])
}

/// What the distribution's own service restores, where it is started.
pub(super) fn predict(files: &BootFiles, system: &System, state: &mut HostState) {
    state.ipvs.get_or_insert_default();
    let switched_on = match system.family {
        OsFamily::Rhel => true,
        OsFamily::Debian => files.text(DEBIANS_SWITCH).is_some_and(|text| {
            let last = text.lines().rev();
            let mut said = last.filter_map(|line| line.trim().strip_prefix("AUTO="));
            said.next()
                .is_some_and(|word| word.trim_matches(['"', '\'']) == "true")
        }),
    };
    if switched_on && service_manager::started(files, system, "ipvsadm").is_some() {
        restore(files, system.saved_rules(), state);
    }
}

/// What our agent restores.
pub(super) fn restore_newest(files: &BootFiles, state: &mut HostState) {
    if let Some(path) = in_force(files) {
        restore(files, path, state);
    }
}

/// Adds the services of a file to the table; one that is there already becomes what the file says.
fn restore(files: &BootFiles, path: &str, state: &mut HostState) {
    let Some(text) = files.text(path) else {
        return;
    };
    let unread = |cause: String, line| Unread {
        topic: Topic::Ipvs,
        place: Origin::line(path, line),
        cause,
    };
    match parse_desired(text) {
        Err(error) => {
            let mistakes = error.mistakes.into_iter();
            let unread = mistakes.map(|mistake| unread(mistake.message, mistake.line));
            state.unread.extend(unread);
        }
        Ok(services) => {
            let table = state.ipvs.get_or_insert_default();
            for one in services {
                table.retain(|there| there.value.service.key != one.service.key);
                let service = IpvsService {
                    service: one.service,
                    destinations: one.destinations,
                };
                table.push(Sourced::from(service, Origin::file(path)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keeper::BootFile;

    const DEBIAN: &str = PATHS[0];
    const RHEL: &str = PATHS[1];
    const RULES: &str = "-A -t 192.168.4.15:80 -s wrr\n\
        -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n\
        -a -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 1\n";

    /// Files with their ages in seconds.
    fn files(found: &[(&str, &str, u64)]) -> BootFiles {
        let mut files = BootFiles::default();
        for (path, text, age) in found {
            let file = BootFile {
                text: (*text).to_owned(),
                written: Duration::from_secs(1_000_000 - age),
            };
            files.add(*path, file);
        }
        files
    }

    #[test]
    fn boot_reads_the_file_that_was_written_last() {
        for (found, read) in [
            (&[][..], None),
            (&[(RHEL, "", 9)], Some(RHEL)),
            (&[(DEBIAN, "", 9)], Some(DEBIAN)),
            (&[(DEBIAN, "", 2), (RHEL, "", 1)], Some(RHEL)),
            (&[(DEBIAN, "", 1), (RHEL, "", 2)], Some(DEBIAN)),
            (&[(DEBIAN, "", 1), (RHEL, "", 1)], Some(DEBIAN)),
        ] {
            assert_eq!(in_force(&files(found)), read, "{found:?}");
        }
    }

    #[test]
    fn a_newer_file_matters_when_it_says_something_else() {
        let instead = |newer: &str, path| {
            let found = files(&[(DEBIAN, RULES, 2), (RHEL, newer, 1)]);
            read_instead(&found, path, RULES)
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
