//! The kernel's own answer to where a packet of the lab would go, rather than a reading of its tables.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::target::Target;
use super::{Draft, Judged, attached};
use crate::agent::protocol::RouteEvidence;
use crate::model::{Host, InterfaceName};
use crate::requirement::{Need, Requirement};
use crate::resource::{AddressState, DefaultRoute, Observed, Resource};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::typed;
use crate::verify::view::View;

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    target
        .required
        .iter()
        .filter_map(|requirement| match &requirement.need {
            Need::Way(way) => {
                let interface = target.interfaces().get(way.network)?;
                let wanted = RouteEvidence {
                    to: way.to.into(),
                    via: way.via.map(Into::into),
                    interface: Some(interface.clone()),
                    source: None,
                    table: None,
                    local: false,
                    entry: None,
                };
                Some(route(target, requirement, &wanted))
            }
            _ => None,
        })
        .collect()
}

fn route(target: Target<'_>, requirement: &Requirement, wanted: &RouteEvidence) -> Finding {
    let (view, host, lab) = (target.view, target.host, target.lab());
    let to = wanted.to;
    let address = format!("{}{to}", describe::term(lab, to));
    let found = view.route(&host.name, to);
    let fix = found
        .as_ref()
        .map(|found| repair(target, (wanted, found)))
        .unwrap_or_default();
    let judged = found.map(|found| Judged::new(same_way(found, wanted), words(view, host, found)));
    Draft::new(
        &host.name,
        Subject::Route(to),
        match wanted.via {
            Some(via) => format!(
                "packets to {address} go through {}{via}",
                describe::term(lab, via)
            ),
            None => format!("packets to {address} go straight to it"),
        },
    )
    .expected(words(view, host, wanted))
    .why(requirement.why.clone())
    .fix(fix)
    .needs(attached::of(target))
    .judged(judged)
}

fn same_way(found: &RouteEvidence, wanted: &RouteEvidence) -> bool {
    found.via == wanted.via && found.interface == wanted.interface
}

/// What puts the way right: an address that makes others' its own is taken off the host, a rule that asks another
/// table is deleted, and otherwise the main table is mended.
fn repair(target: Target<'_>, (wanted, found): (&RouteEvidence, &RouteEvidence)) -> Vec<String> {
    if same_way(found, wanted) {
        return Vec::new();
    }
    if found.local {
        return covering(target.view, target.host, wanted.to)
            .map(attached::delete)
            .into_iter()
            .collect();
    }
    match by_rule(found) {
        Some(table) => vec![format!("ip rule del lookup {table}")],
        None => mend_table(target, wanted, found.entry.as_deref()),
    }
}

/// A route in the way is taken out of the main table, unless it is the default route and a gateway is wanted; a
/// network's own route, or the gateway, that is not there is set. One that leads the right way already is left.
fn mend_table(target: Target<'_>, wanted: &RouteEvidence, entry: Option<&str>) -> Vec<String> {
    if entry.is_some_and(|entry| leads(entry, wanted)) {
        return Vec::new();
    }
    let decides = entry.map(prefix_length);
    let Some(interface) = &wanted.interface else {
        return Vec::new();
    };
    let own = target
        .host
        .attachments
        .iter()
        .map(|attachment| IpNet::V4(attachment.address))
        .find(|address| address.contains(&wanted.to));
    match (own, entry, wanted.via) {
        (Some(own), _, _) if decides.is_none_or(|length| length < own.prefix_len()) => {
            vec![format!(
                "ip route replace {} dev {interface} proto kernel scope link src {}",
                own.trunc(),
                own.addr()
            )]
        }
        (_, Some(entry), via) if via.is_none() || prefix_length(entry) > 0 => {
            vec![format!("ip route del {entry}")]
        }
        (_, _, Some(via)) => gateway(target, interface, via),
        _ => Vec::new(),
    }
}

/// The command replaces one default route; only others of the best metric would share the traffic with it.
fn gateway(target: Target<'_>, interface: &InterfaceName, via: IpAddr) -> Vec<String> {
    let asked = Resource::DefaultRoute(DefaultRoute {
        via,
        interface: interface.clone(),
    });
    let found = match target.view.observed(target.name(), &asked.id()) {
        Ok(Observed::DefaultRoute { routes }) => routes.as_slice(),
        _ => &[],
    };
    let best = found.iter().filter(|route| route.metric == 0);
    let mut commands: Vec<String> = best
        .skip(1)
        .map(|_| "ip route del default".to_owned())
        .collect();
    commands.extend(typed::default_route(target.system(), interface, via));
    commands
}

/// Whether the main table's `192.168.4.0/24 dev eth0 metric 100` goes the wanted way.
fn leads(entry: &str, wanted: &RouteEvidence) -> bool {
    let Some(interface) = &wanted.interface else {
        return false;
    };
    let way = match wanted.via {
        Some(via) => format!("via {via} dev {interface}"),
        None => format!("dev {interface}"),
    };
    let without_metric = entry.split(" metric ").next();
    without_metric
        .and_then(|route| route.split_once(' '))
        .is_some_and(|(_, rest)| rest == way)
}

/// The table that a rule of one's own had the kernel ask: none of `local`, `main` and `default`, which it asks by
/// itself (ip-rule(8)).
fn by_rule(found: &RouteEvidence) -> Option<u32> {
    found.table.filter(|table| !matches!(table, 0 | 253..=255))
}

/// The address by which the host takes `to` for its own: that address itself, or one on `lo`, with which the kernel
/// has its whole network on the host (`fib_add_ifaddr`, net/ipv4/fib_frontend.c).
fn covering<'a>(view: View<'a>, host: &Host, to: IpAddr) -> Option<&'a AddressState> {
    let found = view.before(&host.name).ok()?;
    found.addresses.iter().find(|state| {
        let on_lo = state.interface.as_str() == "lo" && state.address.contains(&to);
        on_lo || state.address.addr() == to
    })
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

fn words(view: View<'_>, host: &Host, route: &RouteEvidence) -> String {
    if route.local {
        return match covering(view, host, route.to) {
            Some(state) => format!("stays on the host, because of {}", describe::address(state)),
            None => "stays on the host".to_owned(),
        };
    }
    let way = match (&route.interface, route.via) {
        (None, _) => match &route.entry {
            Some(entry) => format!("no way: {entry}"),
            None => "no route".to_owned(),
        },
        (Some(interface), None) => format!("dev {interface}, on the link"),
        (Some(interface), Some(via)) => format!("via {via} dev {interface}"),
    };
    match by_rule(route) {
        Some(table) => format!("{way}, by a rule (ip rule) that asks table {table}"),
        None => way,
    }
}
