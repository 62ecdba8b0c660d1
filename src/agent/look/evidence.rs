//! Collects what the checks need to know of a host. Nothing is changed.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use super::directories;
use super::facts::mac;
use super::ipvs_traffic;
use super::packet_filter;
use super::sockets;
use crate::agent::change::machine::Machine;
use crate::agent::protocol::error::{because, host};
use crate::agent::protocol::{
    AgentError, Collect, ConnectionEntry, FirewallEvidence, HostEvidence, LinkEvidence, Listener,
    Neighbour, RouteEvidence,
};
use crate::agent::resource::{Local, ipvs};
use crate::agent::system::boot_files;
use crate::agent::system::root::Root;
use crate::ipvs::Counters;
use crate::keeper;
use crate::netlink::route::most_specific;

/// Collects everything that the request asks for.
pub(in crate::agent) fn collect(
    machine: &mut Local,
    request: &Collect,
) -> Result<HostEvidence, AgentError> {
    let observed = request
        .resources
        .iter()
        .map(|resource| machine.observe(resource))
        .collect();
    let ipvs = request.ipvs.then(|| {
        machine
            .ipvs()
            .and_then(|client| client.table().map_err(ipvs::asked))
            .map_err(|error| error.to_string())
    });
    let root = machine.root().clone();
    let network = machine.network()?;
    let names = network.names()?;
    let asked = |error| host("cannot ask the kernel for its network", error);
    let links = network
        .socket()
        .links()
        .map_err(asked)?
        .into_iter()
        .filter_map(|link| {
            Some(LinkEvidence {
                name: link.name.parse().ok()?,
                mac: mac(&link.mac),
                up: link.up,
                carrier: link.carrier,
                no_arp: link.no_arp,
            })
        })
        .collect();
    let addresses = network.addresses()?;
    let is_here = |source: &IpAddr| {
        addresses
            .iter()
            .any(|state| state.address.addr() == *source)
    };
    let source = request.routes_from.filter(is_here);
    let table = network.socket().routes().map_err(asked)?;
    let routes = request
        .routes_to
        .iter()
        .map(|&to| {
            let answer = network.socket().route_to(to, source)?;
            Ok(RouteEvidence {
                to,
                via: answer.as_ref().and_then(|a| a.via),
                interface: answer.as_ref().and_then(|a| names.get(&a.index).cloned()),
                source: answer.as_ref().and_then(|a| a.source),
                table: answer.as_ref().map(|a| a.table),
                local: answer.as_ref().is_some_and(|a| a.local),
                entry: most_specific(&table, to)
                    .map(|entry| entry.words(|index| names.get(&index).map(|name| name.as_str()))),
            })
        })
        .collect::<Result<_, _>>()
        .map_err(asked)?;
    let neighbours = network
        .socket()
        .neighbours()
        .map_err(asked)?
        .into_iter()
        // The kernel itself adds an entry for each multicast group of the host.
        .filter(|entry| !entry.address.is_multicast())
        .filter_map(|entry| {
            Some(Neighbour {
                address: entry.address,
                interface: names.get(&entry.index)?.clone(),
                mac: (!entry.mac.is_empty()).then(|| mac(&entry.mac)),
                state: entry.state,
            })
        })
        .collect();
    Ok(HostEvidence {
        observed,
        addresses,
        links,
        boot_files: request
            .boot_files
            .then(|| boot_files::collect(&root, keeper::places())),
        routes,
        listeners: listeners(&root)?,
        neighbours,
        ipvs,
        ipvs_totals: request.ipvs.then(|| totals(&root)).flatten(),
        ipvs_connections: request
            .ipvs_connections_of
            .and_then(|client| connections(&root, client)),
        firewall: if request.firewall {
            packet_filter::rules(&root)
        } else {
            FirewallEvidence::default()
        },
        directories: match &request.directories_above {
            Some(file) => directories::above(&root, file),
            None => Vec::new(),
        },
    })
}

/// `None` while the IPVS module is not loaded: the file comes with it.
fn totals(root: &Root) -> Option<Counters> {
    ipvs_traffic::totals(&network_file(root, "ip_vs_stats_percpu").ok()?)
}

/// Reads the table twice, since one reading can miss entries: the kernel returns the table in pieces and finds its place
/// again by counting entries (`ip_vs_conn_array`, `ip_vs_conn.c`), so each entry that expires between two pieces hides
/// another.
fn connections(root: &Root, client: Ipv4Addr) -> Option<Vec<ConnectionEntry>> {
    let (mut entries, mut known) = (Vec::new(), HashSet::new());
    for _ in 0..2 {
        let table = network_file(root, "ip_vs_conn").ok()?;
        for entry in ipvs_traffic::connections(&table, client) {
            if known.insert((entry.client, entry.service, entry.destination)) {
                entries.push(entry);
            }
        }
    }
    Some(entries)
}

/// Reads a file of this thread's network namespace.
fn network_file(root: &Root, name: &str) -> std::io::Result<String> {
    fs::read_to_string(root.join("/proc/thread-self/net").join(name))
}

/// The listeners of both families; a kernel without IPv6 has no second table.
fn listeners(root: &Root) -> Result<Vec<Listener>, AgentError> {
    let v4 = network_file(root, "tcp")
        .map_err(|error| because(format!("cannot read /proc/net/tcp: {error}")))?;
    let v6 = network_file(root, "tcp6").unwrap_or_default();
    Ok([sockets::listeners(&v4), sockets::listeners(&v6)].concat())
}
