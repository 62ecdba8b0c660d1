//! Labs and plans for the tests, as the topology reader and the planner make them.

use std::collections::BTreeSet;

use crate::model::{
    Attachment, ForwardingMethod, Host, HostName, Lab, LabParts, Network, NetworkId, Policy,
    Protocol, RealServer, Role, Scheduler, VirtualService,
};
use crate::plan::{HostPlan, assumed_facts, plan};

/// The DR or NAT lab of the course, with these weights for web1, web2, ...
pub(crate) fn lab(mode: ForwardingMethod, scheduler: Scheduler, weights: &[u16]) -> Lab {
    let rip = |at: usize| match mode {
        ForwardingMethod::Nat => format!("192.168.2.{}/24", 100 + at * 10),
        ForwardingMethod::Dr => format!("192.168.4.{}/24", 100 + at * 10),
    };
    let outer = NetworkId::new(0);
    let inner = NetworkId::new(usize::from(mode == ForwardingMethod::Nat));
    let network = |name: &str, prefix: &str| Network {
        name: name.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
    };
    let networks = match mode {
        ForwardingMethod::Nat => vec![
            network("clients", "192.168.4.0/24"),
            network("servers", "192.168.2.0/24"),
        ],
        ForwardingMethod::Dr => vec![network("lab", "192.168.4.0/24")],
    };
    let port = 80.try_into().unwrap();
    let on = |network, address: &str| Attachment {
        network,
        address: address.parse().unwrap(),
        interface: None,
    };
    let host = |name: &str, role, attachments| Host {
        name: name.parse().unwrap(),
        roles: BTreeSet::from([role]),
        attachments,
        ssh: None,
    };
    let mut hosts = vec![host(
        "client",
        Role::Client,
        vec![on(outer, "192.168.4.10/24")],
    )];
    hosts.push(match mode {
        ForwardingMethod::Nat => host(
            "director",
            Role::Director,
            vec![on(outer, "192.168.4.5/24"), on(inner, "192.168.2.5/24")],
        ),
        ForwardingMethod::Dr => host(
            "director",
            Role::Director,
            vec![on(outer, "192.168.4.5/24")],
        ),
    });
    let name = |at: usize| format!("web{}", at + 1);
    for at in 0..weights.len() {
        hosts.push(host(&name(at), Role::RealServer, vec![on(inner, &rip(at))]));
    }
    let real_servers = weights.iter().enumerate().map(|(at, weight)| {
        let rip: ipnet::Ipv4Net = rip(at).parse().unwrap();
        RealServer {
            host: name(at).parse().unwrap(),
            rip,
            port,
            weight: *weight,
            method: mode,
            page: rip.addr().to_string(),
        }
    });
    Lab::from_checked(LabParts {
        id: mode.profile().keyword.parse().unwrap(),
        networks,
        hosts,
        services: vec![VirtualService {
            vip: match mode {
                ForwardingMethod::Nat => "192.168.4.5/24",
                ForwardingMethod::Dr => "192.168.4.15/24",
            }
            .parse()
            .unwrap(),
            port,
            protocol: Protocol::Tcp,
            scheduler,
            persistence: None,
            real_servers: real_servers.collect(),
        }],
        policy: Policy::default(),
    })
}

/// The plan of each host as a sandbox host, in the lab's order.
pub(crate) fn plans(lab: &Lab) -> Vec<HostPlan> {
    let mut plans = plan(lab, &assumed_facts(lab));
    lab.hosts()
        .iter()
        .map(|host| plans.remove(&host.name).unwrap().unwrap())
        .collect()
}

/// The name of a lab's host.
pub(crate) fn name(host: &str) -> HostName {
    host.parse().unwrap()
}
