//! The web server of a real server, and the client's curl.

use std::num::NonZeroU16;

use minijinja::context;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::system::DOCUMENT_ROOT;
use super::{PlanError, Step, shell};
use crate::model::{RealServer, Role};
use crate::resource::{Package, Resource, Service};

/// The port httpd listens on in every distribution.
const WEB_PORT: NonZeroU16 = NonZeroU16::new(80).expect("80 is not 0");

fn real_server(subject: Subject<'_>) -> Option<&RealServer> {
    subject.lab.real_server(subject.host.name.as_str())
}

/// The packages that the host's roles need.
pub(super) fn package(subject: Subject<'_>) -> Vec<Step> {
    let web_server = subject.host.is(Role::RealServer).then(|| {
        (
            subject.system.httpd(),
            "The real server answers requests with a web page, so it needs a web server.",
        )
    });
    let curl = Resource::Package(Package {
        name: "curl".to_owned(),
    });
    // Once it is there because of us, it stays in the plan: what leaves a plan is put back.
    let needs_curl = subject.host.is(Role::Client) && (!subject.facts.curl || subject.owns(&curl));
    let curl = needs_curl.then_some(("curl", "The client asks for pages with curl."));
    web_server
        .into_iter()
        .chain(curl)
        .map(|(name, why)| Step {
            by_hand: subject.system.install(name),
            resource: Resource::Package(Package {
                name: name.to_owned(),
            }),
            why: why.to_owned(),
        })
        .collect()
}

/// The page, and the port where it is another than 80.
pub(super) fn files(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let Some(server) = real_server(subject) else {
        return Ok(Vec::new());
    };
    let path = format!("{DOCUMENT_ROOT}/index.html");
    let mut page = subject.file(
        Rendered {
            path: path.clone(),
            template: Template::PAGE,
            context: context! { page => server.page.as_str() },
            mode: PUBLIC,
            directory: None,
        },
        "Each real server has a page of its own, so that an answer shows which of them was asked.",
    )?;
    page.by_hand = shell::lines([format!("echo {} > {path}", shell::quote(&server.page))]);
    let mut steps = vec![page];
    if let Some(path) = listen_drop_in(subject) {
        let port = subject.lab.service().port;
        steps.push(subject.file(
            Rendered {
                path,
                template: Template::LISTEN,
                context: context! { port => port.get(), document_root => DOCUMENT_ROOT },
                mode: PUBLIC,
                directory: None,
            },
            format!(
                "The virtual service is on port {port}, so the real server's web server must listen there, too."
            ),
        )?);
    }
    Ok(steps)
}

fn listen_drop_in(subject: Subject<'_>) -> Option<String> {
    (subject.lab.service().port != WEB_PORT).then(|| subject.system.httpd_drop_in().to_owned())
}

/// The web server, now and after a reboot.
pub(super) fn service(subject: Subject<'_>) -> Vec<Step> {
    if !subject.host.is(Role::RealServer) {
        return Vec::new();
    }
    let name = subject.system.httpd();
    vec![Step {
        resource: Resource::Service(Service {
            name: name.to_owned(),
            running: true,
            enabled: true,
            restart_on: listen_drop_in(subject).into_iter().collect(),
        }),
        why: "IPVS sends requests whether or not anybody answers them, so the web server must run, also after a \
              reboot."
            .to_owned(),
        by_hand: subject.system.start(name),
    }]
}
