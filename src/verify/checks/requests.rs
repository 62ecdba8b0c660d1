//! What the client got: every request answered, on a connection of its own, by the right real servers in the
//! right proportion.

use std::collections::{BTreeMap, HashSet};

use super::traffic::{Traffic, answered};
use super::{Draft, Judged, Path, path};
use crate::agent::protocol::Response;
use crate::model::{Lab, RealServer};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::level::{self, Loads};
use crate::verify::probes;
use crate::verify::schedule::{self, Law};
use crate::verify::verdict::CheckId;
use crate::verify::view::{Seen, View};

pub(super) fn check(view: View<'_>, traffic: Option<&Traffic<'_>>, path: &Path) -> Vec<Finding> {
    let client = &view.lab().client().name;
    let wire = path::on_the_wire(view.lab());
    let sent = CheckId::topic(client, "requests answered");
    let mut way = path.from(client);
    way.extend(wire.iter().cloned());

    let mut findings = vec![
        all_answered(view, traffic, &way),
        fresh(view, traffic, std::slice::from_ref(&sent)),
        pages(view, traffic, path, &sent),
    ];
    let law = schedule::law(view.lab().service(), &probes::weights(view.lab()));
    let bounds = law.bounds(&probes::weights(view.lab()), view.requests());
    for (at, server) in view.lab().real_servers().iter().enumerate() {
        let mut needs = path.from(&server.host);
        needs.extend(wire.iter().cloned());
        needs.push(sent.clone());
        if bounds[at].0 > 0 {
            findings.push(page_of(view, traffic, (at, server), needs));
        } else if server.weight == 0 && view.lab().service().persistence.is_none() {
            findings.push(no_page_of(view, traffic, (at, server), needs));
        }
    }
    let mut needs = way;
    needs.push(sent);
    needs.extend(findings.iter().map(|finding| finding.id.clone()));
    findings.push(distribution(view, traffic, &law, needs));
    findings
}

/// The traffic, or why there is none.
fn seen<'t, 'a>(view: View<'_>, traffic: Option<&'t Traffic<'a>>) -> Seen<Option<&'t Traffic<'a>>> {
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
    Draft::topic(
        &lab.client().name,
        "requests answered",
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
        let ports: Vec<u16> = traffic
            .map_or(&[][..], |t| t.responses)
            .iter()
            .filter(|response| answered(response))
            .map(|response| response.local_port)
            .collect();
        let distinct: HashSet<u16> = ports.iter().copied().collect();
        Judged::new(
            !ports.is_empty() && distinct.len() == ports.len() && !distinct.contains(&0),
            format!(
                "{} for {}",
                describe::counted(distinct.len(), "local port"),
                describe::counted(ports.len(), "answer")
            ),
        )
    });
    Draft::topic(
        &view.lab().client().name,
        "fresh connections",
        "every request has a connection of its own",
    )
    .expected("a different local port for every answer")
    .why("IPVS chooses a real server per connection: requests that share one say nothing about the scheduler.")
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
    Draft::topic(
        client,
        "pages",
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
    .needs([sent.clone()])
    .judged(judged)
}

/// The first line of a body, at most 60 characters of it.
fn excerpt(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default();
    if line.chars().count() > 60 || line.len() < body.len() {
        format!("{}…", line.chars().take(60).collect::<String>())
    } else {
        line.to_owned()
    }
}

fn page_of(
    view: View<'_>,
    traffic: Option<&Traffic<'_>>,
    (at, server): (usize, &RealServer),
    needs: Vec<CheckId>,
) -> Finding {
    let judged = seen(view, traffic).map(|traffic| {
        let count = traffic.map_or(0, |t| t.counts[at]);
        Judged::new(count > 0, describe::counted(count as usize, "answer"))
    });
    Draft::topic(
        &view.lab().client().name,
        format_args!("page of {}", server.host),
        format!("{} answers with its own page", server.host),
    )
    .expected(format!("answers with `{}`", server.page))
    .why(format!(
        "{} has weight {} and must get its turn.",
        server.host, server.weight
    ))
    .needs(needs)
    .judged(judged)
}

fn no_page_of(
    view: View<'_>,
    traffic: Option<&Traffic<'_>>,
    (at, server): (usize, &RealServer),
    needs: Vec<CheckId>,
) -> Finding {
    let judged = seen(view, traffic).map(|traffic| {
        let count = traffic.map_or(0, |t| t.counts[at]);
        Judged::new(count == 0, describe::counted(count as usize, "answer"))
    });
    Draft::topic(
        &view.lab().client().name,
        format_args!("no page of {}", server.host),
        format!("{} gets no new connections", server.host),
    )
    .expected("0 answers")
    .why(format!(
        "{} has weight 0: connections it has go on, new ones go elsewhere.",
        server.host
    ))
    .needs(needs)
    .judged(judged)
}

fn distribution(
    view: View<'_>,
    traffic: Option<&Traffic<'_>>,
    law: &Law,
    needs: Vec<CheckId>,
) -> Finding {
    let lab = view.lab();
    let weights = probes::weights(lab);
    let others = other_connections(view, traffic);
    // Connections of others took their turns in between: the client's own are no longer in a row.
    let law = match law {
        Law::Cycle(_) if others > 0 => &Law::Any,
        law => law,
    };
    // What others did to the loads is not known.
    let loads = loads(view).filter(|_| others == 0);
    let judged = seen(view, traffic).map(|traffic| {
        let counts = traffic.map_or_else(|| vec![0; weights.len()], |t| t.counts.clone());
        let any = counts.iter().any(|count| *count > 0);
        let words = |(server, count): (&RealServer, &u32)| format!("{} {count}", server.host);
        let mut text = describe::joined(lab.real_servers().iter().zip(&counts).map(words), "");
        if others > 0 {
            text += &format!(
                ", beside {} of others",
                describe::counted(others as usize, "connection")
            );
        }
        let allowed = law.allows(&weights, &counts, loads.as_ref());
        if !allowed
            && lab.service().persistence.is_none()
            && let Some(seconds) = persistence_in_force(view)
        {
            text += &format!(", the service being persistent for {seconds} s");
        }
        Judged::new(any && allowed, text)
    });
    Draft::topic(
        &lab.client().name,
        "distribution",
        format!(
            "the answers are spread as {} spreads them",
            match lab.service().persistence {
                Some(_) => format!("{} with persistence", lab.service().scheduler),
                None => lab.service().scheduler.to_string(),
            }
        ),
    )
    .expected(shares(lab, law, view.requests(), loads.as_ref()))
    .why(match law {
        Law::Cycle(_) => {
            "This scheduler deals connections out in turn by weight; over whole turns the counts are exact."
        }
        Law::OneServer => "This way of scheduling keeps one client with one real server.",
        Law::OneAtATime => {
            "This scheduler looks at open connections; requests that do not overlap find none and all go the same way."
        }
        Law::Level(_) => {
            "This scheduler fills up whoever has fewest connections for its weight, those remembered from before \
             included."
        }
        Law::Chance => "This scheduler draws lots by weight.",
        Law::Any | Law::Nobody => "New connections go to real servers with a weight above 0 only.",
    })
    .needs(needs)
    .judged(judged)
}

/// `web1 50, web2 50`.
fn shares(lab: &Lab, law: &Law, requests: u32, loads: Option<&Loads>) -> String {
    let weights = probes::weights(lab);
    let each = |counts: &mut dyn Iterator<Item = String>| {
        let servers = lab.real_servers().iter();
        describe::joined(
            servers
                .zip(counts)
                .map(|(server, count)| format!("{} {count}", server.host)),
            "",
        )
    };
    match law {
        Law::OneServer => format!("all {requests} from one real server"),
        Law::OneAtATime => format!(
            "{requests} from one real server, or {} fewer ({} confidence)",
            level::overlaps(requests),
            level::CONFIDENCE
        ),
        Law::Nobody => "none".to_owned(),
        Law::Level(_) => match law.levels(requests, loads) {
            Some(levels) => format!(
                "{}, each within {} ({} confidence)",
                each(&mut levels.counts.iter().map(u32::to_string)),
                levels.tolerance,
                level::CONFIDENCE
            ),
            None => format!("{requests} from real servers with a weight above 0"),
        },
        Law::Any => format!("{requests} from real servers with a weight above 0"),
        Law::Cycle(_) | Law::Chance => {
            let bounds = law.bounds(&weights, requests);
            let shown = each(&mut bounds.iter().map(|(least, most)| {
                if least == most {
                    least.to_string()
                } else {
                    format!("{least} to {most}")
                }
            }));
            match law {
                Law::Chance => format!("{shown} ({} confidence)", level::CONFIDENCE),
                _ => shown,
            }
        }
    }
}

/// What the director remembered of each real server before and after.
fn loads(view: View<'_>) -> Option<Loads> {
    let lab = view.lab();
    let director = &lab.director().name;
    let of = |found: &crate::agent::protocol::HostEvidence, load: fn(u64, u64) -> u64| {
        let table = found.ipvs.as_ref()?.as_ref().ok()?;
        let ours = table
            .iter()
            .find(|status| super::director::is_ours(view, status))?;
        let servers = lab.real_servers().iter();
        let loads = servers.map(|server| {
            let status = ours
                .destinations
                .iter()
                .find(|status| status.destination.address == server.address());
            status.map_or(0, |s| load(s.active.into(), s.inactive.into()))
        });
        Some(loads.collect::<Vec<u64>>())
    };
    Some(Loads {
        before: of(view.before(director).ok()?, |active, inactive| {
            active * 256 + inactive
        })?,
        after: of(view.after(director).ok()?, |active, inactive| {
            active + inactive
        })?,
    })
}

/// Seconds for which the service that is in the table keeps a client with its real server.
fn persistence_in_force(view: View<'_>) -> Option<std::num::NonZeroU32> {
    let found = view.before(&view.lab().director().name).ok()?;
    let table = found.ipvs.as_ref()?.as_ref().ok()?;
    let ours = table
        .iter()
        .find(|status| super::director::is_ours(view, status))?;
    ours.service.persistence
}

/// Connections the director counted meanwhile that were not the client's requests.
fn other_connections(view: View<'_>, traffic: Option<&Traffic<'_>>) -> u64 {
    let director = &view.lab().director().name;
    let totals = |found: Seen<&crate::agent::protocol::HostEvidence>| found.ok()?.ipvs_totals;
    let (Some(before), Some(after), Some(traffic)) = (
        totals(view.before(director)),
        totals(view.after(director)),
        traffic,
    ) else {
        return 0;
    };
    after
        .connections
        .saturating_sub(before.connections)
        .saturating_sub(traffic.responses.len() as u64)
}
