//! Apache: where its configuration tells it to listen, its page, and whether a boot starts it.

use minijinja::context;
use serde::{Deserialize, Serialize};

use super::render::Template;
use super::target::{PUBLIC, Rendered};
use super::{BootFiles, Place, Purpose, Step, System, Target, WriteError};
use super::{programs, service_manager, shell};
use crate::requirement::{
    HostState, Listening, Need, Origin, Requirement, Sourced, WebServer, WebState,
};
use crate::resource::{Resource, Service};

/// Where Apache serves files from, on both families.
const DOCUMENT_ROOT: &str = "/var/www/html";

/// The port that Apache listens on in every distribution.
const DEFAULT_PORT: u16 = 80;

/// What Apache shows at `/`, on both families.
pub const PAGE: &str = "/var/www/html/index.html";

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

/// The web servers that are required, all of them one Apache.
fn wanted<'a>(target: Target<'a>) -> Vec<(&'a Requirement, &'a WebServer)> {
    let web = |requirement: &'a Requirement| match &requirement.need {
        Need::WebServer(web) => Some((requirement, web)),
        _ => None,
    };
    target.requirements.iter().filter_map(web).collect()
}

/// The package, the page, the ports where one is another than 80, and the service.
pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let wanted = wanted(target);
    let Some((requirement, web)) = wanted.first() else {
        return Ok(Vec::new());
    };
    let name = target.system().web_server();
    let package = programs::package(
        target,
        name,
        "The real server answers requests with a web page, so it needs a web server.",
    );
    let ports: Vec<u16> = wanted
        .iter()
        .map(|(_, web)| web.port.get())
        .filter(|port| *port != DEFAULT_PORT)
        .collect();
    let listen = (!ports.is_empty())
        .then(|| listen_file(target, &ports))
        .transpose()?;
    let service = Step {
        resource: Resource::Service(Service {
            name: name.to_owned(),
            running: true,
            enabled: true,
            restart_on: listen
                .iter()
                .map(|_| target.system().web_server_drop_in().to_owned())
                .collect(),
        }),
        purpose: Purpose::WebServer,
        why: requirement.why.clone(),
        by_hand: target.system().start(name),
    };
    let mut steps = vec![package, page(target, &web.page)?, service];
    steps.extend(listen);
    Ok(steps)
}

fn page(target: Target<'_>, page: &str) -> Result<Step, WriteError> {
    let mut step = target.file(
        Rendered {
            path: PAGE.to_owned(),
            template: Template::PAGE,
            context: context! { page },
            mode: PUBLIC,
            directory: None,
        },
        Purpose::Page,
        "Each real server has a page of its own, so that an answer shows which of them was asked.",
    )?;
    step.by_hand = vec![format!("echo {} > {PAGE}", shell::quote(page))];
    Ok(step)
}

fn listen_file(target: Target<'_>, ports: &[u16]) -> Result<Step, WriteError> {
    let shown: Vec<String> = ports.iter().map(u16::to_string).collect();
    target.file(
        Rendered {
            path: target.system().web_server_drop_in().to_owned(),
            template: Template::LISTEN,
            context: context! { ports => ports.to_vec(), document_root => DOCUMENT_ROOT },
            mode: PUBLIC,
            directory: None,
        },
        Purpose::ListenFile,
        format!(
            "The virtual service is on port {}, so the real server's web server must listen there, too.",
            shown.join(" and ")
        ),
    )
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
