//! The web server of a real server: it runs, and has its page.

use super::answers::excerpt;
use super::target::Target;
use super::{Draft, Judged};
use crate::keeper::PAGE;
use crate::requirement::{Need, Requirement, WebServer};
use crate::resource::{File, FileState, Observed, Resource, Service, ServiceState};
use crate::sys::shell::quoted;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::typed;
use crate::verify::view::Seen;

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    let Some((requirement, wanted)) = wanted(target) else {
        return Vec::new();
    };
    vec![runs(target, requirement), page(target, wanted)]
}

/// What the lab needs of the host's web server, where it has one.
pub(super) fn wanted(target: Target<'_>) -> Option<(&Requirement, &WebServer)> {
    target
        .required
        .iter()
        .find_map(|requirement| match &requirement.need {
            Need::WebServer(wanted) => Some((requirement, wanted)),
            _ => None,
        })
}

/// The check whether the web server runs.
pub(super) fn service(target: Target<'_>) -> Subject {
    Subject::Service(target.system().web_server().to_owned())
}

/// The web server's service, where there is one of its name.
pub(super) fn state(target: Target<'_>) -> Seen<Option<ServiceState>> {
    let service = Resource::Service(Service {
        name: target.system().web_server().to_owned(),
        running: true,
        enabled: true,
        restart_on: Vec::new(),
    });
    let observed = target.view.observed(target.name(), &service.id())?;
    Ok(match observed {
        Observed::Service { state } => *state,
        _ => None,
    })
}

/// What keeps a service from being started by anything.
pub(super) fn unmask(target: Target<'_>) -> Option<String> {
    match state(target) {
        Ok(Some(ServiceState { masked: true, .. })) => {
            Some(format!("systemctl unmask {}", target.system().web_server()))
        }
        _ => None,
    }
}

fn runs(target: Target<'_>, requirement: &Requirement) -> Finding {
    let name = target.system().web_server();
    let state = state(target);
    let missing = matches!(state, Ok(None));
    let install = missing.then(|| target.system().install(name));
    let fix = install
        .into_iter()
        .flatten()
        .chain(unmask(target))
        .chain(typed::restart(target.system(), name));
    Draft::new(target.name(), service(target), format!("{name} runs"))
        .expected("runs")
        .why(requirement.why.clone())
        .fix(fix)
        .judged(state.map(|state| match state {
            None => Judged::new(false, "no such service"),
            Some(state) if state.running => Judged::new(true, "runs"),
            Some(_) => Judged::new(false, "does not run"),
        }))
}

fn page(target: Target<'_>, wanted: &WebServer) -> Finding {
    let name = target.name();
    let file = Resource::File(File {
        path: PAGE.to_owned(),
        content: String::new(),
        mode: 0,
    });
    let observed = target.view.observed(name, &file.id());
    let found: Seen<Option<&FileState>> = observed.map(|observed| match observed {
        Observed::File { state } => state.as_ref(),
        _ => None,
    });
    let says = |state: &FileState| {
        let content = state.content().unwrap_or_default();
        String::from_utf8_lossy(&content).trim_end().to_owned()
    };
    let mut fix = Vec::new();
    if let Ok(state) = &found {
        if state.is_none_or(|state| says(state) != wanted.page) {
            fix.push(format!("echo {} > {PAGE}", quoted(&wanted.page)));
        }
        if state.is_some_and(is_closed) {
            fix.push(format!("chmod 644 {PAGE}"));
        }
    }
    Draft::new(name, Subject::Page, format!("{name} has its page"))
        .expected(format!("`{}`", wanted.page))
        .why("Each real server has a page of its own, so that an answer shows which of them was asked.")
        .fix(fix)
        .needs([target.id(service(target))])
        .judged(found.map(|state| match state {
            None => Judged::new(false, "no page"),
            Some(state) => {
                let says = says(state);
                let mut seen = format!("`{}`", excerpt(&says));
                if is_closed(state) {
                    seen += &format!(", mode {:04o}, which lets only root read it", state.mode);
                }
                Judged::new(says == wanted.page && !is_closed(state), seen)
            }
        }))
}

/// Whether nobody but root may read it: the web server's own user may be its owner, or in its group.
fn is_closed(file: &FileState) -> bool {
    let owner = file.uid != 0 && file.mode & 0o400 != 0;
    let group = file.gid != 0 && file.mode & 0o040 != 0;
    let others = file.mode & 0o004 != 0;
    !(owner || group || others)
}
