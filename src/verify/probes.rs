//! What has to be asked of whom before a lab can be judged.
//!
//! Three rounds: what every host is and how far the director has counted; the client's requests, with what
//! it knows of its neighbours right after; what the director has counted then. Beside the requests
//! themselves that costs two short exchanges over sessions that are open already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::evidence::Evidence;
use super::schedule;
use crate::agent::protocol::{Collect, Fetch, Request};
use crate::model::{Host, HostName, InterfaceName, Lab, Mode, Role};
use crate::plan::HostPlan;
use crate::resource::{Resource, Sysctl};

/// Longest time for one request. A lost SYN is sent again after 1 s and after 3 s.
const REQUEST_SECONDS: u32 = 4;

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

/// The rounds, one to be answered before the next begins. Hosts without a plan are not asked; a host that
/// does not answer in one round need not be asked in the next.
#[must_use]
pub fn rounds(evidence: &Evidence) -> Vec<Round> {
    let lab = evidence.lab();
    let mut state = Round::default();
    for host in lab.hosts() {
        if let Some(plan) = evidence
            .hosts()
            .get(&host.name)
            .and_then(|r| r.plan.as_ref())
        {
            let ask = Request::Collect(collect(lab, host, plan));
            state.requests.insert(host.name.clone(), vec![ask]);
        }
    }
    let planned = |host: &Host| state.requests.contains_key(&host.name);

    let mut traffic = Round::default();
    if planned(lab.client()) {
        traffic.requests.insert(
            lab.client().name.clone(),
            vec![
                Request::Fetch(fetch(lab, evidence.requests())),
                Request::Collect(Collect::default()),
            ],
        );
    }
    let mut counted = Round::default();
    if planned(lab.director()) {
        counted.requests.insert(
            lab.director().name.clone(),
            vec![Request::Collect(Collect {
                ipvs: true,
                ipvs_connections_of: Some(lab.cip().addr()),
                ..Collect::default()
            })],
        );
    }
    vec![state, traffic, counted]
}

fn fetch(lab: &Lab, requests: u32) -> Fetch {
    Fetch {
        url: lab.url(),
        requests,
        timeout_seconds: REQUEST_SECONDS,
        total_seconds: 20 + requests / 10,
    }
}

fn collect(lab: &Lab, host: &Host, plan: &HostPlan) -> Collect {
    let mut resources: Vec<Resource> = plan.steps.iter().map(|s| s.resource.clone()).collect();
    let boot_sysctls = resources
        .iter()
        .filter_map(|resource| match resource {
            Resource::Sysctl(sysctl) => Some(sysctl.key.clone()),
            _ => None,
        })
        .collect();
    let known: BTreeSet<_> = resources.iter().map(Resource::id).collect();
    resources.extend(
        effective_sysctls(lab, host, plan)
            .into_iter()
            .map(Resource::Sysctl)
            .filter(|resource| !known.contains(&resource.id())),
    );
    Collect {
        resources,
        boot_sysctls,
        routes_to: destinations(lab, host)
            .into_iter()
            .map(|(to, _)| to)
            .collect(),
        ipvs: host.role == Role::Director,
        ipvs_connections_of: None,
        firewall: true,
        listen_lines: host.role == Role::RealServer,
    }
}

/// Where this host sends packets of the lab, and the segment they leave through.
pub(super) fn destinations(lab: &Lab, host: &Host) -> Vec<(Ipv4Addr, usize)> {
    match host.role {
        Role::Client => vec![(lab.vip(), 0)],
        Role::Director => {
            let inner = lab.segments() - 1;
            let servers = lab.real_servers().iter();
            std::iter::once((lab.cip().addr(), 0))
                .chain(servers.map(|server| (server.address(), inner)))
                .collect()
        }
        Role::RealServer => vec![(lab.cip().addr(), lab.segments() - 1)],
    }
}

/// Per-interface settings that decide together with what the plan sets.
///
/// `arp_ignore` and `arp_announce` are the maximum of `all` and the interface (`IN_DEV_MAXCONF`,
/// `include/linux/inetdevice.h`); forwarding is asked of the interface a packet arrives on
/// (`IN_DEV_FORWARD`), which writing `ip_forward` sets for all but which can be reset for one.
pub(super) fn effective_sysctls(lab: &Lab, host: &Host, plan: &HostPlan) -> Vec<Sysctl> {
    let inner = lab.segments() - 1;
    let Some(interface) = plan.interfaces.get(&inner) else {
        return Vec::new();
    };
    if (lab.mode(), host.role) == (Mode::Dr, Role::RealServer) {
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
    if (lab.mode(), host.role) == (Mode::Nat, Role::Director) {
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
