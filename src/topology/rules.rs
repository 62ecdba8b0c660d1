//! What must hold between the values of a topology, and the [`Lab`] when it does.

use std::collections::HashMap;
use std::hash::Hash;

use ipnet::Ipv4Net;

use super::error::{TopologyError, quoted};
use super::inventory::Machines;
use super::problem::{At, Mistakes, Place, Problem, SourceText};
use super::read::{Draft, HostDraft};
use super::suggest::nearest;
use crate::model::{
    Attachment, Host, InterfaceName, Lab, LabParts, Mode, RealServer, Role, VirtualService,
};

/// QEMU's user network, which carries the sandbox's management interfaces.
const SANDBOX_NETWORK: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 0, 2, 0), 24);

/// Checks `draft` and makes it a lab; `machines` are the inventory's.
pub(super) fn lab(
    source: &SourceText<'_>,
    mut draft: Draft,
    machines: Option<Machines>,
) -> Result<Lab, TopologyError> {
    let mut mistakes = Mistakes::new(source);
    names(&draft, &mut mistakes);
    addresses(&draft, &mut mistakes);
    match draft.mode.value {
        Mode::Nat => nat(&draft, &mut mistakes),
        Mode::Dr => dr(&draft, &mut mistakes),
    }
    pages(&draft, &mut mistakes);
    weights(&draft, &mut mistakes);
    let others = locate(&mut draft, machines);
    destinations(&draft, &others, &mut mistakes);
    mistakes.into_result()?;
    Ok(build(draft))
}

/// Reports every item after the first that has the same key.
fn twice<K: Eq + Hash, T>(
    items: impl IntoIterator<Item = (K, T)>,
    mut report: impl FnMut(&K, &T, &T),
) {
    let mut first: HashMap<K, T> = HashMap::new();
    for (key, item) in items {
        match first.get(&key) {
            Some(earlier) => report(&key, earlier, &item),
            None => {
                first.insert(key, item);
            }
        }
    }
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

/// An address with what it is: `VIP`, `RIP of web1`.
fn named_addresses(draft: &Draft) -> Vec<(At<Ipv4Net>, String)> {
    let mut all = vec![
        (draft.vip, "the VIP".to_owned()),
        (draft.client.address, "the CIP".to_owned()),
        (draft.director.address, "the DIP".to_owned()),
    ];
    all.extend(draft.real_servers.iter().map(|server| {
        (
            server.host.address,
            format!("the RIP of {}", server.host.name.value),
        )
    }));
    all
}

fn addresses(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let all = named_addresses(draft);
    twice(
        all.iter()
            .map(|(at, what)| (at.value.addr(), (at.place, what))),
        |address, (first, earlier), (second, what)| {
            mistakes.add(
                *second,
                Problem::new(format!("{what}, `{address}`, is also {earlier}"))
                    .label(format!("{earlier} is on line {}", first.line))
                    .note("CIP, VIP, DIP and every RIP are addresses of their own"),
            );
        },
    );
}

/// LVS-NAT: the director stands between the clients' network and the real servers'.
fn nat(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let (outer, inner) = (
        draft.vip.value.trunc(),
        draft.director.address.value.trunc(),
    );
    if overlap(outer, inner) {
        mistakes.add(
            draft.director.address.place,
            Problem::new(format!("the DIP, `{}`, is in the VIP's network {outer}", draft.director.address.value))
                .note(format!("LVS-NAT has two networks: the clients' with the VIP ({outer}), and the real servers' with the DIP"))
                .note("for one network, use `mode: dr`"),
        );
        return;
    }
    let cip = draft.client.address;
    if inner.contains(&cip.value.addr()) {
        mistakes.add(
            cip.place,
            Problem::new(format!("the client, `{}`, is in the real servers' network {inner}", cip.value))
                .note("real servers would answer it directly, past the director, and the client drops such answers")
                .note(format!("the client belongs in the VIP's network {outer}")),
        );
    } else {
        same_network(cip, "the CIP", outer, "the VIP", mistakes);
    }
    for server in &draft.real_servers {
        let rip = server.host.address;
        let what = format!("the RIP of {}", server.host.name.value);
        if outer.contains(&rip.value.addr()) {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is in the clients' network {outer}", rip.value))
                    .note("its answers would reach the client directly, past the director, and the client drops such answers")
                    .note(format!("real servers belong in the DIP's network {inner}")),
            );
        } else if !inner.contains(&rip.value.addr()) {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is outside every network the director is in", rip.value))
                    .note(format!("the director is in {outer} (VIP) and {inner} (DIP); real servers belong in {inner}")),
            );
        } else {
            same_network(rip, &what, inner, "the DIP", mistakes);
        }
    }
    if let (Some(vip), Some(dip)) = (&draft.vip_interface, &draft.director.interface)
        && vip.value == dip.value
    {
        mistakes.add(
            dip.place,
            Problem::new(format!("{} is the VIP's interface already", quoted(dip.value.as_str())))
                .label(format!("`vip_interface` is on line {}", vip.place.line))
                .note("a NAT director has one interface in the clients' network and another in the real servers'"),
        );
    }
}

/// LVS-DR: one network, because the director finds a real server by its MAC.
fn dr(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let network = draft.vip.value.trunc();
    same_network(
        draft.client.address,
        "the CIP",
        network,
        "the VIP",
        mistakes,
    );
    same_network(
        draft.director.address,
        "the DIP",
        network,
        "the VIP",
        mistakes,
    );
    for server in &draft.real_servers {
        let rip = server.host.address;
        let what = format!("the RIP of {}", server.host.name.value);
        if network.contains(&rip.value.addr()) {
            same_network(rip, &what, network, "the VIP", mistakes);
        } else {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is outside the VIP's network {network}", rip.value))
                    .note("in direct routing the director changes only the MAC of a request, so real servers are on its own segment"),
            );
        }
    }
    if let Some(interface) = &draft.vip_interface {
        mistakes.add(
            interface.place,
            Problem::new("`vip_interface` is for `mode: nat`")
                .note("in direct routing the VIP is an alias on the interface that has the DIP; name that one with `interface`"),
        );
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// `address` must be in `network`, written with the same prefix length.
fn same_network(
    address: At<Ipv4Net>,
    what: &str,
    network: Ipv4Net,
    whose: &str,
    mistakes: &mut Mistakes<'_, '_>,
) {
    let own = address.value.trunc();
    if own == network {
        return;
    }
    let problem = if network.contains(&address.value.addr()) {
        Problem::new(format!(
            "{what}, `{}`, has the prefix length /{}; {whose} in the same network has /{}",
            address.value,
            own.prefix_len(),
            network.prefix_len()
        ))
        .label(format!(
            "did you mean `{}/{}`?",
            address.value.addr(),
            network.prefix_len()
        ))
    } else {
        Problem::new(format!(
            "{what}, `{}`, is not in the network of {whose}, {network}",
            address.value
        ))
    };
    mistakes.add(
        address.place,
        problem.note("hosts on one segment agree on its network and prefix length"),
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
    }
}

/// Puts the inventory's destinations into the draft; what is left over is returned.
fn locate(draft: &mut Draft, machines: Option<Machines>) -> Machines {
    let mut machines = machines.unwrap_or_default();
    let hosts = [&mut draft.client, &mut draft.director]
        .into_iter()
        .chain(draft.real_servers.iter_mut().map(|server| &mut server.host));
    for host in hosts {
        if let Some(target) = machines.remove(&host.name.value) {
            host.ssh = Some(target);
        }
    }
    machines
}

/// All hosts are in the sandbox, or all are machines of their own.
fn destinations(draft: &Draft, others: &Machines, mistakes: &mut Mistakes<'_, '_>) {
    let list = |with: bool| -> Vec<&HostDraft> {
        draft
            .hosts()
            .filter(|host| host.ssh.is_some() == with)
            .collect()
    };
    let (with, without) = (list(true), list(false));
    match (with.first(), without.first()) {
        (Some(_), Some(first)) => mixed(first.name.place, &with, &without, others, mistakes),
        (None, Some(_)) => {
            if let Some((name, target)) = others.first_key_value() {
                mistakes.add_to_file(
                    Problem::new(format!(
                        "the inventory has none of this lab's hosts, but {} ({})",
                        quoted(name.as_str()),
                        target.origin
                    ))
                    .note(format!("hosts of the lab: {}", name_list(&without))),
                );
            }
            sandbox_network(draft, mistakes);
        }
        _ => {}
    }
    twice(
        with.iter().filter_map(|host| {
            let ssh = host.ssh.as_ref()?;
            Some((
                (ssh.host.to_lowercase(), ssh.port.unwrap_or(22)),
                (*host, ssh),
            ))
        }),
        |_, (first, a), (second, b)| {
            mistakes.add(
                second.name.place,
                Problem::new(format!(
                    "{} and {} are the same machine, {}",
                    first.name.value,
                    second.name.value,
                    quoted(&b.host)
                ))
                .note(format!(
                    "their ssh destinations: {} and {}",
                    a.origin, b.origin
                )),
            );
        },
    );
}

/// Host names listed or compared with others at most; a lab may have thousands.
const MOST_NAMES: usize = 12;

fn name_list(hosts: &[&HostDraft]) -> String {
    let names: Vec<&str> = hosts
        .iter()
        .take(MOST_NAMES)
        .map(|host| host.name.value.as_str())
        .collect();
    match hosts.len().saturating_sub(MOST_NAMES) {
        0 => names.join(" "),
        more => format!("{} and {more} more", names.join(" ")),
    }
}

fn mixed(
    place: Place,
    with: &[&HostDraft],
    without: &[&HostDraft],
    others: &Machines,
    mistakes: &mut Mistakes<'_, '_>,
) {
    let mut problem = Problem::new("some hosts have an ssh destination and some have none")
        .note(format!("with: {}", name_list(with)))
        .note(format!("without: {}", name_list(without)))
        .note("give every host one, in the topology or the inventory, or none: then all run in the sandbox");
    for host in without.iter().take(MOST_NAMES) {
        let candidates = others.keys().map(|name| name.as_str());
        if let Some(near) = nearest(host.name.value.as_str(), candidates) {
            let origin = others
                .iter()
                .find(|(name, _)| name.as_str() == near)
                .map_or("", |(_, target)| target.origin.as_str());
            problem = problem.note(format!(
                "the inventory has {} ({origin}); did you mean `{}`?",
                quoted(near),
                host.name.value
            ));
        }
    }
    mistakes.add(place, problem);
}

/// The sandbox's machines have a management interface each, in a network of its own.
fn sandbox_network(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let clash = named_addresses(draft)
        .into_iter()
        .find(|(at, _)| overlap(at.value.trunc(), SANDBOX_NETWORK));
    if let Some((at, what)) = clash {
        mistakes.add(
            at.place,
            Problem::new(format!(
                "{what}, `{}`, is in {SANDBOX_NETWORK}, the sandbox's own network",
                at.value
            ))
            .note("a lab in the sandbox can use any other network"),
        );
    }
}

fn build(draft: Draft) -> Lab {
    let inner = match draft.mode.value {
        Mode::Nat => 1,
        Mode::Dr => 0,
    };
    let attachment = |segment, address, interface: Option<At<InterfaceName>>| Attachment {
        segment,
        address,
        interface: interface.map(|at| at.value),
    };
    let host = |host: HostDraft, role, mut before: Vec<Attachment>, segment| {
        before.push(attachment(segment, host.address.value, host.interface));
        Host {
            name: host.name.value,
            role,
            attachments: before,
            ssh: host.ssh,
        }
    };
    // The VIP is the NAT director's own address in the clients' network; in direct routing it is an alias.
    let public = match draft.mode.value {
        Mode::Nat => vec![attachment(0, draft.vip.value, draft.vip_interface)],
        Mode::Dr => Vec::new(),
    };
    let mut hosts = vec![
        host(draft.client, Role::Client, Vec::new(), 0),
        host(draft.director, Role::Director, public, inner),
    ];
    let mut real_servers = Vec::with_capacity(draft.real_servers.len());
    for server in draft.real_servers {
        real_servers.push(RealServer {
            host: server.host.name.value.clone(),
            rip: server.host.address.value,
            weight: server.weight.value,
            page: server.page.value,
        });
        hosts.push(host(server.host, Role::RealServer, Vec::new(), inner));
    }
    Lab::from_checked(LabParts {
        name: draft.lab,
        mode: draft.mode.value,
        service: VirtualService {
            vip: draft.vip.value,
            port: draft.port,
            protocol: draft.protocol,
            scheduler: draft.scheduler,
            persistence: draft.persistence,
        },
        hosts,
        real_servers,
        policy: draft.policy,
    })
}
