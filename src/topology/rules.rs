//! Checks what must hold between the values of a topology, and builds the [`Lab`] if it does.

use std::collections::{BTreeSet, HashMap};

use super::error::{TopologyError, quoted};
use super::inventory::Machines;
use super::problem::{At, Mistakes, Problem, SourceText};
use super::read::{Draft, HostDraft};
use super::repeated::twice;
use super::{location, networks};
use crate::model::{
    Attachment, DirectorVip, Host, InterfaceName, Lab, LabParts, Network, NetworkId, RealServer,
    Role, Scheduler, VirtualService, Wiring,
};

/// Checks `draft` and makes it a lab; `machines` are the inventory's.
pub(super) fn lab(
    source: &SourceText<'_>,
    mut draft: Draft,
    machines: Option<Machines>,
) -> Result<Lab, TopologyError> {
    let mut mistakes = Mistakes::new(source);
    names(&draft, &mut mistakes);
    networks::check(&draft, &mut mistakes);
    pages(&draft, &mut mistakes);
    weights(&draft, &mut mistakes);
    let others = location::locate(&mut draft, machines);
    location::check(&draft, &others, &mut mistakes);
    mistakes.into_result()?;
    Ok(build(draft))
}

fn names(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    twice(
        draft
            .hosts()
            .map(|host| (&host.name.value, host.name.place)),
        |name, first, second| {
            mistakes.add(
                *second,
                Problem::new(format!("two hosts are called {}", quoted(name.as_str())))
                    .label(format!("the other is on line {}", first.line))
                    .note("every host of a lab has a name of its own"),
            );
        },
    );
}

fn pages(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    // Servers with one RIP have one page too; that is reported as what it is.
    let mut seen: HashMap<&str, &HostDraft> = HashMap::new();
    for server in &draft.real_servers {
        let (host, page) = (&server.host, &server.page);
        match seen.get(page.value.as_str()) {
            None => {
                seen.insert(&page.value, host);
            }
            Some(other) if other.address.value.addr() == host.address.value.addr() => {}
            Some(other) => mistakes.add(
                page.place,
                Problem::new(format!(
                    "{} has the page of {}, {}",
                    host.name.value,
                    other.name.value,
                    quoted(&page.value)
                ))
                .note("real servers are told apart by their pages"),
            ),
        }
    }
}

fn weights(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let place = |at: &At<u16>| at.place;
    if let Some(first) = draft.real_servers.first()
        && draft
            .real_servers
            .iter()
            .all(|server| server.weight.value == 0)
    {
        mistakes.add(
            place(&first.weight),
            Problem::new("every real server has weight 0, so none would get a request")
                .note("give at least one a weight from 1 to 65535"),
        );
    } else if draft.scheduler == Scheduler::Dh
        && let Some(idle) = draft
            .real_servers
            .iter()
            .find(|server| server.weight.value == 0)
    {
        // ip_vs_dh.c deals its places out to all, and has no flag to pass over one as sh has.
        mistakes.add(
            place(&idle.weight),
            Problem::new(format!(
                "`dh` does not pass over {}, whose weight is 0",
                idle.host.name.value
            ))
            .note(
                "it picks a real server by the VIP alone; IPVS refuses every request where that has \
                 weight 0",
            )
            .note("give it a weight from 1 to 65535, or take another scheduler"),
        );
    }
}

fn build(draft: Draft) -> Lab {
    let profile = draft.method.value.profile();
    let networks = match profile.wiring {
        Wiring::DirectorBetween => vec![
            ("clients", draft.vip.value.trunc()),
            ("servers", draft.director.address.value.trunc()),
        ],
        Wiring::OneNetwork => vec![("lab", draft.vip.value.trunc())],
    };
    let outer = NetworkId::new(0);
    let inner = NetworkId::new(networks.len() - 1);
    let attachment = |network, address, interface: Option<At<InterfaceName>>| Attachment {
        network,
        address,
        interface: interface.map(|at| at.value),
    };
    let host = |host: HostDraft, role, mut before: Vec<Attachment>, network| {
        before.push(attachment(network, host.address.value, host.interface));
        Host {
            name: host.name.value,
            roles: BTreeSet::from([role]),
            attachments: before,
            ssh: host.ssh,
        }
    };
    let public = match profile.director_vip {
        DirectorVip::Own => vec![attachment(outer, draft.vip.value, draft.vip_interface)],
        DirectorVip::Alias => Vec::new(),
    };
    let mut hosts = vec![
        host(draft.client, Role::Client, Vec::new(), outer),
        host(draft.director, Role::Director, public, inner),
    ];
    let mut real_servers = Vec::with_capacity(draft.real_servers.len());
    for server in draft.real_servers {
        real_servers.push(RealServer {
            host: server.host.name.value.clone(),
            rip: server.host.address.value,
            port: draft.port,
            weight: server.weight.value,
            method: draft.method.value,
            page: server.page.value,
        });
        hosts.push(host(server.host, Role::RealServer, Vec::new(), inner));
    }
    Lab::from_checked(LabParts {
        id: draft.lab.into(),
        networks: networks
            .into_iter()
            .map(|(name, prefix)| Network {
                name: name.parse().expect("a network's name"),
                prefix,
            })
            .collect(),
        hosts,
        services: vec![VirtualService {
            vip: draft.vip.value,
            port: draft.port,
            protocol: draft.protocol,
            scheduler: draft.scheduler,
            persistence: draft.persistence,
            real_servers,
        }],
        policy: draft.policy,
    })
}
