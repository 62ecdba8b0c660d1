//! Path proof: the frames of the marked requests, seen on every host they passed.

use std::collections::HashSet;

use super::{Draft, Judged, Path, arp_answers, requests};
use crate::model::{HostName, Lab, RealServer};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::journey::{End, Journey, Leg, journeys};
use crate::verify::proof::{self, Way};
use crate::verify::view::{Seen, View};

/// Checks of what was seen on the wire, which explain what the client and the director saw in the end: who
/// answers ARP, whom the client believed, and the ways of request and reply.
pub(super) fn on_the_wire(lab: &Lab) -> [CheckId; 4] {
    let client = &lab.client().name;
    [
        arp_answers::id(lab),
        CheckId::new(client, Subject::Neighbour(lab.vip().into())),
        request_id(client),
        reply_id(client),
    ]
}

fn request_id(client: &HostName) -> CheckId {
    CheckId::new(client, Subject::RequestPath)
}

fn reply_id(client: &HostName) -> CheckId {
    CheckId::new(client, Subject::ReplyPath)
}

/// Why nothing is said of the wires where nothing was captured by intent.
pub(super) const NOT_CAPTURED: &str = "this evidence was collected without captures";

pub(super) fn check(view: View<'_>, path: &Path) -> Vec<Finding> {
    let journeys = journeys(view.evidence());
    let servers = view.lab().real_servers().iter();
    let by_server = servers
        .filter(|server| server.weight > 0)
        .map(|server| by(view, &journeys, server, path));
    [request(view, &journeys, path), reply(view, &journeys, path)]
        .into_iter()
        .chain(by_server)
        .collect()
}

/// Whether this real server was seen to get requests and to answer them, each on the way of the mode.
fn by(view: View<'_>, journeys: &[Journey], server: &RealServer, path: &Path) -> Finding {
    let lab = view.lab();
    let client = &lab.client().name;
    let host = &server.host;
    let meant_for_it = |journey: &&Journey| match &journey.request.end {
        End::Lost { toward } | End::Unwatched { toward } => toward == host,
        _ => journey.request.hosts().last() == Some(host),
    };
    let request = |journey| proof::request(lab, journey);
    let draft = Draft::new(
        client,
        Subject::PathBy(host.clone()),
        format!("{host} is seen to get requests and to answer them"),
    )
    .expected("the way of a request to it, and of its reply")
    .why("Every real server has a way of its own there and back, and each can be wrong by itself.")
    .needs([request_id(client), reply_id(client)])
    .needs(path.from(host));
    let own: Vec<&Journey> = journeys.iter().filter(meant_for_it).collect();
    let elsewhere = !journeys.is_empty()
        && own.is_empty()
        && journeys.iter().all(|journey| request(journey).as_promised);
    if elsewhere && view.captured(client).is_ok() {
        return draft.skipped(format!(
            "none of the {} that were captured went there",
            describe::counted(journeys.len(), "request")
        ));
    }
    let ways: Vec<_> = own
        .into_iter()
        .flat_map(|journey| {
            [
                (&journey.request, request(journey)),
                (&journey.reply, proof::reply(view.evidence(), journey)),
            ]
        })
        .collect();
    end(view, draft, &ways, "no request was seen to go there")
}

fn request(view: View<'_>, journeys: &[Journey], path: &Path) -> Finding {
    let lab = view.lab();
    let client = &lab.client().name;
    let ways: Vec<_> = journeys
        .iter()
        .map(|journey| (&journey.request, proof::request(lab, journey)))
        .collect();
    let mut needs = path.from(suspect(lab, &ways));
    needs.extend(on_the_wire(lab)[..2].iter().cloned());
    let draft = Draft::new(
        client,
        Subject::RequestPath,
        "requests go by the director to a real server",
    )
    .expected(lab.profile().words.request_way)
    .why(lab.profile().words.request_why)
    .needs(needs);
    end(view, draft, &ways, "no frame of a request was seen")
}

fn reply(view: View<'_>, journeys: &[Journey], path: &Path) -> Finding {
    let lab = view.lab();
    let client = &lab.client().name;
    let ways: Vec<_> = journeys
        .iter()
        .map(|journey| (&journey.reply, proof::reply(view.evidence(), journey)))
        .collect();
    let silent = journeys
        .iter()
        .find(|journey| journey.reply.stops.is_empty())
        .and_then(|journey| journey.request.hosts().last());
    let mut needs = path.from(silent.unwrap_or_else(|| suspect(lab, &ways)));
    needs.extend(on_the_wire(lab)[..3].iter().cloned());
    let draft = Draft::new(
        client,
        Subject::ReplyPath,
        lab.profile().words.reply_summary,
    )
    .expected(lab.profile().words.reply_way)
    .why(lab.profile().words.reply_why)
    .needs(needs);
    end(view, draft, &ways, "no frame of a request was seen")
}

/// The draft with what was seen, or left out where nothing was captured by intent.
fn end(view: View<'_>, draft: Draft, ways: &[(&Leg, Way)], nothing: &str) -> Finding {
    if view.evidence().marked().is_none() {
        return draft.skipped(NOT_CAPTURED);
    }
    match view.fetched() {
        Ok(_) => draft.judged(judged(view, ways, nothing)),
        // The client could send no request at all: that is what keeps the ways from being seen.
        Err(gap) => draft
            .needs([requests::answered_id(view.lab())])
            .judged(Err(gap)),
    }
}

/// The first way that is not as promised, else all of them; `nothing` where there is none.
fn judged(view: View<'_>, ways: &[(&Leg, Way)], nothing: &str) -> Seen<Judged> {
    view.captured(&view.lab().client().name)?;
    let Some((leg, way)) = ways.iter().find(|(_, way)| !way.as_promised) else {
        let mut words: Vec<&str> = ways.iter().map(|(_, way)| way.words.as_str()).collect();
        let mut known = HashSet::new();
        words.retain(|way| known.insert(*way));
        return Ok(if words.is_empty() {
            Judged::new(false, nothing)
        } else {
            Judged::new(true, words.join(", "))
        });
    };
    // What was captured on the other hosts tells nothing about one that is missing.
    if let End::Unwatched { toward } | End::Lost { toward } = &leg.end {
        view.captured(toward)?;
    }
    if let Some(last) = leg.hosts().last() {
        view.captured(last)?;
    }
    Ok(Judged::new(false, way.words.clone()))
}

/// The host at which a way ended that is not as promised; else the director.
fn suspect<'a>(lab: &'a Lab, ways: &[(&'a Leg, Way)]) -> &'a HostName {
    let astray = ways.iter().find(|(_, way)| !way.as_promised);
    let host = astray.and_then(|(leg, _)| match &leg.end {
        End::Lost { toward } | End::Unwatched { toward } => Some(toward),
        _ => leg.hosts().last(),
    });
    host.unwrap_or(&lab.director().name)
}
