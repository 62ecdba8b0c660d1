//! What each real server made of the requests that the director handed to it: a whole answer with status 200 and its
//! page, or something that its web server's configuration and files are to blame for.

use std::collections::BTreeMap;

use super::requests;
use super::traffic::Traffic;
use super::{Draft, Judged, Path, path};
use crate::agent::protocol::{DirectoryEvidence, Response};
use crate::model::{HostName, Lab, RealServer};
use crate::verify::describe;
use crate::verify::graph::{Finding, Lack};
use crate::verify::identity::{CheckId, Subject};
use crate::verify::view::{Gap, View};

/// Names of these checks, for what depends on every real server's answers.
pub(super) fn ids(lab: &Lab) -> Vec<CheckId> {
    let servers = lab.real_servers().iter();
    servers.map(|server| id(&server.host)).collect()
}

fn id(host: &HostName) -> CheckId {
    CheckId::new(host, Subject::Answers)
}

/// Of the real servers that said anything of themselves.
pub(super) fn check(view: View<'_>, traffic: Option<&Traffic<'_>>, path: &Path) -> Vec<Finding> {
    let servers = view.lab().real_servers().iter().enumerate();
    servers
        .filter(|(_, server)| view.before(&server.host).is_ok())
        .map(|(at, server)| {
            let answers: Vec<&Response> = traffic
                .into_iter()
                .flat_map(|traffic| traffic.answers_of(at))
                .collect();
            of(view, server, &answers, path)
        })
        .collect()
}

fn of(view: View<'_>, server: &RealServer, answers: &[&Response], path: &Path) -> Finding {
    let host = &server.host;
    let draft = Draft::new(host, Subject::Answers, format!("{host} answers with its page"))
        .expected(format!("status 200 and `{}`", server.page))
        .why(
            "It got these requests and answered them, so what is wrong with the answers is made by its web server: \
             its configuration, or files and directories that it may not read.",
        )
        .needs(path.from(host));
    let closed = closed_directories(view, host, answers);
    let fix = closed
        .iter()
        .map(|directory| format!("chmod 755 {}", directory.path));
    let draft = draft.fix(fix);
    match view.fetched() {
        Err(gap) => draft
            .needs([requests::answered_id(view.lab())])
            .judged(Err(gap)),
        Ok(_) => draft.needs(path::on_the_wire(view.lab())).judged(
            if answers.is_empty() && closed.is_empty() {
                Err(not_asked(host))
            } else {
                Ok(judged(view.lab(), answers, &closed))
            },
        ),
    }
}

/// What is wrong with the way there explains it, or the scheduler, which is no fault.
fn not_asked(host: &HostName) -> Gap {
    Gap {
        host: host.clone(),
        lack: Lack::NotAsked,
        cause: "no answer is known to come from it".to_owned(),
        hint: None,
    }
}

fn judged(lab: &Lab, answers: &[&Response], closed: &[&DirectoryEvidence]) -> Judged {
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        if let Some(words) = otherwise(lab, answer) {
            *wrong.entry(words).or_default() += 1;
        }
    }
    let total = describe::counted(answers.len(), "answer");
    let as_expected = wrong.is_empty() && closed.is_empty();
    let seen = wrong
        .into_iter()
        .map(|(words, count)| format!("{count} of {total} with {words}"));
    let doors = closed.iter().map(|directory| {
        format!(
            "{} has mode {:04o}, which lets only root in",
            directory.path, directory.mode
        )
    });
    Judged::new(as_expected, describe::joined(seen.chain(doors), &total))
}

/// What is wrong with an answer. A page of another real server is no fault of this one's: it tells who answered.
fn otherwise(lab: &Lab, answer: &Response) -> Option<String> {
    let known = |server: &RealServer| server.page.trim_end() == answer.body;
    match answer.status {
        200 if lab.real_servers().iter().any(known) => None,
        200 => Some(format!("`{}`", excerpt(&answer.body))),
        status => Some(format!("status {status}")),
    }
}

/// The directories above the page through which only root gets, where an answer complains of that (403) or there is
/// none to tell.
fn closed_directories<'a>(
    view: View<'a>,
    host: &HostName,
    answers: &[&Response],
) -> Vec<&'a DirectoryEvidence> {
    let possible = answers.is_empty() || answers.iter().any(|answer| answer.status == 403);
    let found = view.before(host).ok().filter(|_| possible);
    let directories = found.map(|found| &found.directories).into_iter().flatten();
    directories
        .filter(|directory| is_closed(directory))
        .collect()
}

/// Whether nobody but root may search it: the web server's own user may be its owner, or in its group.
fn is_closed(directory: &DirectoryEvidence) -> bool {
    let owner = directory.uid != 0 && directory.mode & 0o100 != 0;
    let group = directory.gid != 0 && directory.mode & 0o010 != 0;
    let others = directory.mode & 0o001 != 0;
    !(owner || group || others)
}

/// The first line of a body, at most 60 characters of it.
pub(super) fn excerpt(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default();
    if line.chars().count() > 60 || line.len() < body.len() {
        format!("{}…", line.chars().take(60).collect::<String>())
    } else {
        line.to_owned()
    }
}
