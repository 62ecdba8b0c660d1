//! Names of kernel settings and where they live below `/proc/sys`.
//!
//! sysctl(8) writes them with dots or with slashes; whichever comes first in a name is the separator and
//! the other one stands for itself, swapped: `net.ipv4.conf.eth0/1.arp_ignore` and
//! `net/ipv4/conf/eth0.1/arp_ignore` are one setting of the interface `eth0.1` (procps
//! `slashdot`, systemd `sysctl_normalize`).

use std::path::PathBuf;

/// The name's components as they are spelt below `/proc/sys`; `None` when it cannot be a setting's name.
#[must_use]
pub fn components(key: &str) -> Option<Vec<String>> {
    let separator = key.chars().find(|c| matches!(c, '.' | '/'))?;
    let path: String = match separator {
        '/' => key.to_owned(),
        _ => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
    };
    let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    let sound = |part: &String| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    parts.iter().all(sound).then_some(parts)
}

/// Path below `/proc/sys`.
#[must_use]
pub fn path(key: &str) -> Option<PathBuf> {
    Some(components(key)?.iter().collect())
}

/// One spelling per setting: dots between components, a slash for a dot inside one.
#[must_use]
pub fn canonical(key: &str) -> Option<String> {
    let parts: Vec<String> = components(key)?
        .iter()
        .map(|part| part.replace('.', "/"))
        .collect();
    Some(parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dots_and_slashes_name_the_same_setting() {
        let expected = Some(PathBuf::from("net/ipv4/conf/eth0.1/arp_ignore"));
        assert_eq!(path("net.ipv4.conf.eth0/1.arp_ignore"), expected);
        assert_eq!(path("net/ipv4/conf/eth0.1/arp_ignore"), expected);
        assert_eq!(
            canonical("net/ipv4/conf/eth0.1/arp_ignore").as_deref(),
            Some("net.ipv4.conf.eth0/1.arp_ignore")
        );
    }

    #[test]
    fn a_name_cannot_leave_proc_sys() {
        for key in [
            "",
            "net",
            "..",
            "net/../../etc/passwd",
            ".net",
            "a..b",
            "/etc/passwd",
            "a.b\n",
        ] {
            assert_eq!(path(key), None, "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn canonical_names_are_their_own_canonical_form(key in "[a-z0-9/._-]{1,40}") {
            if let Some(once) = canonical(&key) {
                prop_assert_eq!(canonical(&once), Some(once.clone()));
                prop_assert_eq!(path(&once), path(&key));
            }
        }
    }
}
