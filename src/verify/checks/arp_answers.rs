//! ARP ownership: who answers the client's own ARP requests for the VIP. Exactly the director may.

use std::collections::BTreeMap;

use super::{Draft, Judged, Path, path as wire};
use crate::agent::protocol::Captured;
use crate::model::{InterfaceName, Lab};
use crate::packet::{Content, Mac, Operation};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::journey::{frames, owner};
use crate::verify::view::{Gap, Seen, View};

/// Name of the check.
pub(super) fn id(lab: &Lab) -> CheckId {
    CheckId::new(&lab.client().name, subject(lab))
}

fn subject(lab: &Lab) -> Subject {
    Subject::ArpAnswers(lab.vip().into())
}

/// How a host claimed the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It answered.
    Answered,
    /// It only put the VIP as the sender into a request of its own, which others learn from as well.
    Announced,
}

/// Nothing where the client's interface is not known; its evidence says why.
pub(super) fn check(view: View<'_>, path: &Path) -> Option<Finding> {
    let lab = view.lab();
    let client = &lab.client().name;
    let director = &lab.director().name;
    let interface = view.interface(client, lab.clients_network())?;
    let wanted = view.mac(director, lab.clients_network()).and_then(|mac| {
        mac.parse::<Mac>()
            .map_err(|error| Gap::untold(director, error.to_string()))
    });
    let claims = claims(view, interface);
    let stranger = match (&claims, &wanted) {
        (Ok(claims), Ok(wanted)) => claims
            .keys()
            .filter(|mac| *mac != wanted)
            .find_map(|mac| owner(view.evidence(), *mac)),
        _ => None,
    };
    let judged = claims.and_then(|claims| {
        let wanted = wanted.as_ref().map_err(Clone::clone)?;
        let answered = claims.get(wanted) == Some(&Claim::Answered);
        let words = claims.iter().map(|(mac, claim)| {
            let how = match claim {
                Claim::Answered => "",
                Claim::Announced => ", as the sender of requests",
            };
            format!("{}{how}", named(view, *mac))
        });
        Ok(Judged::new(
            answered && claims.len() == 1,
            describe::joined(words, "nobody answered"),
        ))
    });
    let draft = Draft::new(
        client,
        subject(lab),
        format!("only {director} answers ARP for the VIP"),
    )
    .expected(match &wanted {
        Ok(mac) => format!("{mac} ({director}) alone"),
        Err(_) => format!("the MAC of {director} alone"),
    })
    .why(lab.profile().words.arp_why)
    .needs(path.from(stranger.unwrap_or(director)));
    Some(if view.evidence().marked().is_some() {
        draft.judged(judged)
    } else {
        draft.skipped(wire::NOT_CAPTURED)
    })
}

/// Who claimed the VIP towards the client, and how.
fn claims(view: View<'_>, interface: &InterfaceName) -> Seen<BTreeMap<Mac, Claim>> {
    let lab = view.lab();
    let client = &lab.client().name;
    let captured: &Captured = view.captured(client)?;
    if let Some(reason) = &captured.arp_failure {
        return Err(Gap::untold(
            client,
            format!("no ARP request could be sent: {reason}"),
        ));
    }
    let mut claims = BTreeMap::new();
    for (at, outgoing, _, frame) in frames(captured) {
        let Content::Arp(arp) = frame.content else {
            continue;
        };
        if outgoing || at != interface || arp.sender != lab.vip() {
            continue;
        }
        let claim = match arp.operation {
            Operation::Reply => Claim::Answered,
            _ => Claim::Announced,
        };
        let known = claims.entry(arp.sender_mac).or_insert(claim);
        if claim == Claim::Answered {
            *known = claim;
        }
    }
    Ok(claims)
}

fn named(view: View<'_>, mac: Mac) -> String {
    match owner(view.evidence(), mac) {
        Some(host) => format!("{mac} ({host})"),
        None => format!("{mac} (no host of this lab)"),
    }
}
