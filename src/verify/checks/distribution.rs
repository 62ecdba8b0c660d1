//! The shares of the real servers are those of the scheduler, and what skews them where they are not: connections
//! that were kept alive, that the director remembers, that others made, a service that is persistent.

use super::requests::seen;
use super::traffic::{Connection, Traffic};
use super::{Draft, Judged, director};
use crate::model::Lab;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::level::{self, Loads};
use crate::verify::probes;
use crate::verify::schedule::{self, Law};
use crate::verify::view::{Gap, Seen, View};

pub(super) fn check(
    view: View<'_>,
    traffic: Option<&Traffic<'_>>,
    law: &Law,
    needs: Vec<CheckId>,
) -> Finding {
    let lab = view.lab();
    let weights = probes::weights(lab);
    // These took turns in between: the client's own are not in a row then.
    let others = other_connections(view, traffic);
    let aside = |connection| traffic.map_or(0, |t| t.with(connection));
    let (kept, again) = (aside(Connection::Kept), aside(Connection::Again));
    // What those did to the loads is not known.
    let loads = loads(view).filter(|_| others == 0 && kept + again == 0);
    let judged = complete(view, traffic).map(|traffic| {
        let counts = traffic.map_or_else(|| vec![0; weights.len()], |t| t.turns.clone());
        let any = counts.iter().any(|count| *count > 0);
        let mut text = each(lab, counts.iter().map(u32::to_string));
        for aside in asides(kept, again, others) {
            text += &format!(", {aside}");
        }
        let allowed = law.allows(&weights, &counts, (loads.as_ref(), others));
        if !allowed
            && lab.service().persistence.is_none()
            && let Some(seconds) = persistence_in_force(view)
        {
            text += &format!(", the service being persistent for {seconds} s");
        }
        Judged::new(any && allowed, text)
    });
    Draft::new(
        &lab.client().name,
        Subject::Distribution,
        format!(
            "the answers are spread as {} spreads them",
            match lab.service().persistence {
                Some(_) => format!("{} with persistence", lab.service().scheduler),
                None => lab.service().scheduler.to_string(),
            }
        ),
    )
    .expected(shares(
        lab,
        law,
        (view.requests().saturating_sub(u32::try_from(kept + again).unwrap_or(u32::MAX)), others),
        loads.as_ref(),
    ))
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
        Law::Nobody => "New connections go to real servers with a weight above 0 only.",
    })
    .needs(needs)
    .judged(judged)
}

/// What keeps the counts of all requests from being the scheduler's shares, where they are not.
pub(super) fn skew(view: View<'_>, traffic: &Traffic<'_>) -> Vec<String> {
    let lab = view.lab();
    let weights = probes::weights(lab);
    let law = schedule::law(lab.service(), &weights);
    if law.allows(&weights, &traffic.counts, (loads(view).as_ref(), 0)) {
        return Vec::new();
    }
    asides(
        traffic.with(Connection::Kept),
        traffic.with(Connection::Again),
        other_connections(view, Some(traffic)),
    )
}

/// The connections for which the scheduler was not asked, and those that took turns in between.
fn asides(kept: usize, again: usize, others: u32) -> Vec<String> {
    let mut words = Vec::new();
    if kept > 0 {
        words.push(format!(
            "without {kept} on connections that were kept alive"
        ));
    }
    if again > 0 {
        words.push(format!(
            "without {again} from ports that the director may remember"
        ));
    }
    if others > 0 {
        let others = describe::counted(others as usize, "other connection");
        words.push(format!("beside {others}"));
    }
    words
}

/// `web1 50, web2 50`.
fn shares(lab: &Lab, law: &Law, (requests, others): (u32, u32), loads: Option<&Loads>) -> String {
    let weights = probes::weights(lab);
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
                each(lab, levels.counts.iter().map(u32::to_string)),
                levels.tolerance,
                level::CONFIDENCE
            ),
            None => format!("{requests} from real servers with a weight above 0"),
        },
        Law::Cycle(_) | Law::Chance => {
            let bounds = law.bounds_beside(&weights, requests, others);
            let shown = each(
                lab,
                bounds.iter().map(|(least, most)| {
                    if least == most {
                        least.to_string()
                    } else {
                        format!("{least} to {most}")
                    }
                }),
            );
            match law {
                Law::Chance => format!("{shown} ({} confidence)", level::CONFIDENCE),
                _ => shown,
            }
        }
    }
}

/// The real servers' shares in the lab's order.
fn each(lab: &Lab, shares: impl Iterator<Item = String>) -> String {
    let hosts = lab.real_servers().iter().map(|server| &server.host);
    crate::verify::shares(hosts.zip(shares)).join(", ")
}

/// What the director remembered of each real server before and after.
fn loads(view: View<'_>) -> Option<Loads> {
    let lab = view.lab();
    let director = &lab.director().name;
    let of = |found: &crate::agent::protocol::HostEvidence, load: fn(u64, u64) -> u64| {
        let table = found.ipvs.as_ref()?.as_ref().ok()?;
        let ours = table
            .iter()
            .find(|status| director::is_ours(view, status))?;
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
        .find(|status| director::is_ours(view, status))?;
    ours.service.persistence
}

/// The traffic, where all of the requests were sent.
fn complete<'t, 'a>(
    view: View<'_>,
    traffic: Option<&'t Traffic<'a>>,
) -> Seen<Option<&'t Traffic<'a>>> {
    let sent = traffic.map_or(0, |traffic| traffic.responses.len());
    let missing = (view.requests() as usize).saturating_sub(sent);
    if traffic.is_some() && missing > 0 {
        let words = format!("{missing} of {} requests were not sent", view.requests());
        return Err(Gap::untold(&view.lab().client().name, words));
    }
    seen(view, traffic)
}

/// Connections the director counted meanwhile beside those it must have counted for the client's requests.
fn other_connections(view: View<'_>, traffic: Option<&Traffic<'_>>) -> u32 {
    let (Ok(counted), Some(traffic)) = (director::counted(view), traffic) else {
        return 0;
    };
    let others = counted.saturating_sub(traffic.with(Connection::New) as u64);
    u32::try_from(others).unwrap_or(u32::MAX)
}
