//! What the files that are read at boot say of kernel settings, in the order in which they are applied.
//!
//! In: the collected files. Out: every setting with the line that makes it, in the order of `sysctl --system`
//! (sysctl(8)): all `*.conf` of the drop-in directories sorted by file name, where a file hides files of the same name
//! in later directories, and `/etc/sysctl.conf` last. systemd-sysctl reads the same drop-ins in the same order
//! (sysctl.d(5)); distributions that use it link `99-sysctl.conf` to `/etc/sysctl.conf`.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

use super::render::Template;
use super::target::{PUBLIC, Rendered};
use super::{BootFiles, Place, Purpose, Step, Target, WriteError, sysctl_key};
use crate::model::Setting;
use crate::requirement::{Need, Origin, SettingStates, Sourced, Unset};

/// Drop-in directories. Of files with one name in several of them only the first is read.
const DIRECTORIES: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

const LAST: &str = "/etc/sysctl.conf";

const fn drop_ins(directory: &'static str) -> Place {
    Place::Files {
        directory,
        prefix: "",
        suffix: ".conf",
    }
}

/// The files that [`settings`] reads.
pub const PLACES: &[Place] = &[
    drop_ins(DIRECTORIES[0]),
    drop_ins(DIRECTORIES[1]),
    drop_ins(DIRECTORIES[2]),
    drop_ins(DIRECTORIES[3]),
    drop_ins(DIRECTORIES[4]),
    Place::File(LAST),
];

/// One line of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingLine {
    /// Dotted name as [`sysctl_key::canonical`] spells it; may hold the wild cards `*` and `?`.
    pub key: String,
    /// Value without surrounding white space; `None` takes the setting out of what a wild card sets
    /// (a line `-net.ipv4.conf.all.rp_filter`).
    pub value: Option<String>,
    /// The line begins with `-`: it is no failure when the setting cannot be set.
    pub optional: bool,
    pub origin: Origin,
}

/// Every setting in order of application. Of two lines for one key the later one counts.
///
/// Files and lines that cannot be read are left out, as the boot's own readers do.
#[must_use]
pub fn settings(files: &BootFiles) -> Vec<SettingLine> {
    let mut by_name: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for directory in DIRECTORIES {
        for (path, name, text) in files.in_directory(directory) {
            if name.ends_with(".conf") {
                by_name.entry(name).or_insert((path, text));
            }
        }
    }
    by_name
        .into_values()
        .chain(files.text(LAST).map(|text| (LAST, text)))
        .flat_map(|(path, text)| parse(text, path))
        .collect()
}

/// What a boot sets each of `keys` to.
pub(super) fn after_boot(files: &BootFiles, keys: &[String]) -> SettingStates {
    let lines = settings(files);
    let set = |key: &String| {
        let line = deciding(&lines, key)?;
        let value = Sourced::from(line.value.clone()?, line.origin.clone());
        Some((key.clone(), value))
    };
    SettingStates {
        values: keys.iter().filter_map(set).collect(),
        others: Unset::Zero,
    }
}

/// The line that decides what `key` is after a boot; `None` when no file sets it.
///
/// The line may name another key: `net.ipv4.conf.all.forwarding` and `net.ipv4.ip_forward` are one variable, which sets
/// the forwarding of every interface (`net/ipv4/devinet.c`, `inet_forward_change`). Wild cards do not change a key that
/// some line names in full, as in systemd-sysctl.
#[must_use]
pub fn deciding<'a>(settings: &'a [SettingLine], key: &str) -> Option<&'a SettingLine> {
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

/// The settings by which the course meets the host's requirements, each key once.
pub(super) fn course_settings(target: Target<'_>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for need in target.needs() {
        let asked = match need {
            Need::HiddenVip { settings, .. } | Need::Forwarding { settings, .. } => {
                settings.settings
            }
            Need::Setting(setting) => std::slice::from_ref(setting),
            _ => &[],
        };
        for setting in asked {
            if settings.iter().all(|other| other.key != setting.key) {
                settings.push(*setting);
            }
        }
    }
    settings
}

/// Read late by `sysctl --system` and systemd-sysctl, so that the distribution's own files do not win.
const OURS: &str = "/etc/sysctl.d/90-lvslab.conf";

/// The file that sets them again at boot.
pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let settings = course_settings(target);
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let mut purposes: Vec<&str> = Vec::new();
    for need in target.needs() {
        if let Need::HiddenVip { settings, .. } | Need::Forwarding { settings, .. } = need
            && !purposes.contains(&settings.purpose)
        {
            purposes.push(settings.purpose);
        }
    }
    let settings: Vec<Value> = settings
        .iter()
        .map(|setting| context! { key => setting.key, value => setting.value })
        .collect();
    let purpose = purposes.join("; ");
    let step = target.file(
        Rendered {
            path: OURS.to_owned(),
            template: Template::SYSCTL,
            context: context! { lab => target.lab.as_str(), purpose, settings },
            mode: PUBLIC,
            directory: None,
        },
        Purpose::SettingsFile,
        "A kernel setting lives until the next boot unless a file sets it again.",
    )?;
    Ok(vec![step])
}

fn parse(content: &str, file: &str) -> Vec<SettingLine> {
    content
        .lines()
        .enumerate()
        .filter_map(|(number, line)| {
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
            Some(SettingLine {
                key: sysctl_key::canonical(key.trim())?,
                value,
                optional: bare.is_some(),
                origin: Origin::line(file, number + 1),
            })
        })
        .collect()
}

/// Whether a name stands for several settings.
#[must_use]
pub fn is_glob(key: &str) -> bool {
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

/// Whether one component of a name matches one of a pattern, with `*` and `?` as in glob(3).
#[must_use]
pub fn matches_part(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|n| matches_part(rest, &text[n..])),
        (Some((b'?', rest)), Some((_, tail))) => matches_part(rest, tail),
        (Some((a, rest)), Some((b, tail))) => a == b && matches_part(rest, tail),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keeper::BootFile;

    fn files(contents: &[(&str, &str)]) -> BootFiles {
        let mut files = BootFiles::default();
        for (path, text) in contents {
            let (text, written) = ((*text).to_owned(), Duration::ZERO);
            files.add(format!("/{path}"), BootFile { text, written });
        }
        files
    }

    /// What a boot would set, and the file that says so.
    fn lookup<'a>(settings: &'a [SettingLine], key: &str) -> Option<(&'a str, &'a str)> {
        let line = deciding(settings, key)?;
        Some((line.value.as_deref()?, line.origin.path.as_str()))
    }

    #[test]
    fn files_are_read_by_name_across_directories_and_sysctl_conf_last() {
        let files = files(&[
            (
                "usr/lib/sysctl.d/50-default.conf",
                "net.ipv4.ip_forward = 7\n",
            ),
            ("etc/sysctl.d/90-lvslab.conf", "net.ipv4.ip_forward=1\n"),
            ("usr/lib/sysctl.d/95-late.conf", "net.ipv4.ip_forward=2\n"),
            ("etc/sysctl.conf", "net.ipv4.ip_forward = 0\n"),
            ("etc/sysctl.d/README", "net.ipv4.ip_forward=9\n"),
        ]);
        let values: Vec<_> = settings(&files)
            .into_iter()
            .map(|s| (s.value.unwrap(), s.origin.path))
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
            lookup(&settings(&files), "net/ipv4/ip_forward"),
            Some(("0", "/etc/sysctl.conf"))
        );
    }

    #[test]
    fn a_file_in_etc_hides_its_namesake_in_usr_lib() {
        let files = files(&[
            ("usr/lib/sysctl.d/50-a.conf", "net.ipv4.ip_forward=1\n"),
            ("etc/sysctl.d/50-a.conf", "# nothing\n"),
        ]);
        assert_eq!(settings(&files), []);
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
}
