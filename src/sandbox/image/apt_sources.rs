//! Where the packages come from: the machine's own Debian mirrors where it has some, so that local
//! mirrors, pinned snapshots and proxies work here as they do for the machine itself.
//!
//! In: the texts of `/etc/apt` (sources.list(5), both formats). Out: one text in the deb822 format with the
//! entries for one Debian release.

use std::path::Path;

const DEFAULT_MAIN: &str = "http://deb.debian.org/debian";
const DEFAULT_SECURITY: &str = "http://deb.debian.org/debian-security";
/// Debian's own keys, in the package debian-archive-keyring.
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One `deb` entry of an apt source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// `Signed-By:` and `Trusted:` as they stand there, folded lines included.
    trust: Vec<String>,
}

/// The Debian sources for `suite`, deb822 format, made from the texts of a machine's `*.list` and `*.sources`.
/// A machine of another Debian release lends its mirrors; one with no Debian mirror gets deb.debian.org.
pub(super) fn for_suite(suite: &str, lists: &[String], stanzas: &[String]) -> String {
    let machine: Vec<Source> = lists
        .iter()
        .flat_map(|text| one_line_sources(text))
        .chain(stanzas.iter().flat_map(|text| deb822_sources(text)))
        .filter_map(debian)
        .collect();
    let own: Vec<Source> = machine
        .iter()
        .filter_map(|source| {
            let suites: Vec<String> = source
                .suites
                .iter()
                .filter(|name| is_of(name, suite))
                .cloned()
                .collect();
            (!suites.is_empty()).then(|| Source {
                suites,
                ..source.clone()
            })
        })
        .collect();
    let chosen = if own
        .iter()
        .any(|source| source.suites.iter().any(|s| s == suite))
    {
        own
    } else {
        vec![
            lent(
                &machine,
                false,
                DEFAULT_MAIN,
                &[suite, &format!("{suite}-updates")],
            ),
            lent(
                &machine,
                true,
                DEFAULT_SECURITY,
                &[&format!("{suite}-security")],
            ),
        ]
    };
    chosen
        .iter()
        .map(Source::to_deb822)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The sources of a mirror named by hand: it need only have the release itself.
pub(super) fn of_mirror(suite: &str, uri: &str) -> String {
    Source {
        uris: vec![uri.to_owned()],
        suites: vec![suite.to_owned()],
        components: vec!["main".to_owned()],
        trust: debian_key(),
    }
    .to_deb822()
}

/// The texts of the machine's sources: `(*.list, *.sources)`. What cannot be read is left out; apt could not
/// read it either.
pub(super) fn read(etc_apt: &Path) -> (Vec<String>, Vec<String>) {
    let mut paths: Vec<_> = std::fs::read_dir(etc_apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.insert(0, etc_apt.join("sources.list"));
    let texts = |extension: &str| {
        paths
            .iter()
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .collect()
    };
    (texts("list"), texts("sources"))
}

/// The options of `apt-config dump` that say how to reach a mirror, as an apt.conf(5) text.
pub(super) fn transport_options(apt_config_dump: &str) -> String {
    const WANTED: [&str; 10] = [
        "http",
        "https",
        "ftp",
        "tor",
        "Retries",
        "ForceIPv4",
        "ForceIPv6",
        "Check-Valid-Until",
        "Check-Date",
        "Max-FutureTime",
    ];
    apt_config_dump
        .lines()
        .filter(|line| {
            line.strip_prefix("Acquire::").is_some_and(|rest| {
                let name = rest.split([':', ' ']).next().unwrap_or_default();
                WANTED
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(name))
            })
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Keeps an entry that is a Debian archive with `main`, with those of its URIs that apt can use unattended.
fn debian(source: Source) -> Option<Source> {
    if !source.components.iter().any(|name| name == "main") {
        return None;
    }
    let uris: Vec<String> = source
        .uris
        .iter()
        .filter(|uri| !uri.starts_with("cdrom:") && archive_name(uri).starts_with("debian"))
        .cloned()
        .collect();
    (!uris.is_empty()).then(|| Source {
        uris,
        components: vec!["main".to_owned()],
        ..source
    })
}

/// Last part of the path: `debian`, `debian-security`. Repositories that are not Debian's call their release
/// `bookworm` too, and this is what tells them apart without asking the network.
fn archive_name(uri: &str) -> &str {
    uri.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

fn is_of(name: &str, suite: &str) -> bool {
    name.strip_prefix(suite)
        .is_some_and(|rest| matches!(rest, "" | "-updates" | "-security"))
}

/// The first mirror that the machine has for another release, or the default, with `suites`.
fn lent(machine: &[Source], security: bool, default: &str, suites: &[&str]) -> Source {
    let found = machine
        .iter()
        .flat_map(|source| &source.uris)
        .find(|uri| archive_name(uri).contains("security") == security);
    Source {
        uris: vec![found.cloned().unwrap_or_else(|| default.to_owned())],
        suites: suites.iter().map(|&name| name.to_owned()).collect(),
        components: vec!["main".to_owned()],
        trust: debian_key(),
    }
}

fn debian_key() -> Vec<String> {
    vec![format!("Signed-By: {KEYRING}")]
}

impl Source {
    fn to_deb822(&self) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n",
            self.uris.join(" "),
            self.suites.join(" "),
            self.components.join(" ")
        );
        for line in &self.trust {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// `deb [ option=value ] uri suite component...`, one a line.
fn one_line_sources(text: &str) -> Vec<Source> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next().unwrap_or_default().trim();
            let rest = line.strip_prefix("deb")?;
            let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
            let (options, rest) = match rest.strip_prefix('[') {
                Some(bracket) => bracket.split_once(']')?,
                None => ("", rest),
            };
            let mut words = rest.split_whitespace().map(str::to_owned);
            let trust = options
                .split_whitespace()
                .filter_map(|option| option.split_once('='))
                .filter_map(|(name, value)| match name {
                    "signed-by" => Some(format!("Signed-By: {}", value.replace(',', " "))),
                    "trusted" => Some(format!("Trusted: {value}")),
                    _ => None,
                })
                .collect();
            Some(Source {
                uris: vec![words.next()?],
                suites: vec![words.next()?],
                components: words.collect(),
                trust,
            })
        })
        .collect()
}

/// Stanzas of `Field: value`, continued by indented lines, separated by blank ones; `#` lines are comments
/// wherever they stand.
fn deb822_sources(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<String> = Vec::new();
    // The blank line at the end closes the last stanza.
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .chain([""])
    {
        if line.trim().is_empty() {
            sources.extend(deb822_source(&fields));
            fields.clear();
        } else if !line.starts_with([' ', '\t']) {
            fields.push(line.to_owned());
        } else if let Some(field) = fields.last_mut() {
            field.push('\n');
            field.push_str(line);
        }
    }
    sources
}

fn deb822_source(fields: &[String]) -> Option<Source> {
    let named = |wanted: &str| {
        fields.iter().find(|field| {
            field
                .split_once(':')
                .is_some_and(|(name, _)| name.eq_ignore_ascii_case(wanted))
        })
    };
    let words = |wanted: &str| -> Vec<String> {
        named(wanted)
            .and_then(|field| field.split_once(':'))
            .map(|(_, value)| value.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let disabled = words("Enabled").first().is_some_and(|value| {
        ["no", "false", "without", "off", "disable"].contains(&value.to_lowercase().as_str())
    });
    if disabled || !words("Types").iter().any(|name| name == "deb") {
        return None;
    }
    Some(Source {
        uris: words("URIs"),
        suites: words("Suites"),
        components: words("Components"),
        trust: ["Signed-By", "Trusted"]
            .iter()
            .filter_map(|name| named(name).cloned())
            .collect(),
    })
}

#[cfg(test)]
#[path = "apt_sources_tests.rs"]
mod tests;
