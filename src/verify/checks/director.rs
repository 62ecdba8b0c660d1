//! What the director counted while the requests went on: all of them came by, and the answers came by (NAT)
//! or did not (DR).

use std::collections::HashSet;

use super::traffic::{Connection, Traffic};
use super::{Draft, Judged, Path, path, requests};
use crate::agent::protocol::HostEvidence;
use crate::ipvs::{Counters, Forwarding};
use crate::model::{HostName, Replies};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::view::{Seen, View, untold};

pub(super) fn check(view: View<'_>, traffic: Option<&Traffic<'_>>, path: &Path) -> Vec<Finding> {
    let lab = view.lab();
    let director = &lab.director().name;
    let mut needs = path.from(director);
    needs.extend(path::on_the_wire(lab));
    needs.push(requests::answered_id(lab));
    vec![
        connections(view, traffic, needs.clone()),
        replies(view, needs),
    ]
}

fn connections(view: View<'_>, traffic: Option<&Traffic<'_>>, needs: Vec<CheckId>) -> Finding {
    let lab = view.lab();
    let director = &lab.director().name;
    let sent = traffic.map_or(0, |t| t.responses.len());
    let new = traffic.map_or(0, |t| t.with(Connection::New) as u64);
    let judged = view.fetched().and_then(|_| {
        let counted = counted(view)?;
        let passed_by = missing_from_table(view, view.after(director)?, traffic);
        let mut text =
            describe::counted(usize::try_from(counted).unwrap_or(usize::MAX), "connection");
        if passed_by > 0 {
            text += &format!(
                "; {} not in its connection table",
                describe::counted(passed_by, "answered request")
            );
        }
        Ok(Judged::new(
            counted >= new && sent > 0 && passed_by == 0,
            text,
        ))
    });
    Draft::new(
        director,
        Subject::Connections,
        "every request passed through the director",
    )
    .expected(format!("at least {new} connections"))
    .why(
        "A request that the director did not count was not balanced: somebody else answered the client's ARP \
         for the VIP.",
    )
    .needs(needs)
    .judged(judged)
}

/// Connections the director counted meanwhile, of whomever.
pub(super) fn counted(view: View<'_>) -> Seen<u64> {
    let director = &view.lab().director().name;
    delta(view, director, |counters| counters.connections)
}

/// Answered requests whose local port the director's connection table does not have.
fn missing_from_table(
    view: View<'_>,
    after: &HostEvidence,
    traffic: Option<&Traffic<'_>>,
) -> usize {
    let (Some(table), Some(traffic)) = (&after.ipvs_connections, traffic) else {
        return 0;
    };
    let lab = view.lab();
    let ports: HashSet<u16> = table
        .iter()
        .filter(|entry| {
            *entry.service.ip() == lab.vip()
                && entry.service.port() == lab.service().port.get()
                && *entry.client.ip() == lab.cip().addr()
        })
        .map(|entry| entry.client.port())
        .collect();
    traffic
        .latest()
        .filter(|response| !ports.contains(&response.local_port))
        .count()
}

fn replies(view: View<'_>, needs: Vec<CheckId>) -> Finding {
    let lab = view.lab();
    let director = &lab.director().name;
    let packets = view
        .fetched()
        .and_then(|_| outgoing(view, director))
        .map(|packets| {
            let as_expected = match lab.profile().replies {
                Replies::ThroughDirector => packets > 0,
                Replies::PastDirector => packets == 0,
            };
            let text = describe::counted(
                usize::try_from(packets).unwrap_or(usize::MAX),
                "outgoing packet",
            );
            Judged::new(as_expected, text)
        });
    let words = &lab.profile().words;
    Draft::new(director, Subject::Replies, words.counter_summary)
        .expected(words.counter_expected)
        .why(words.counter_why)
        .needs(needs)
        .judged(packets)
}

/// Packets of answers the director passed on for this service.
///
/// The live counters are those of all services together. Under direct routing, where there must be none,
/// another service that translates would be blamed on this one, so its own are taken then, which the kernel
/// brings up to date every two seconds only.
fn outgoing(view: View<'_>, director: &HostName) -> Seen<u64> {
    let after = view.after(director)?;
    if view.lab().profile().replies_pass_director() || !translates_for_others(view, after) {
        return delta(view, director, |counters| counters.packets_out);
    }
    let own = |found: &HostEvidence| {
        let table = found.ipvs.as_ref()?.as_ref().ok()?;
        let ours = table.iter().find(|status| is_ours(view, status))?;
        Some(ours.counters.packets_out)
    };
    match (own(view.before(director)?), own(after)) {
        (Some(before), Some(after)) => Ok(after.saturating_sub(before)),
        _ => Err(untold(director, "the counters of the virtual service")),
    }
}

fn translates_for_others(view: View<'_>, found: &HostEvidence) -> bool {
    found
        .ipvs
        .iter()
        .flatten()
        .flatten()
        .filter(|status| !is_ours(view, status))
        .flat_map(|status| &status.destinations)
        .any(|status| status.destination.forwarding == Forwarding::Masquerade)
}

pub(super) fn is_ours(view: View<'_>, status: &crate::ipvs::ServiceStatus) -> bool {
    use crate::ipvs::{ServiceKey, Transport};
    let lab = view.lab();
    status.service.key
        == ServiceKey::Address {
            transport: Transport::Tcp,
            address: lab.vip().into(),
            port: lab.service().port.get(),
        }
}

fn delta(view: View<'_>, director: &HostName, counter: impl Fn(Counters) -> u64) -> Seen<u64> {
    let live = |found: &HostEvidence| {
        found
            .ipvs_totals
            .ok_or_else(|| untold(director, "live IPVS counters"))
    };
    let before = counter(live(view.before(director)?)?);
    let after = counter(live(view.after(director)?)?);
    Ok(after.saturating_sub(before))
}
