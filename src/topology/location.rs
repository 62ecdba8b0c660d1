//! Where the hosts are. Either all are in the sandbox, or all are machines that exist already.

use ipnet::Ipv4Net;

use super::error::quoted;
use super::inventory::Machines;
use super::networks::{named_addresses, overlap};
use super::problem::{Mistakes, Place, Problem};
use super::read::{Draft, HostDraft};
use super::repeated::twice;
use super::suggest::nearest;

/// QEMU's user network, which carries the sandbox's management interfaces.
const SANDBOX_NETWORK: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 0, 2, 0), 24);

/// Name of the management interface on every sandbox host.
const SANDBOX_INTERFACE: &str = "mgmt0";

/// Puts the inventory's destinations into the draft. Returns the inventory's hosts that the lab does not have.
pub(super) fn locate(draft: &mut Draft, machines: Option<Machines>) -> Machines {
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

/// Reports a lab that is partly in the sandbox and partly on other machines.
pub(super) fn check(draft: &Draft, others: &Machines, mistakes: &mut Mistakes<'_, '_>) {
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

/// Most host names that a message lists or that are compared; a lab may have thousands.
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

/// Reports what would collide with the management interface that each sandbox host has.
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
    let names = draft.hosts().filter_map(|host| host.interface.as_ref());
    let clash = names
        .chain(draft.vip_interface.as_ref())
        .find(|name| name.value.as_str() == SANDBOX_INTERFACE);
    if let Some(name) = clash {
        mistakes.add(
            name.place,
            Problem::new(format!(
                "{} is how the sandbox's machines are logged in to, no interface for a lab network",
                quoted(SANDBOX_INTERFACE)
            ))
            .note("leave the name out, or take another, like eth0"),
        );
    }
}
