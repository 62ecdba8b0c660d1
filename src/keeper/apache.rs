//! Apache: where its configuration tells it to listen, its page, and whether a boot starts it.

use serde::{Deserialize, Serialize};

use super::{BootFiles, Place, System, service_manager};
use crate::requirement::{HostState, Listening, Origin, Sourced, WebState};

const PAGE: &str = "/var/www/html/index.html";

/// Files in which distributions keep `Listen` lines, and directories of such files.
const FILES: [&str; 3] = [
    "/etc/apache2/ports.conf",
    "/etc/apache2/apache2.conf",
    "/etc/httpd/conf/httpd.conf",
];
const DIRECTORIES: [&str; 3] = [
    "/etc/apache2/conf-enabled",
    "/etc/apache2/sites-enabled",
    "/etc/httpd/conf.d",
];

const fn configuration(directory: &'static str) -> Place {
    Place::Files {
        directory,
        prefix: "",
        suffix: ".conf",
    }
}

pub(super) const PLACES: &[Place] = &[
    Place::File(FILES[0]),
    Place::File(FILES[1]),
    configuration(DIRECTORIES[0]),
    configuration(DIRECTORIES[1]),
    Place::File(FILES[2]),
    configuration(DIRECTORIES[2]),
    Place::File(PAGE),
];

/// The files that [`listen_lines`] reads.
pub fn places() -> impl Iterator<Item = &'static Place> {
    PLACES.iter()
}

/// A `Listen` line of Apache's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenLine {
    /// Absolute path of the file.
    pub file: String,
    /// The line without its indentation and line end, `Listen 127.0.0.1:80`.
    pub line: String,
}

/// Every line outside comments; files that are not there or cannot be read have none.
#[must_use]
pub fn listen_lines(files: &BootFiles) -> Vec<ListenLine> {
    numbered_lines(files)
        .map(|(origin, line)| ListenLine {
            file: origin.path,
            line: line.to_owned(),
        })
        .collect()
}

fn numbered_lines(files: &BootFiles) -> impl Iterator<Item = (Origin, &str)> {
    let texts = PLACES.iter().flat_map(|place| -> Vec<(&str, &str)> {
        match place {
            Place::File(path) if *path != PAGE => files
                .text(path)
                .map(|text| (*path, text))
                .into_iter()
                .collect(),
            Place::Files { directory, .. } => files
                .in_directory(directory)
                .map(|(path, _, text)| (path, text))
                .collect(),
            Place::File(_) | Place::Links { .. } => Vec::new(),
        }
    });
    texts.flat_map(|(path, text)| {
        let lines = text.lines().map(str::trim).enumerate();
        lines
            .filter(|(_, line)| is_listen(line))
            .map(move |(number, line)| (Origin::line(path, number + 1), line))
    })
}

/// Directives are not case-sensitive (httpd.apache.org, "Configuration Files").
fn is_listen(line: &str) -> bool {
    line.split_whitespace()
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("listen"))
}

/// `Listen 80`, `Listen 127.0.0.1:80`, `Listen [::]:80 http`.
fn listening(line: &str) -> Option<Listening> {
    let place = line.split_whitespace().nth(1)?;
    let (address, port) = match place.rsplit_once(':') {
        Some((address, port)) => {
            let address = address.trim_matches(['[', ']']);
            let address = match address {
                "*" => None,
                address => Some(address.parse::<std::net::IpAddr>().ok()?),
            };
            (address.filter(|address| !address.is_unspecified()), port)
        }
        None => (None, place),
    };
    Some(Listening {
        address,
        port: port.parse().ok()?,
    })
}

pub(super) fn predict(files: &BootFiles, system: &System, state: &mut HostState) {
    let lines = numbered_lines(files);
    let listening =
        lines.filter_map(|(origin, line)| Some(Sourced::from(listening(line)?, origin)));
    state.web = Some(WebState {
        running: service_manager::started(files, system, system.web_server()).is_some(),
        listening: Some(listening.collect()),
        page: files
            .text(PAGE)
            .map(|text| Sourced::from(text.trim_end().to_owned(), Origin::file(PAGE))),
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keeper::BootFile;

    #[test]
    fn listen_lines_are_found_with_their_files() {
        let mut files = BootFiles::default();
        let mut write = |path: &str, text: &str| {
            let (text, written) = (text.to_owned(), Duration::ZERO);
            files.add(path, BootFile { text, written });
        };
        write(
            "/etc/apache2/ports.conf",
            "# Listen 1\nListen 127.0.0.1:80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n",
        );
        write("/etc/apache2/conf-enabled/lvslab.conf", "listen 8080\n");
        let shown: Vec<String> = listen_lines(&files)
            .iter()
            .map(|found| format!("{}: {}", found.file, found.line))
            .collect();
        assert_eq!(
            shown,
            [
                "/etc/apache2/ports.conf: Listen 127.0.0.1:80",
                "/etc/apache2/ports.conf: Listen 443",
                "/etc/apache2/conf-enabled/lvslab.conf: listen 8080"
            ]
        );
    }

    #[test]
    fn a_listen_line_names_an_address_or_means_any() {
        let any = |port| Listening {
            address: None,
            port,
        };
        for line in [
            "Listen 80",
            "Listen *:80",
            "listen 0.0.0.0:80",
            "Listen [::]:80 http",
        ] {
            assert_eq!(listening(line), Some(any(80)), "{line}");
        }
        let local = listening("Listen 127.0.0.1:80").expect("a listen line");
        assert_eq!(local.address, Some([127, 0, 0, 1].into()));
        assert_eq!(listening("Listen"), None);
    }
}
