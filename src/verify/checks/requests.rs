//! What the client got: every request answered, on a connection of its own, by the right real servers in the
//! right proportion.

use std::collections::BTreeMap;

use super::answers::excerpt;
use super::traffic::{Connection, Traffic, answered};
use super::{Draft, Judged, Path, answers, distribution, path};
use crate::agent::protocol::Response;
use crate::model::{Lab, RealServer};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::probes;
use crate::verify::schedule::{self, Law};
use crate::verify::view::{Seen, View};

/// Name of the check whether all requests were answered.
pub(super) fn answered_id(lab: &Lab) -> CheckId {
    CheckId::new(&lab.client().name, Subject::RequestsAnswered)
}

/// Name of the check whether every request had a connection of its own.
fn fresh_id(lab: &Lab) -> CheckId {
    CheckId::new(&lab.client().name, Subject::FreshConnections)
}

pub(super) fn check(view: View<'_>, traffic: Option<&Traffic<'_>>, path: &Path) -> Vec<Finding> {
    let client = &view.lab().client().name;
    // Where nothing could be sent, nothing was seen on the wire or answered for that very reason.
    let first = match view.fetched() {
        Ok(_) => path::on_the_wire(view.lab())
            .into_iter()
            .chain(answers::ids(view.lab()))
            .collect(),
        Err(_) => Vec::new(),
    };
    let sent = answered_id(view.lab());
    let mut way = path.from(client);
    way.extend(first.iter().cloned());

    let mut findings = vec![
        all_answered(view, traffic, &way),
        fresh(view, traffic, std::slice::from_ref(&sent)),
        pages(view, traffic, path, &sent),
    ];
    let law = schedule::law(view.lab().service(), &probes::weights(view.lab()));
    let bounds = law.bounds(&probes::weights(view.lab()), view.requests());
    for (at, server) in view.lab().real_servers().iter().enumerate() {
        let mut needs = path.from(&server.host);
        needs.extend(first.iter().cloned());
        needs.push(sent.clone());
        needs.push(fresh_id(view.lab()));
        let place = (at, server);
        findings.push(if server.weight == 0 {
            no_page_of(view, traffic, place, needs)
        } else {
            let excuse = (bounds[at].0 == 0).then(|| not_promised(view, &law));
            page_of(view, (traffic, excuse), place, needs)
        });
    }
    let mut needs = way;
    needs.push(sent);
    needs.extend(findings.iter().map(|finding| finding.id.clone()));
    findings.push(distribution::check(view, traffic, &law, needs));
    findings
}

/// The traffic, or why there is none.
pub(super) fn seen<'t, 'a>(
    view: View<'_>,
    traffic: Option<&'t Traffic<'a>>,
) -> Seen<Option<&'t Traffic<'a>>> {
    view.fetched().map(|_| traffic)
}

fn all_answered(view: View<'_>, traffic: Option<&Traffic<'_>>, way: &[CheckId]) -> Finding {
    let lab = view.lab();
    let requests = view.requests() as usize;
    let judged = seen(view, traffic).map(|traffic| {
        let count = traffic.map_or(0, Traffic::answered);
        Judged::new(
            count == requests && count > 0,
            outcomes(traffic.map_or(&[][..], |t| t.responses), requests),
        )
    });
    let nobody = lab.real_servers().iter().all(|server| server.weight == 0);
    Draft::new(
        &lab.client().name,
        Subject::RequestsAnswered,
        format!("every request to {} is answered", lab.url()),
    )
    .expected(format!("{requests} of {requests} answered with status 200"))
    .why(if nobody {
        "Every real server has weight 0, so the director has nobody to give a new connection to."
    } else {
        "This is what the lab is for: a client that asks for the VIP gets an answer."
    })
    .needs(way.iter().cloned())
    .judged(judged)
}

/// `98 of 100 answered; 2 timed out (curl 28)`.
fn outcomes(responses: &[Response], requests: usize) -> String {
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for response in responses.iter().filter(|response| !answered(response)) {
        *failures.entry(failure(response)).or_default() += 1;
    }
    let count = responses.iter().filter(|r| answered(r)).count();
    let mut text = format!("{count} of {requests} answered with status 200");
    for (failure, count) in failures {
        text += &format!("; {count} {failure}");
    }
    if responses.len() < requests {
        text += &format!("; {} were not sent after that", requests - responses.len());
    }
    text
}

/// Exit codes of curl(1) in words.
fn failure(response: &Response) -> String {
    let words = match response.curl_exit {
        0 => return format!("answered with status {}", response.status),
        7 => "could not connect",
        28 => "timed out",
        52 => "got an empty answer",
        56 => "lost the connection",
        _ => "failed",
    };
    format!("{words} (curl {})", response.curl_exit)
}

/// A kept-alive connection stays with one real server, so counts over it prove nothing.
fn fresh(view: View<'_>, traffic: Option<&Traffic<'_>>, needs: &[CheckId]) -> Finding {
    let judged = seen(view, traffic).map(|traffic| {
        let answers = traffic.map_or(0, Traffic::answered);
        let kept = traffic.map_or(0, |t| t.with(Connection::Kept));
        let unknown = traffic.map_or(&[][..], |t| t.responses).iter();
        let unknown = unknown.filter(|r| answered(r) && r.local_port == 0).count();
        let mut text = format!(
            "{} for {}",
            describe::counted(answers.saturating_sub(kept), "connection"),
            describe::counted(answers, "answer")
        );
        if kept > 0 {
            text += &format!("; {kept} came over one that was kept alive");
        }
        if unknown > 0 {
            text += &format!("; {unknown} over one without a port");
        }
        Judged::new(answers > 0 && kept + unknown == 0, text)
    });
    Draft::new(
        &view.lab().client().name,
        Subject::FreshConnections,
        "every request has a connection of its own",
    )
    .expected("a connection of its own for every answer")
    .why(
        "IPVS chooses a real server per connection: requests on one that is kept alive all go to the same, which skews \
         the counts. Who answers does not heed the `Connection: close` of the requests.",
    )
    .needs(needs.iter().cloned())
    .judged(judged)
}

fn pages(view: View<'_>, traffic: Option<&Traffic<'_>>, path: &Path, sent: &CheckId) -> Finding {
    let lab = view.lab();
    let judged = seen(view, traffic).map(|traffic| {
        let strange = traffic.map(|t| &t.strange);
        let any = traffic.is_some_and(|t| t.answered() > 0);
        let texts = strange
            .into_iter()
            .flatten()
            .map(|(body, count)| format!("{count} answered with `{}`", excerpt(body)));
        let none = if any {
            "only those pages"
        } else {
            "no answers"
        };
        let text = describe::joined(texts, none);
        Judged::new(any && strange.is_some_and(BTreeMap::is_empty), text)
    });
    let client = &lab.client().name;
    Draft::new(
        client,
        Subject::Pages,
        "every answer is the page of one real server",
    )
    .expected(describe::joined(
        lab.real_servers()
            .iter()
            .map(|server| format!("`{}`", server.page)),
        "",
    ))
    .why("The page tells which real server answered; another text comes from a server or a site that is not this lab's.")
    .needs(path.from(client))
    .needs(answers::ids(lab))
    .needs([sent.clone()])
    .judged(judged)
}

/// Why one client need not see every real server.
fn not_promised(view: View<'_>, law: &Law) -> String {
    let service = view.lab().service();
    let scheduler = service.scheduler;
    match law {
        _ if service.persistence.is_some() => {
            "persistence keeps this client with one real server".to_owned()
        }
        Law::OneServer => format!("{scheduler} keeps this client with one real server"),
        Law::OneAtATime => {
            format!("{scheduler} gives requests that do not overlap to one real server")
        }
        _ => format!(
            "{scheduler} need not come to it within {}",
            describe::counted(view.requests() as usize, "request")
        ),
    }
}

/// `excuse`: why it may be that no answer comes from there; where one comes all the same, that is proof enough.
fn page_of(
    view: View<'_>,
    (traffic, excuse): (Option<&Traffic<'_>>, Option<String>),
    (at, server): (usize, &RealServer),
    needs: Vec<CheckId>,
) -> Finding {
    // A request that got no answer may have been its own.
    let requests = view.requests() as usize;
    let excuse = excuse.filter(|_| traffic.is_some_and(|t| t.answered() == requests));
    let seen = seen(view, traffic).map(|traffic| traffic.map_or(0, |t| t.counts[at]));
    let draft = Draft::new(
        &view.lab().client().name,
        Subject::PageOf(server.host.clone()),
        format!("{} answers with its own page", server.host),
    )
    .expected(format!("answers with `{}`", server.page))
    .why(format!(
        "{} has weight {} and must get its turn.",
        server.host, server.weight
    ))
    .needs(needs);
    match (seen, excuse) {
        (Ok(0), Some(excuse)) => draft.skipped(excuse),
        (seen, _) => draft.judged(
            seen.map(|count| Judged::new(count > 0, describe::counted(count as usize, "answer"))),
        ),
    }
}

fn no_page_of(
    view: View<'_>,
    traffic: Option<&Traffic<'_>>,
    (at, server): (usize, &RealServer),
    needs: Vec<CheckId>,
) -> Finding {
    let persistent = view.lab().service().persistence.is_some();
    let seen = seen(view, traffic).map(|traffic| traffic.map_or(0, |t| t.counts[at]));
    let draft = Draft::new(
        &view.lab().client().name,
        Subject::NoPageOf(server.host.clone()),
        format!("{} gets no new connections", server.host),
    )
    .expected("0 answers")
    .why(format!(
        "{} has weight 0: connections it has go on, new ones go elsewhere.",
        server.host
    ))
    .needs(needs);
    match seen {
        Ok(1..) if persistent => draft.skipped(
            "persistence keeps a client with its real server when that gets weight 0, too",
        ),
        seen => draft.judged(
            seen.map(|count| Judged::new(count == 0, describe::counted(count as usize, "answer"))),
        ),
    }
}
