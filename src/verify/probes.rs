//! What has to be asked of whom before a lab can be judged.
//!
//! Three rounds: what every host is and how far the director has counted, and that it begins to capture; the
//! client's requests, with what it knows of its neighbours right after; what was captured, what the director has
//! counted, and who answers the client's own ARP requests for the VIP. Beside the requests themselves that costs
//! two short exchanges over sessions that are open already, and the wait for ARP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::evidence::{Evidence, Machine};
use super::schedule::{self, Law};
use crate::agent::protocol::{ArpProbe, CaptureStart, CaptureStop, Collect, Fetch, Ports, Request};
use crate::keeper::{PAGE, System};
use crate::model::{Host, HostName, InterfaceName, Lab, Role};
use crate::requirement::{self, Need, Requirement, Way};
use crate::resource::{DefaultRoute, File, Firewall, Package, Resource, Selinux, Service, Sysctl};

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

/// The rounds, each made from the evidence of those before it. Hosts of which it is not known what they are are not asked; a host that
/// does not answer in one round need not be asked in the next.
pub const ROUNDS: [NextRound; 3] = [state, traffic, counted];

/// The rounds of a trace: addresses and MACs, one request, and its frames.
pub const TRACE_ROUNDS: [NextRound; 3] = [begin_trace, traced, end_trace];

/// Hosts of which it is known what they are.
fn machines(evidence: &Evidence) -> impl Iterator<Item = (&Host, &Machine)> {
    evidence.lab().hosts().iter().filter_map(|host| {
        let record = evidence.hosts().get(&host.name)?;
        Some((host, record.machine.as_ref()?))
    })
}

fn state(evidence: &Evidence) -> Round {
    let lab = evidence.lab();
    let requests =
        machines(evidence).map(|(host, machine)| {
            let mut requests = vec![Request::Collect(collect(lab, host, machine))];
            requests.extend(evidence.marked().map(|ports| {
                Request::CaptureStart(capture(lab, machine, ports, evidence.requests()))
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
    let client = machines(evidence).find(|(host, _)| host.is(Role::Client));
    Round {
        requests: client
            .map(|(host, _)| (host.name.clone(), requests))
            .into_iter()
            .collect(),
    }
}

fn counted(evidence: &Evidence) -> Round {
    let lab = evidence.lab();
    let requests = machines(evidence).map(|(host, _)| {
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
    let requests = machines(evidence).map(|(host, machine)| {
        let collect = Request::Collect(Collect {
            ipvs_connections_of: (host.is(Role::Director)).then(|| lab.cip().addr()),
            ..Collect::default()
        });
        let start = evidence
            .marked()
            .map(|ports| Request::CaptureStart(capture(lab, machine, ports, 1)));
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
        requests: machines(evidence)
            .map(|(host, _)| (host.name.clone(), stop()))
            .collect(),
    }
}

/// The client's own question who has the VIP.
fn arp_probe(evidence: &Evidence) -> Option<ArpProbe> {
    let lab = evidence.lab();
    let client = evidence.hosts().get(&lab.client().name)?;
    let interfaces = &client.machine.as_ref()?.interfaces;
    Some(ArpProbe {
        interface: interfaces.get(lab.clients_network())?.clone(),
        sender: lab.cip().addr().into(),
        target: lab.vip().into(),
        requests: 2,
        window_milliseconds: ARP_MILLISECONDS,
        patience_milliseconds: ARP_PATIENCE_MILLISECONDS,
    })
}

fn capture(lab: &Lab, machine: &Machine, ports: Ports, requests: u32) -> CaptureStart {
    CaptureStart {
        interfaces: machine.interfaces.names().cloned().collect(),
        client: lab.cip().addr().into(),
        ports,
        addresses: addresses(lab),
        seconds: total_seconds(requests) + 60,
        most_frames: MOST_FRAMES,
    }
}

/// Every address of the lab.
fn addresses(lab: &Lab) -> Vec<IpAddr> {
    let own = lab.hosts().iter().flat_map(|host| &host.attachments);
    let mut all: Vec<IpAddr> = own
        .map(|attachment| attachment.address.addr())
        .chain([lab.vip()])
        .map(IpAddr::V4)
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

fn collect(lab: &Lab, host: &Host, machine: &Machine) -> Collect {
    let required = requirement::of_host(lab, host);
    let serves = required
        .iter()
        .any(|requirement| matches!(requirement.need, Need::WebServer(_)));
    Collect {
        resources: resources(&required, machine),
        boot_files: true,
        routes_to: ways(&required).map(|way| way.to.into()).collect(),
        routes_from: source(lab, host).map(Into::into),
        ipvs: host.is(Role::Director),
        ipvs_connections_of: host.is(Role::Director).then(|| lab.cip().addr()),
        firewall: true,
        directories_above: serves.then(|| PAGE.to_owned()),
    }
}

/// What has to be observed of a host beside its network and its IPVS table before `required` can be judged.
fn resources(required: &[Requirement], machine: &Machine) -> Vec<Resource> {
    let settings = requirement::settings_asked(required, &machine.interfaces)
        .into_iter()
        .map(|key| {
            let value = String::new();
            Resource::Sysctl(Sysctl { key, value })
        });
    required
        .iter()
        .flat_map(|requirement| resources_for(&requirement.need, machine))
        .chain(settings)
        .collect()
}

fn resources_for(need: &Need, machine: &Machine) -> Vec<Resource> {
    match need {
        Need::Program(program) => vec![Resource::Package(Package {
            name: program.to_string(),
        })],
        Need::Way(Way {
            via: Some(via),
            network,
            ..
        }) => {
            let interface = machine.interfaces.get(*network);
            let route = |interface: &InterfaceName| {
                Resource::DefaultRoute(DefaultRoute {
                    via: (*via).into(),
                    interface: interface.clone(),
                })
            };
            interface.map(route).into_iter().collect()
        }
        Need::WebServer(wanted) => vec![
            Resource::Service(Service {
                name: System::of(&machine.facts).web_server().to_owned(),
                running: true,
                enabled: true,
                restart_on: Vec::new(),
            }),
            Resource::File(File {
                path: PAGE.to_owned(),
                content: format!("{}\n", wanted.page),
                mode: 0o644,
            }),
        ],
        Need::OpenFirewall { zone } if machine.facts.firewalld => {
            let zone = (*zone).to_owned();
            vec![Resource::Firewall(Firewall { zone })]
        }
        Need::Selinux { mode } if machine.facts.selinux.is_some() => {
            vec![Resource::Selinux(Selinux { mode: *mode })]
        }
        _ => Vec::new(),
    }
}

/// The ways that a host's packets must take.
pub(super) fn ways(required: &[Requirement]) -> impl Iterator<Item = &Way> {
    required
        .iter()
        .filter_map(|requirement| match &requirement.need {
            Need::Way(way) => Some(way),
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

/// Weights of the real servers in the lab's order.
pub(super) fn weights(lab: &Lab) -> Vec<u16> {
    lab.real_servers().iter().map(|s| s.weight).collect()
}
