//! The kernel's own answer to where a packet of the lab would go, rather than a reading of its tables.

use std::net::Ipv4Addr;

use super::{Draft, Judged, attached};
use crate::agent::protocol::RouteEvidence;
use crate::model::{Host, Role};
use crate::plan::HostPlan;
use crate::resource::AddressState;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::probes;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Vec<Finding> {
    probes::destinations(view.lab(), host)
        .into_iter()
        .filter_map(|(to, network)| {
            let interface = plan.interfaces.get(&network)?;
            let lab = view.lab();
            let through_director =
                lab.profile().replies_pass_director() && host.is(Role::RealServer);
            let wanted = RouteEvidence {
                to,
                via: through_director.then(|| lab.dip().addr()),
                interface: Some(interface.clone()),
                source: None,
                table: None,
                local: false,
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
    let found = view.route(&host.name, to);
    let fix = found
        .as_ref()
        .ok()
        .and_then(|found| repair(view, host, (wanted, found)));
    let judged = found.map(|found| Judged::new(same_way(found, wanted), words(view, host, found)));
    Draft::new(
        &host.name,
        Subject::Route(to.into()),
        match wanted.via {
            Some(via) => format!(
                "packets to {target} go through {}{via}",
                describe::term(lab, via)
            ),
            None => format!("packets to {target} go straight to it"),
        },
    )
    .expected(words(view, host, wanted))
    .why(why(view, host, to))
    .fix(fix)
    .needs(attached::of(plan))
    .judged(judged)
}

fn why(view: View<'_>, host: &Host, to: Ipv4Addr) -> String {
    let lab = view.lab();
    if host.is(Role::Director) && to == lab.cip().addr() {
        "The director sends its own answers and, under NAT, those of the real servers to the client this way."
    } else if host.is(Role::Director) {
        "The director hands requests to the real server over the segment they share."
    } else if host.is(Role::RealServer) {
        lab.profile().words.client_route_why
    } else {
        "The client must ask for the VIP on the segment the director is on."
    }
    .to_owned()
}

fn same_way(found: &RouteEvidence, wanted: &RouteEvidence) -> bool {
    found.via == wanted.via && found.interface == wanted.interface
}

/// What puts the way right: an address that makes others' its own is taken off the host, a rule that asks another
/// table is deleted, and otherwise the main table is mended.
fn repair(
    view: View<'_>,
    host: &Host,
    (wanted, found): (&RouteEvidence, &RouteEvidence),
) -> Option<String> {
    if same_way(found, wanted) {
        return None;
    }
    if found.local {
        return covering(view, host, wanted.to).map(attached::delete);
    }
    match by_rule(found) {
        Some(table) => Some(format!("ip rule del lookup {table}")),
        None => mend_table(host, wanted, found.entry.as_deref()),
    }
}

/// A route in the way is taken out of the main table, unless it is the default route that the plan makes, which is
/// judged by itself; a network's own route that is gone is set again. One that leads the right way already is left.
fn mend_table(host: &Host, wanted: &RouteEvidence, entry: Option<&str>) -> Option<String> {
    if entry.is_some_and(|entry| leads(entry, wanted)) {
        return None;
    }
    let decides = entry.map(prefix_length);
    let interface = wanted.interface.as_ref()?;
    let own = host
        .attachments
        .iter()
        .map(|attachment| attachment.address)
        .find(|address| address.contains(&wanted.to));
    match (own, entry) {
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
fn covering<'a>(view: View<'a>, host: &Host, to: Ipv4Addr) -> Option<&'a AddressState> {
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
