//! What has to be asked of whom before a lab can be judged.
//!
//! Three rounds: what every host is and how far the director has counted, and that it begins to capture; the
//! client's requests, with what it knows of its neighbours right after; what was captured, what the director has
//! counted, and who answers the client's own ARP requests for the VIP. Beside the requests themselves that costs
//! two short exchanges over sessions that are open already, and the wait for ARP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::evidence::Evidence;
use super::schedule::{self, Law};
use crate::agent::protocol::{ArpProbe, CaptureStart, CaptureStop, Collect, Fetch, Ports, Request};
use crate::model::{Host, HostName, InterfaceName, Lab, NetworkId, Role};
use crate::plan::HostPlan;
use crate::resource::{Resource, Sysctl};

/// Longest time for one request. A lost SYN is sent again after 1 s and after 3 s.
const REQUEST_SECONDS: u32 = 4;

/// Requests without an answer after which no more are sent: one can be an accident, two are a fault.
const MOST_TIMEOUTS: u32 = 2;

/// Requests whose frames are captured, at most, where every real server gets its turn within so many.
const MOST_MARKED: u32 = 16;

/// Where they all go to one real server.
const FEW_MARKED: u32 = 2;

/// Ports that Linux gives out by itself (`ip_local_port_range`), so no service of the client's listens there.
const EPHEMERAL: std::ops::Range<u16> = 32_768..61_000;

/// Requests that get a port of our choice, at most: each costs curl a set of options.
const MOST_CHOSEN_PORTS: u32 = 2000;

/// Frames kept per host. One request takes about a dozen, twice that where both ways cross the host, and there are at
/// most [`MOST_MARKED`].
const MOST_FRAMES: u32 = 1000;

/// How long to wait for all who answer ARP, and for the first. A host on the same segment needs a millisecond.
const ARP_MILLISECONDS: u32 = 200;
const ARP_PATIENCE_MILLISECONDS: u32 = 1000;

/// What to ask of whom at the same time; the requests of one host in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// Requests by host.
    pub requests: BTreeMap<HostName, Vec<Request>>,
}

/// How many requests to send where `wanted` were asked for: whole cycles of the scheduler, at least one.
#[must_use]
pub fn requests_for(lab: &Lab, wanted: u32) -> u32 {
    schedule::law(lab.service(), &weights(lab)).whole_cycles(wanted)
}

/// What to ask next, from what is known so far.
pub type NextRound = fn(&Evidence) -> Round;

/// The rounds, each made from the evidence of those before it. Hosts without a plan are not asked; a host that
/// does not answer in one round need not be asked in the next.
pub const ROUNDS: [NextRound; 3] = [state, traffic, counted];

/// The rounds of a trace: addresses and MACs, one request, and its frames.
pub const TRACE_ROUNDS: [NextRound; 3] = [begin_trace, traced, end_trace];

/// Hosts that can be compared with something.
fn planned(evidence: &Evidence) -> impl Iterator<Item = (&Host, &HostPlan)> {
    evidence.lab().hosts().iter().filter_map(|host| {
        let record = evidence.hosts().get(&host.name)?;
        Some((host, record.plan.as_ref()?))
    })
}

fn state(evidence: &Evidence) -> Round {
    let lab = evidence.lab();
    let requests =
        planned(evidence).map(|(host, plan)| {
            let mut requests = vec![Request::Collect(collect(lab, host, plan))];
            requests.extend(evidence.marked().map(|ports| {
                Request::CaptureStart(capture(lab, plan, ports, evidence.requests()))
            }));
            (host.name.clone(), requests)
        });
    Round {
        requests: requests.collect(),
    }
}

fn traffic(evidence: &Evidence) -> Round {
    of_client(
        evidence,
        vec![
            Request::Fetch(fetch(evidence)),
            Request::Collect(Collect::default()),
        ],
    )
}

/// `requests` to the client alone.
fn of_client(evidence: &Evidence, requests: Vec<Request>) -> Round {
    let client = planned(evidence).find(|(host, _)| host.is(Role::Client));
    Round {
        requests: client
            .map(|(host, _)| (host.name.clone(), requests))
            .into_iter()
            .collect(),
    }
}

fn counted(evidence: &Evidence) -> Round {
    let lab = evidence.lab();
    let requests = planned(evidence).map(|(host, _)| {
        let mut requests = Vec::new();
        if host.is(Role::Director) {
            requests.push(Request::Collect(Collect {
                ipvs: true,
                ipvs_connections_of: Some(lab.cip().addr()),
                ..Collect::default()
            }));
        }
        if evidence.marked().is_some() {
            let arp = arp_probe(evidence).filter(|_| host.is(Role::Client));
            requests.push(Request::CaptureStop(CaptureStop { arp }));
        }
        (host.name.clone(), requests)
    });
    Round {
        requests: requests
            .filter(|(_, requests)| !requests.is_empty())
            .collect(),
    }
}

fn begin_trace(evidence: &Evidence) -> Round {
    let lab = evidence.lab();
    let requests = planned(evidence).map(|(host, plan)| {
        let collect = Request::Collect(Collect {
            ipvs_connections_of: (host.is(Role::Director)).then(|| lab.cip().addr()),
            ..Collect::default()
        });
        let start = evidence
            .marked()
            .map(|ports| Request::CaptureStart(capture(lab, plan, ports, 1)));
        let requests = std::iter::once(collect).chain(start).collect();
        (host.name.clone(), requests)
    });
    Round {
        requests: requests.collect(),
    }
}

fn traced(evidence: &Evidence) -> Round {
    let fetch = Fetch {
        marked: 1,
        ..fetch(evidence)
    };
    of_client(evidence, vec![Request::Fetch(fetch)])
}

fn end_trace(evidence: &Evidence) -> Round {
    let stop = || vec![Request::CaptureStop(CaptureStop::default())];
    Round {
        requests: planned(evidence)
            .map(|(host, _)| (host.name.clone(), stop()))
            .collect(),
    }
}

/// The client's own question who has the VIP.
fn arp_probe(evidence: &Evidence) -> Option<ArpProbe> {
    let lab = evidence.lab();
    let client = evidence.hosts().get(&lab.client().name)?;
    Some(ArpProbe {
        interface: client
            .plan
            .as_ref()?
            .interfaces
            .get(&lab.clients_network())?
            .clone(),
        sender: lab.cip().addr(),
        target: lab.vip(),
        requests: 2,
        window_milliseconds: ARP_MILLISECONDS,
        patience_milliseconds: ARP_PATIENCE_MILLISECONDS,
    })
}

fn capture(lab: &Lab, plan: &HostPlan, ports: Ports, requests: u32) -> CaptureStart {
    CaptureStart {
        interfaces: plan.interfaces.values().cloned().collect(),
        client: lab.cip().addr(),
        ports,
        addresses: addresses(lab),
        seconds: total_seconds(requests) + 60,
        most_frames: MOST_FRAMES,
    }
}

/// Every address of the lab.
fn addresses(lab: &Lab) -> Vec<Ipv4Addr> {
    let own = lab.hosts().iter().flat_map(|host| &host.attachments);
    let mut all: Vec<Ipv4Addr> = own
        .map(|attachment| attachment.address.addr())
        .chain([lab.vip()])
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn fetch(evidence: &Evidence) -> Fetch {
    let lab = evidence.lab();
    Fetch {
        url: lab.url(),
        requests: evidence.requests(),
        timeout_seconds: REQUEST_SECONDS,
        total_seconds: total_seconds(evidence.requests()),
        marked: marked(lab),
        ports: evidence.marked().map(|ports| forgotten(evidence, ports)),
        other_ports: evidence
            .marked()
            .map(|ports| other_ports(evidence, ports))
            .unwrap_or_default(),
        most_timeouts: MOST_TIMEOUTS,
    }
}

/// How many requests to capture: enough for every real server to get one, as far as that can be had.
fn marked(lab: &Lab) -> u32 {
    let weights = weights(lab);
    let servers = weights.iter().filter(|weight| **weight > 0).count();
    let servers = u32::try_from(servers).unwrap_or(MOST_MARKED);
    match schedule::law(lab.service(), &weights) {
        Law::Cycle(shares) | Law::Level(shares) => shares
            .iter()
            .fold(0u32, |sum, share| sum.saturating_add(*share)),
        // That one is left out by that many lots in a row is rare, unless its weight is small.
        Law::Chance => servers.saturating_mul(6),
        Law::OneServer | Law::OneAtATime | Law::Nobody => servers.min(FEW_MARKED),
    }
    .clamp(1, MOST_MARKED)
}

/// The first of `ports` in a row that the director does not remember a connection from; all where it knows them all.
///
/// A state that was restored brings its connections along, so a run of long ago may have had these ports just now.
fn forgotten(evidence: &Evidence, ports: Ports) -> Ports {
    let remembered = remembered(evidence);
    let free = |port: &u16| !remembered.contains(port);
    let Some(first) = (ports.first..=ports.last).find(free) else {
        return ports;
    };
    let last = (first..=ports.last).take_while(free).last();
    Ports {
        first,
        last: last.unwrap_or(first),
    }
}

/// The client's ports of connections that the director remembers.
fn remembered(evidence: &Evidence) -> BTreeSet<u16> {
    let director = evidence.hosts().get(&evidence.lab().director().name);
    director
        .and_then(|record| record.before.as_ref().ok())
        .and_then(|sighting| sighting.found.ipvs_connections.as_ref())
        .into_iter()
        .flatten()
        .map(|entry| entry.client.port())
        .collect()
}

/// Ports for the requests that are not captured, none of them remembered by the director.
///
/// A director that is bypassed by the replies sends a request from a port that it remembers to the real server that the
/// last one from there got (`conn_reuse_mode`, networking/ipvs-sysctl.rst), whatever the scheduler would say.
fn other_ports(evidence: &Evidence, marked: Ports) -> Vec<Ports> {
    let remembered = remembered(evidence);
    let count = evidence.requests().min(MOST_CHOSEN_PORTS) as usize;
    // Another place for each run, as the marked ports have: the director's table may not be known.
    let start = usize::from(marked.first) * count % EPHEMERAL.len();
    let mut ports: Vec<u16> = (0..EPHEMERAL.len())
        .map(|at| EPHEMERAL.start + ((start + at) % EPHEMERAL.len()) as u16)
        .filter(|port| !remembered.contains(port))
        .take(count)
        .collect();
    ports.sort_unstable();
    let ranges = ports.chunk_by(|one, next| one + 1 == *next);
    ranges
        .filter_map(|range| {
            Some(Ports {
                first: *range.first()?,
                last: *range.last()?,
            })
        })
        .collect()
}

fn total_seconds(requests: u32) -> u32 {
    60 + requests / 10
}

fn collect(lab: &Lab, host: &Host, plan: &HostPlan) -> Collect {
    let mut resources: Vec<Resource> = plan.steps.iter().map(|s| s.resource.clone()).collect();
    let known: BTreeSet<_> = resources.iter().map(Resource::id).collect();
    resources.extend(
        effective_sysctls(lab, host, plan)
            .into_iter()
            .map(Resource::Sysctl)
            .filter(|resource| !known.contains(&resource.id())),
    );
    // What takes effect now is asked for after the next boot, too.
    let boot_sysctls = resources
        .iter()
        .filter_map(|resource| match resource {
            Resource::Sysctl(sysctl) => Some(sysctl.key.clone()),
            _ => None,
        })
        .collect();
    Collect {
        resources,
        boot_sysctls,
        routes_to: destinations(lab, host)
            .into_iter()
            .map(|(to, _)| to)
            .collect(),
        routes_from: source(lab, host),
        ipvs: host.is(Role::Director),
        ipvs_connections_of: (host.is(Role::Director)).then(|| lab.cip().addr()),
        firewall: true,
        listen_lines: host.is(Role::RealServer),
        directories_above: page(plan).map(str::to_owned),
        ifcfg_files: true,
    }
}

/// The file of the page that a real server shows.
fn page(plan: &HostPlan) -> Option<&str> {
    plan.steps.iter().find_map(|step| match &step.resource {
        Resource::File(file) => Some(file.path.as_str()).filter(|path| path.ends_with(".html")),
        _ => None,
    })
}

/// Where requests come from on the client, and answers on a real server: where the requests arrive there.
pub(super) fn source(lab: &Lab, host: &Host) -> Option<Ipv4Addr> {
    if host.is(Role::Director) {
        None
    } else if host.is(Role::RealServer) {
        let service = lab.service();
        let server = service.real_server(host.name.as_str())?;
        Some(*service.destination_at(server).ip())
    } else {
        Some(lab.cip().addr())
    }
}

/// Where this host sends packets of the lab, and the network they leave through.
pub(super) fn destinations(lab: &Lab, host: &Host) -> Vec<(Ipv4Addr, NetworkId)> {
    let (outer, inner) = (lab.clients_network(), lab.servers_network());
    if host.is(Role::Director) {
        let others = lab
            .real_servers()
            .iter()
            .filter(|server| server.host != host.name);
        std::iter::once((lab.cip().addr(), outer))
            .chain(others.map(|server| (server.address(), inner)))
            .collect()
    } else if host.is(Role::RealServer) {
        vec![(lab.cip().addr(), inner)]
    } else {
        vec![(lab.vip(), outer)]
    }
}

/// Per-interface settings that decide together with what the plan sets.
///
/// `arp_ignore` and `arp_announce` are the maximum of `all` and the interface (`IN_DEV_MAXCONF`,
/// `include/linux/inetdevice.h`); forwarding is asked of the interface a packet arrives on
/// (`IN_DEV_FORWARD`), which writing `ip_forward` sets for all but which can be reset for one.
pub(super) fn effective_sysctls(lab: &Lab, host: &Host, plan: &HostPlan) -> Vec<Sysctl> {
    let inner = lab.servers_network();
    let Some(interface) = plan.interfaces.get(&inner) else {
        return Vec::new();
    };
    let profile = lab.profile();
    if host.is(Role::RealServer) && profile.real_server_vip.is_some() {
        return vec![
            interface_sysctl(interface, "arp_ignore", "1"),
            interface_sysctl(interface, "arp_announce", "2"),
        ];
    }
    let mut settings = vec![Sysctl {
        key: "net.ipv4.conf.all.arp_ignore".to_owned(),
        value: "0".to_owned(),
    }];
    let own = plan.interfaces.values();
    settings.extend(own.map(|name| interface_sysctl(name, "arp_ignore", "0")));
    if host.is(Role::Director) && profile.replies_pass_director() {
        settings.push(interface_sysctl(interface, "forwarding", "1"));
    }
    settings
}

/// `net.ipv4.conf.INTERFACE.NAME`; a dot in the interface's name is written `/`, as sysctl(8) does.
pub(super) fn interface_sysctl(interface: &InterfaceName, name: &str, value: &str) -> Sysctl {
    Sysctl {
        key: format!(
            "net.ipv4.conf.{}.{name}",
            interface.as_str().replace('.', "/")
        ),
        value: value.to_owned(),
    }
}

/// Weights of the real servers in the lab's order.
pub(super) fn weights(lab: &Lab) -> Vec<u16> {
    lab.real_servers().iter().map(|s| s.weight).collect()
}
