//! The kernel's own answer to where a packet of the lab would go, rather than a reading of its tables.

use std::net::Ipv4Addr;

use super::{Draft, Judged, attached};
use crate::agent::protocol::RouteEvidence;
use crate::model::{Host, Mode, Role};
use crate::plan::HostPlan;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::probes;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Vec<Finding> {
    probes::destinations(view.lab(), host)
        .into_iter()
        .filter_map(|(to, segment)| {
            let interface = plan.interfaces.get(&segment)?;
            let lab = view.lab();
            let through_director =
                lab.mode().replies_pass_director() && host.role == Role::RealServer;
            let wanted = RouteEvidence {
                to,
                via: through_director.then(|| lab.dip().addr()),
                interface: Some(interface.clone()),
                source: None,
                entry: None,
            };
            Some(route(view, host, plan, &wanted))
        })
        .collect()
}

fn route(view: View<'_>, host: &Host, plan: &HostPlan, wanted: &RouteEvidence) -> Finding {
    let lab = view.lab();
    let to = wanted.to;
    let target = format!("{}{to}", describe::term(lab, to));
    let expected = words(wanted);
    let judged = view.route(&host.name, to).map(|found| {
        let same = found.via == wanted.via && found.interface == wanted.interface;
        Judged::new(same, words(found))
    });
    Draft::topic(
        &host.name,
        format_args!("route to {to}"),
        match wanted.via {
            Some(via) => format!(
                "packets to {target} go through {}{via}",
                describe::term(lab, via)
            ),
            None => format!("packets to {target} go straight to it"),
        },
    )
    .expected(expected)
    .why(why(view, host, to))
    .fix(repair(view, host, wanted))
    .needs(attached::of(plan))
    .judged(judged)
}

fn why(view: View<'_>, host: &Host, to: Ipv4Addr) -> String {
    let lab = view.lab();
    match (host.role, lab.mode()) {
        (Role::Client, _) => {
            "The client must ask for the VIP on the segment the director is on.".to_owned()
        }
        (Role::Director, _) if to == lab.cip().addr() => {
            "The director sends its own answers and, under NAT, those of the real servers to the client this way."
                .to_owned()
        }
        (Role::Director, _) => {
            "The director hands requests to the real server over the segment they share.".to_owned()
        }
        (Role::RealServer, Mode::Nat) => format!(
            "Answers to the client must pass the director, or it cannot put the VIP {} back as their source and \
             connections hang.",
            lab.vip()
        ),
        (Role::RealServer, Mode::Dr) => {
            "Under direct routing the real server answers the client itself, over the segment they share."
                .to_owned()
        }
    }
}

/// What puts the way right: a route in the way is taken out of the main table, unless it is the default
/// route that the plan makes, which is judged by itself; a network's own route that is gone is set again.
fn repair(view: View<'_>, host: &Host, wanted: &RouteEvidence) -> Option<String> {
    let found = view.route(&host.name, wanted.to).ok()?;
    if found.via == wanted.via && found.interface == wanted.interface {
        return None;
    }
    let decides = found.entry.as_deref().map(prefix_length);
    let interface = wanted.interface.as_ref()?;
    let own = host
        .attachments
        .iter()
        .map(|attachment| attachment.address)
        .find(|address| address.contains(&wanted.to));
    match (own, &found.entry) {
        (Some(own), _) if decides.is_none_or(|length| length < own.prefix_len()) => Some(format!(
            "ip route replace {} dev {interface} proto kernel scope link src {}",
            own.trunc(),
            own.addr()
        )),
        (_, Some(entry)) if wanted.via.is_none() || prefix_length(entry) > 0 => {
            Some(format!("ip route del {entry}"))
        }
        _ => None,
    }
}

/// Of `blackhole 192.168.4.0/24`, `192.168.4.10 via ...`, `default via ...`.
fn prefix_length(entry: &str) -> u8 {
    entry
        .split(' ')
        .find_map(|word| {
            let net = word.parse::<ipnet::Ipv4Net>().map(|net| net.prefix_len());
            net.or_else(|_| word.parse::<Ipv4Addr>().map(|_| 32)).ok()
        })
        .filter(|_| !entry.starts_with("default "))
        .unwrap_or(0)
}

fn words(route: &RouteEvidence) -> String {
    match (&route.interface, route.via) {
        (None, _) => match &route.entry {
            Some(entry) => format!("no way: {entry}"),
            None => "no route".to_owned(),
        },
        (Some(interface), None) => format!("dev {interface}, on the link"),
        (Some(interface), Some(via)) => format!("via {via} dev {interface}"),
    }
}
