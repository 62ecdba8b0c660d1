//! os-release(5): which distribution this is.

use std::fs;

use super::command;
use super::root::Root;
use crate::resource::OsFamily;

/// The fields that lvslab uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::agent) struct OsRelease {
    /// `PRETTY_NAME`, or `NAME`.
    pub name: Option<String>,
    ids: Vec<String>,
}

impl OsRelease {
    /// Reads the file below `root`; without a file the fields are empty.
    pub(in crate::agent) fn of(root: &Root) -> Self {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| fs::read_to_string(root.join(path)).ok())
            .unwrap_or_default();
        Self::parse(&text)
    }

    /// [`Self::family`], or for an unknown distribution the family of its package manager.
    pub(in crate::agent) fn family_or_guess(&self) -> Option<OsFamily> {
        self.family().or_else(|| {
            [
                ("apt-get", OsFamily::Debian),
                ("dnf", OsFamily::Rhel),
                ("yum", OsFamily::Rhel),
            ]
            .into_iter()
            .find(|(program, _)| command::find(program).is_some())
            .map(|(_, family)| family)
        })
    }

    /// Reads the file's text.
    pub(in crate::agent) fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines().rev().find_map(|line| {
                let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
                Some(unquoted(value))
            })
        };
        Self {
            name: value("PRETTY_NAME").or_else(|| value("NAME")),
            ids: ["ID", "ID_LIKE"]
                .into_iter()
                .filter_map(value)
                .flat_map(|ids| {
                    ids.split_whitespace()
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                })
                .collect(),
        }
    }

    /// The family by `ID` and `ID_LIKE`; `None` where none of them is known.
    pub(in crate::agent) fn family(&self) -> Option<OsFamily> {
        self.ids.iter().find_map(|id| match id.as_str() {
            "debian" | "ubuntu" => Some(OsFamily::Debian),
            "rhel" | "fedora" | "centos" | "rocky" | "almalinux" | "ol" => Some(OsFamily::Rhel),
            _ => None,
        })
    }
}

/// Undoes the part of shell quoting that os-release allows.
fn unquoted(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => text.extend(characters.next()),
            // The controller prints this text of the host on a terminal.
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_by_id_or_by_what_it_is_like() {
        for (text, family, name) in [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
                Some(OsFamily::Debian),
                "Debian GNU/Linux 12 (bookworm)",
            ),
            (
                "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Some(OsFamily::Debian),
                "Linux Mint",
            ),
            (
                "NAME='Rocky Linux'\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Some(OsFamily::Rhel),
                "Rocky Linux",
            ),
            (
                "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n",
                Some(OsFamily::Rhel),
                "CentOS Linux",
            ),
            ("NAME=Alpine\nID=alpine\n", None, "Alpine"),
        ] {
            let release = OsRelease::parse(text);
            assert_eq!(release.family(), family, "{text}");
            assert_eq!(release.name.as_deref(), Some(name));
        }
        assert_eq!(OsRelease::parse(""), OsRelease::default());
    }
}
