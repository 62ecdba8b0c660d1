//! Subordinate ids: the ranges of user and group ids that an ordinary user may map into a user namespace.
//!
//! In: `/etc/subuid` and `/etc/subgid` (subuid(5): `user:first:count`). mmdebstrap takes the first line with
//! the user's name, and so does this.

use std::fs;

use super::{Host, Missing};

/// Ids a Debian system needs, 0 to 65535.
const COUNT: u32 = 65_536;
/// Where distributions start (login.defs(5), SUB_UID_MIN).
const FIRST: u32 = 100_000;

/// The missing range, if the caller has none in either file.
pub(super) fn missing(host: &Host) -> Option<Missing> {
    let files = ["/etc/subuid", "/etc/subgid"]
        .map(|path| fs::read_to_string(host.at(path)).unwrap_or_default());
    let met = files.iter().all(|text| {
        ranges(text)
            .find(|(owner, _, _)| *owner == host.user)
            .is_some_and(|(_, _, count)| count >= COUNT)
    });
    (!met).then(|| Missing::SubordinateIds {
        user: host.user.clone(),
        first: first_free(files.iter().map(String::as_str)),
    })
}

/// The first id above every range that somebody has.
fn first_free<'a>(files: impl Iterator<Item = &'a str>) -> u32 {
    files
        .flat_map(ranges)
        .map(|(_, first, count)| first.saturating_add(count))
        .max()
        .unwrap_or(FIRST)
        .max(FIRST)
}

/// `usermod` arguments that give the caller a range, without the program's name.
pub(super) fn usermod(user: &str, first: u32) -> Vec<String> {
    let range = format!("{first}-{}", first.saturating_add(COUNT - 1));
    [
        "usermod",
        "--add-subuids",
        &range,
        "--add-subgids",
        &range,
        user,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn ranges(text: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    text.lines().filter_map(|line| {
        let mut parts = line.trim().split(':');
        Some((
            parts.next()?,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_range_starts_above_every_other() {
        assert_eq!(first_free([""].into_iter()), 100_000);
        assert_eq!(
            first_free(
                [
                    "a:100000:65536\nbad line\nb:165536:65536\n",
                    "a:100000:65536\n"
                ]
                .into_iter()
            ),
            231_072
        );
    }

    #[test]
    fn the_range_has_as_many_ids_as_debian_needs() {
        assert_eq!(
            usermod("ann", 100_000).join(" "),
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_file_gives_a_range_that_overlaps_none(text in "([a-z]{1,3}:[0-9]{1,9}:[0-9]{1,6}\n|\\PC{0,20}\n){0,8}") {
            let first = first_free([text.as_str()].into_iter());
            for (_, start, count) in ranges(&text) {
                proptest::prop_assert!(start.saturating_add(count) <= first);
            }
        }
    }
}
