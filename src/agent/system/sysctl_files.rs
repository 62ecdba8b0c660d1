//! What the files that are read at boot say of kernel settings, in the order in which they are applied.
//!
//! In: a root directory. Out: every setting with the file that makes it, in the order of
//! `sysctl --system` (sysctl(8)): all `*.conf` of the drop-in directories sorted by file name, where a file
//! hides files of the same name in later directories, and `/etc/sysctl.conf` last. systemd-sysctl reads
//! the same drop-ins in the same order (sysctl.d(5)); distributions that use it link `99-sysctl.conf` to
//! `/etc/sysctl.conf`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::sysctl_key;

/// Drop-in directories, the first that has a file name wins.
const DIRECTORIES: [&str; 5] = [
    "etc/sysctl.d",
    "run/sysctl.d",
    "usr/local/lib/sysctl.d",
    "usr/lib/sysctl.d",
    "lib/sysctl.d",
];

/// One line of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted name as [`sysctl_key::canonical`] spells it; may hold the wild cards `*` and `?`.
    pub key: String,
    /// Value without surrounding white space; `None` takes the setting out of what a wild card sets
    /// (a line `-net.ipv4.conf.all.rp_filter`).
    pub value: Option<String>,
    /// The line begins with `-`: that it cannot be set is no failure.
    pub optional: bool,
    /// Absolute path of the file as a person would name it.
    pub file: String,
}

/// Every setting in order of application: of two that name the same key, the later one counts.
///
/// Files and lines that cannot be read are left out, as the boot's own readers do.
#[must_use]
pub fn settings(root: &Path) -> Vec<Setting> {
    let mut by_name: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for directory in DIRECTORIES {
        let Ok(entries) = fs::read_dir(root.join(directory)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if Path::new(&name).extension().is_some_and(|e| e == "conf") {
                by_name
                    .entry(name.clone())
                    .or_insert_with(|| Path::new(directory).join(name));
            }
        }
    }
    by_name
        .into_values()
        .chain([PathBuf::from("etc/sysctl.conf")])
        .filter_map(|file| {
            let content = fs::read(root.join(&file)).ok()?;
            let name = Path::new("/").join(&file).display().to_string();
            Some(parse(&String::from_utf8_lossy(&content), &name))
        })
        .flatten()
        .collect()
}

/// The line that a boot sets `key` by in the end, `None` when no file does.
///
/// It may name another variable that comes to the same: `net.ipv4.conf.all.forwarding` is `net.ipv4.ip_forward`,
/// and either sets the forwarding of every interface (`net/ipv4/devinet.c`, `inet_forward_change`). A setting that
/// a line names itself is left alone by wild cards, as in systemd-sysctl.
#[must_use]
pub fn deciding<'a>(settings: &'a [Setting], key: &str) -> Option<&'a Setting> {
    let wanted = sysctl_key::canonical(key)?;
    let mut names = vec![wanted.as_str()];
    if FORWARDING.contains(&wanted.as_str()) || is_interface_forwarding(&wanted) {
        names.extend(FORWARDING.iter().filter(|name| **name != wanted));
    }
    let named = |name: &str| settings.iter().any(|setting| setting.key == name);
    settings.iter().rev().find(|setting| {
        setting.value.is_some()
            && names
                .iter()
                .any(|name| setting.key == *name || (matches(&setting.key, name) && !named(name)))
    })
}

/// Two names of one variable.
const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"];

fn is_interface_forwarding(key: &str) -> bool {
    key.strip_prefix("net.ipv4.conf.")
        .and_then(|rest| rest.strip_suffix(".forwarding"))
        .is_some_and(|interface| !interface.contains('.') && interface != "default")
}

/// Writes every setting to `root`'s `/proc/sys`, as a boot does; what could not be written is returned.
///
/// A setting that this kernel does not have is no error when its line begins with `-` or a wild card
/// made it.
#[must_use]
pub fn apply(root: &Path) -> Vec<(Setting, io::Error)> {
    let settings = settings(root);
    let base = root.join("proc/sys");
    let mut failures = Vec::new();
    for setting in &settings {
        let Some(value) = &setting.value else {
            continue;
        };
        if !is_glob(&setting.key) {
            let Some(path) = sysctl_key::path(&setting.key) else {
                continue;
            };
            if let Err(error) = fs::write(base.join(path), format!("{value}\n"))
                && !(setting.optional && error.kind() == io::ErrorKind::NotFound)
            {
                failures.push((setting.clone(), error));
            }
            continue;
        }
        for path in expand(&base, &setting.key) {
            let key = path
                .strip_prefix(&base)
                .ok()
                .and_then(|p| sysctl_key::canonical(&format!("{}", p.display())));
            let named = |other: &Setting| Some(&other.key) == key.as_ref();
            if !settings.iter().any(named)
                && let Err(error) = fs::write(path, format!("{value}\n"))
            {
                failures.push((setting.clone(), error));
            }
        }
    }
    failures
}

fn parse(content: &str, file: &str) -> Vec<Setting> {
    content
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                return None;
            }
            // A leading dash means that a failure to set it is no failure.
            let bare = line.strip_prefix('-');
            let (key, value) = match (bare.unwrap_or(line).split_once('='), bare) {
                (Some((key, value)), _) => (key, Some(value.trim().to_owned())),
                (None, Some(key)) => (key, None),
                (None, None) => return None,
            };
            Some(Setting {
                key: sysctl_key::canonical(key.trim())?,
                value,
                optional: bare.is_some(),
                file: file.to_owned(),
            })
        })
        .collect()
}

fn is_glob(key: &str) -> bool {
    key.contains(['*', '?'])
}

/// Wild cards stay within one component, as in glob(3) on the path.
fn matches(pattern: &str, key: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), key.split('.').collect());
    is_glob(pattern)
        && patterns.len() == parts.len()
        && patterns
            .iter()
            .zip(&parts)
            .all(|(p, part)| matches_part(p.as_bytes(), part.as_bytes()))
}

fn matches_part(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|n| matches_part(rest, &text[n..])),
        (Some((b'?', rest)), Some((_, tail))) => matches_part(rest, tail),
        (Some((a, rest)), Some((b, tail))) => a == b && matches_part(rest, tail),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn expand(base: &Path, key: &str) -> Vec<PathBuf> {
    let mut found = vec![base.to_path_buf()];
    for part in sysctl_key::components(key).unwrap_or_default() {
        found = found
            .iter()
            .flat_map(|directory| {
                let mut names: Vec<PathBuf> = fs::read_dir(directory)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .filter(|entry| {
                        let name = entry.file_name();
                        matches_part(part.as_bytes(), name.as_encoded_bytes())
                    })
                    .map(|entry| entry.path())
                    .collect();
                names.sort();
                names
            })
            .collect();
    }
    found.retain(|path| path.is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    /// What a boot would set, and the file that says so.
    fn lookup<'a>(settings: &'a [Setting], key: &str) -> Option<(&'a str, &'a str)> {
        let line = deciding(settings, key)?;
        Some((line.value.as_deref()?, line.file.as_str()))
    }

    #[test]
    fn files_are_read_by_name_across_directories_and_sysctl_conf_last() {
        let root = root(&[
            (
                "usr/lib/sysctl.d/50-default.conf",
                "net.ipv4.ip_forward = 7\n",
            ),
            ("etc/sysctl.d/90-lvslab.conf", "net.ipv4.ip_forward=1\n"),
            ("usr/lib/sysctl.d/95-late.conf", "net.ipv4.ip_forward=2\n"),
            ("etc/sysctl.conf", "net.ipv4.ip_forward = 0\n"),
            ("etc/sysctl.d/README", "net.ipv4.ip_forward=9\n"),
        ]);
        let values: Vec<_> = settings(root.path())
            .into_iter()
            .map(|s| (s.value.unwrap(), s.file))
            .collect();
        assert_eq!(
            values,
            [
                ("7".into(), "/usr/lib/sysctl.d/50-default.conf".into()),
                ("1".into(), "/etc/sysctl.d/90-lvslab.conf".into()),
                ("2".into(), "/usr/lib/sysctl.d/95-late.conf".into()),
                ("0".to_owned(), "/etc/sysctl.conf".to_owned()),
            ]
        );
        assert_eq!(
            lookup(&settings(root.path()), "net/ipv4/ip_forward"),
            Some(("0", "/etc/sysctl.conf"))
        );
    }

    #[test]
    fn a_file_in_etc_hides_its_namesake_in_usr_lib() {
        let root = root(&[
            ("usr/lib/sysctl.d/50-a.conf", "net.ipv4.ip_forward=1\n"),
            ("etc/sysctl.d/50-a.conf", "# nothing\n"),
        ]);
        assert_eq!(settings(root.path()), []);
    }

    #[test]
    fn comments_dashes_and_spelling_are_understood() {
        let text = "# c\n; c\n\n-net/ipv4/conf/eth0.1/rp_filter = 0  \n-net.ipv4.conf.all.rp_filter\nnonsense\nkernel.core_pattern=|/bin/x %p=%u\n";
        let found: Vec<_> = parse(text, "f")
            .into_iter()
            .map(|s| (s.key, s.value))
            .collect();
        assert_eq!(
            found,
            [
                ("net.ipv4.conf.eth0/1.rp_filter".into(), Some("0".into())),
                ("net.ipv4.conf.all.rp_filter".into(), None),
                (
                    "kernel.core_pattern".to_owned(),
                    Some("|/bin/x %p=%u".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn a_named_setting_beats_a_later_wild_card_and_an_excluded_one_is_left_alone() {
        let settings = parse(
            "net.ipv4.conf.lo.rp_filter=0\nnet.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n",
            "f",
        );
        assert_eq!(
            lookup(&settings, "net.ipv4.conf.lo.rp_filter"),
            Some(("0", "f"))
        );
        assert_eq!(
            lookup(&settings, "net.ipv4.conf.eth0.rp_filter"),
            Some(("2", "f"))
        );
        assert_eq!(lookup(&settings, "net.ipv4.conf.all.rp_filter"), None);
        assert_eq!(lookup(&settings, "net.ipv4.conf.eth0.other"), None);
    }

    #[test]
    fn forwarding_of_all_interfaces_has_two_names_and_sets_each_of_them() {
        let last = |text: &str, key: &str| {
            let settings = parse(text, "f");
            let line = deciding(&settings, key)?;
            Some((line.key.clone(), line.value.clone()?))
        };
        let found = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        let (short, long) = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding");
        let inner = "net.ipv4.conf.eth1.forwarding";
        let undone = format!("{short}=1\n{long}=0\n");
        for key in [short, long, inner] {
            assert_eq!(last(&undone, key), found(long, "0"));
        }
        // In the other order nothing is undone.
        assert_eq!(
            last(&format!("{long}=0\n{short}=1\n"), short),
            found(short, "1")
        );
        assert_eq!(
            last(&format!("{inner}=0\n{short}=1\n"), inner),
            found(short, "1")
        );
        assert_eq!(
            last(&format!("{short}=1\n{inner}=0\n"), inner),
            found(inner, "0")
        );
        assert_eq!(
            last(&format!("{short}=1\n{inner}=0\n"), short),
            found(short, "1")
        );
        let every = "net.ipv4.conf.*.forwarding";
        assert_eq!(
            last(&format!("{short}=1\n{every}=0\n"), short),
            found(every, "0")
        );
        let new = "net.ipv4.conf.default.forwarding";
        assert_eq!(last(&format!("{short}=1\n"), new), None);
    }

    #[test]
    fn applying_writes_the_last_value_and_reports_what_the_kernel_lacks() {
        let root = root(&[
            ("proc/sys/net/ipv4/ip_forward", "0\n"),
            ("proc/sys/net/ipv4/conf/all/rp_filter", "0\n"),
            ("proc/sys/net/ipv4/conf/eth0/rp_filter", "0\n"),
            (
                "etc/sysctl.d/1.conf",
                "net.ipv4.ip_forward=0\nnet.none.such=1\n-net.none.other=1\n",
            ),
            (
                "etc/sysctl.d/2.conf",
                "net.ipv4.ip_forward=1\nnet.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n",
            ),
        ]);
        let failures = apply(root.path());
        let keys: Vec<_> = failures.iter().map(|(s, _)| s.key.as_str()).collect();
        assert_eq!(keys, ["net.none.such"]);
        let read = |p: &str| fs::read_to_string(root.path().join("proc/sys").join(p)).unwrap();
        assert_eq!(read("net/ipv4/ip_forward"), "1\n");
        assert_eq!(read("net/ipv4/conf/eth0/rp_filter"), "2\n");
        assert_eq!(read("net/ipv4/conf/all/rp_filter"), "0\n");
    }
}
