//! Evidence of a lab in which everything is as planned: what the tests then break in one place.

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::evidence::Evidence;
use super::probes::{ROUNDS, destinations, requests_for, weights};
use super::schedule::{Law, law};
use super::wires::Wires;
use crate::agent::protocol::{
    BootSysctl, Collect, ConnectionEntry, Fetch, FirewallEvidence, HostEvidence, LinkEvidence,
    ListenLine, Listener, Neighbour, Ports, Reply, Request, Response, RouteEvidence,
};
use crate::ipvs::{Counters, DestinationStatus, ServiceStatus};
use crate::model::{Host, Lab, Role};
use crate::plan::HostPlan;
use crate::resource::{AddressState, FileState, Observed, Resource, RouteState, ServiceState};

/// First local port of the client's requests beyond those that it is told to use.
const FIRST_PORT: u16 = 40_000;

/// What the hosts of `lab` would answer if they were as `plans` say and 100 requests were asked for.
pub(crate) fn evidence(lab: &Lab, plans: &[HostPlan]) -> Evidence {
    let mut evidence = Evidence::new(
        lab,
        requests_for(lab, 100),
        Duration::from_secs(1_700_000_000),
    );
    for plan in plans {
        evidence.planned(plan.clone());
    }
    let mut asked_before = false;
    let ports = ports(&evidence);
    let mut wires = Wires::new(lab, plans);
    let marked = evidence.marked().expect("new evidence marks ports");
    for (server, port) in servers(lab, evidence.requests()).into_iter().zip(&ports) {
        if marked.contains(*port) {
            wires.request(server, *port);
        }
    }
    wires.answers_arp((lab.director().name.as_str(), 0));
    for round in ROUNDS {
        for (name, requests) in round(&evidence).requests {
            let host = lab
                .host(name.as_str())
                .expect("rounds ask hosts of the lab");
            let plan = plans.iter().find(|plan| plan.host == name);
            for request in requests {
                let reply = match &request {
                    Request::Collect(asked) => {
                        let plan = plan.expect("rounds ask planned hosts");
                        let mut found = collected(lab, host, plan, asked, asked_before);
                        let known = if asked_before { &ports[..] } else { &[] };
                        found.ipvs_connections =
                            asked.ipvs_connections_of.map(|_| connections(lab, known));
                        Reply::Evidence(Box::new(found))
                    }
                    Request::Fetch(asked) => Reply::Fetched {
                        responses: responses(lab, asked, &ports),
                    },
                    Request::CaptureStart(_) => Reply::CaptureStarted,
                    Request::CaptureStop(_) => Reply::Captured(Box::new(wires.captured(&name))),
                    other => panic!("verification does not ask {other:?}"),
                };
                evidence.absorb(&name, &request, Ok(reply));
            }
        }
        asked_before = true;
    }
    evidence
}

/// The ports that the client is told to take for its marked requests.
pub(crate) fn marked(evidence: &Evidence) -> Option<Ports> {
    fetch(evidence)?.ports
}

fn fetch(evidence: &Evidence) -> Option<Fetch> {
    let rounds = ROUNDS.into_iter();
    let mut asked = rounds.flat_map(|round| round(evidence).requests.into_values().flatten());
    asked.find_map(|request| match request {
        Request::Fetch(fetch) => Some(fetch),
        _ => None,
    })
}

/// The client's port of each request: marked ones first.
pub(crate) fn ports(evidence: &Evidence) -> Vec<u16> {
    let Some(fetch) = fetch(evidence) else {
        return Vec::new();
    };
    let (marked, share) = fetch.ports.map_or((0, 1), |ports| {
        let share = (ports.last - ports.first + 1) / u16::try_from(fetch.marked).unwrap();
        (ports.first, share.max(1))
    });
    let others = fetch.other_ports.iter();
    let mut others = others.flat_map(|ports| ports.first..=ports.last);
    (0..fetch.requests)
        .map(|number| {
            let at = u16::try_from(number).unwrap();
            if number < fetch.marked {
                marked + share * at
            } else {
                others.next().unwrap_or(FIRST_PORT + at)
            }
        })
        .collect()
}

/// MAC of a host's interface on a network, as the sandbox makes them up.
pub(super) fn mac(lab: &Lab, host: &Host, network: usize) -> String {
    let at = lab.hosts().iter().position(|h| h.name == host.name);
    format!(
        "52:54:00:00:{network:02x}:{:02x}",
        at.expect("a host of the lab")
    )
}

/// Real server by request: a cycle, or the first that has a weight.
pub(crate) fn servers(lab: &Lab, requests: u32) -> Vec<usize> {
    let weights = weights(lab);
    let deal: Vec<usize> = match law(lab.service(), &weights) {
        Law::Chance => (0..weights.len())
            .flat_map(|at| std::iter::repeat_n(at, weights[at].into()))
            .collect(),
        Law::Cycle(shares) | Law::Level(shares) => shares
            .iter()
            .enumerate()
            .flat_map(|(at, share)| std::iter::repeat_n(at, *share as usize))
            .collect(),
        _ => weights.iter().position(|w| *w > 0).into_iter().collect(),
    };
    deal.into_iter().cycle().take(requests as usize).collect()
}

fn responses(lab: &Lab, asked: &Fetch, ports: &[u16]) -> Vec<Response> {
    servers(lab, asked.requests)
        .into_iter()
        .zip(ports)
        .map(|(server, &local_port)| Response {
            status: 200,
            curl_exit: 0,
            body: lab.real_servers()[server].page.clone(),
            local_port,
            seconds: 0.01,
            connections: Some(1),
        })
        .collect()
}

fn collected(
    lab: &Lab,
    host: &Host,
    plan: &HostPlan,
    asked: &Collect,
    traffic_is_over: bool,
) -> HostEvidence {
    let addresses: Vec<AddressState> = plan
        .steps
        .iter()
        .filter_map(|step| match observed(&step.resource) {
            Observed::Address { occurrences } => Some(occurrences),
            _ => None,
        })
        .flatten()
        .collect();
    let listeners = if host.is(Role::RealServer) {
        vec![Listener {
            address: IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            port: lab.service().port.get(),
        }]
    } else {
        Vec::new()
    };
    let neighbours = if host.is(Role::Client) && traffic_is_over {
        vec![Neighbour {
            address: lab.vip(),
            interface: plan.interfaces[&lab.clients_network()].clone(),
            mac: Some(mac(lab, lab.director(), 0)),
            state: "reachable".to_owned(),
        }]
    } else {
        Vec::new()
    };
    HostEvidence {
        observed: asked.resources.iter().map(|r| Ok(observed(r))).collect(),
        addresses,
        links: plan
            .interfaces
            .iter()
            .map(|(network, name)| LinkEvidence {
                name: name.clone(),
                mac: mac(lab, host, network.place()),
                up: true,
                carrier: true,
                no_arp: false,
            })
            .chain([loopback()])
            .collect(),
        boot_sysctls: asked
            .boot_sysctls
            .iter()
            .map(|key| boot(plan, key))
            .collect(),
        routes: asked
            .routes_to
            .iter()
            .map(|to| {
                let network = destinations(lab, host)
                    .iter()
                    .find(|(t, _)| t == to)
                    .expect("asked")
                    .1;
                let back = lab.profile().replies_pass_director() && host.is(Role::RealServer);
                RouteEvidence {
                    to: *to,
                    via: back.then(|| lab.dip().addr()),
                    interface: Some(plan.interfaces[&network].clone()),
                    source: host.on_network(network).map(|a| a.address.addr()),
                    table: Some(254),
                    local: false,
                    entry: None,
                }
            })
            .collect(),
        listeners,
        neighbours,
        ipvs: asked.ipvs.then(|| {
            Ok(plan
                .steps
                .iter()
                .filter_map(|step| status(&step.resource))
                .collect())
        }),
        ipvs_totals: asked.ipvs.then(|| totals(lab, traffic_is_over)),
        ipvs_connections: None,
        firewall: FirewallEvidence::default(),
        listen_lines: listen_lines(lab, asked),
        directories: Vec::new(),
        ifcfg_files: asked.ifcfg_files.then(Vec::new),
    }
}

fn loopback() -> LinkEvidence {
    LinkEvidence {
        name: "lo".parse().expect("a name"),
        mac: "00:00:00:00:00:00".to_owned(),
        up: true,
        carrier: true,
        no_arp: false,
    }
}

fn listen_lines(lab: &Lab, asked: &Collect) -> Vec<ListenLine> {
    let line = || ListenLine {
        file: "/etc/apache2/ports.conf".to_owned(),
        line: format!("Listen {}", lab.service().port),
    };
    asked.listen_lines.then(line).into_iter().collect()
}

fn totals(lab: &Lab, traffic_is_over: bool) -> Counters {
    let connections = u64::from(requests_for(lab, 100)) * u64::from(traffic_is_over);
    Counters {
        connections: 7 + connections,
        packets_in: 42 + 6 * connections,
        packets_out: if lab.profile().replies_pass_director() {
            5 * connections
        } else {
            0
        },
        ..Counters::default()
    }
}

fn connections(lab: &Lab, ports: &[u16]) -> Vec<ConnectionEntry> {
    let port = lab.service().port.get();
    servers(lab, requests_for(lab, 100))
        .into_iter()
        .zip(ports)
        .map(|(server, &local_port)| ConnectionEntry {
            client: SocketAddrV4::new(lab.cip().addr(), local_port),
            service: SocketAddrV4::new(lab.vip(), port),
            destination: SocketAddrV4::new(lab.real_servers()[server].address(), port),
            state: "FIN_WAIT".to_owned(),
        })
        .collect()
}

fn boot(plan: &HostPlan, key: &str) -> BootSysctl {
    let set = plan.steps.iter().find_map(|step| match &step.resource {
        Resource::Sysctl(sysctl) if sysctl.key == key => Some((
            sysctl.value.clone(),
            "/etc/sysctl.d/90-lvslab.conf".to_owned(),
        )),
        _ => None,
    });
    BootSysctl {
        key: key.to_owned(),
        line: set.as_ref().map(|_| key.to_owned()).unwrap_or_default(),
        set,
    }
}

fn status(resource: &Resource) -> Option<ServiceStatus> {
    match observed(resource) {
        Observed::Ipvs { status } => status,
        _ => None,
    }
}

/// What is observed of a resource that is as wanted.
pub(super) fn observed(resource: &Resource) -> Observed {
    match resource {
        Resource::Package(_) => Observed::Package {
            version: Some("2.4.57-2".to_owned()),
        },
        Resource::File(file) => Observed::File {
            state: Some(FileState {
                content_base64: BASE64.encode(&file.content),
                mode: file.mode,
                uid: 0,
                gid: 0,
                context: None,
                read_instead: None,
            }),
        },
        Resource::Sysctl(sysctl) => Observed::Sysctl {
            value: Some(sysctl.value.clone()),
        },
        Resource::Link(_) => Observed::Link { up: Some(true) },
        Resource::Address(address) => Observed::Address {
            occurrences: vec![AddressState {
                interface: address.interface.clone(),
                address: address.address,
                label: address
                    .label
                    .clone()
                    .unwrap_or_else(|| address.interface.to_string()),
                broadcast: None,
            }],
        },
        Resource::DefaultRoute(route) => Observed::DefaultRoute {
            routes: vec![RouteState {
                via: Some(route.via),
                interface: route.interface.clone(),
                metric: 0,
                protocol: 3,
            }],
        },
        Resource::Service(service) => Observed::Service {
            state: Some(ServiceState {
                running: service.running,
                enabled: service.enabled,
                masked: false,
            }),
        },
        Resource::Firewall(firewall) => Observed::Firewall {
            zone: Some(firewall.zone.clone()),
        },
        Resource::Selinux(selinux) => Observed::Selinux {
            live: Some(selinux.mode),
            configured: Some(selinux.mode),
        },
        Resource::Ipvs(wanted) => Observed::Ipvs {
            status: Some(ServiceStatus {
                service: wanted.service.clone(),
                counters: Counters::default(),
                destinations: wanted
                    .destinations
                    .iter()
                    .map(|destination| DestinationStatus {
                        destination: destination.clone(),
                        active: 0,
                        inactive: 3,
                        persistent: 0,
                        counters: Counters::default(),
                    })
                    .collect(),
            }),
        },
    }
}
