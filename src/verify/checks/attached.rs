//! How a host is attached to the lab: carrier and ARP on its interfaces, and no address that is another's.

use std::net::Ipv4Addr;

use super::planned::named;
use super::{Draft, Judged};
use crate::agent::protocol::LinkEvidence;
use crate::model::{Host, HostName, InterfaceName, Lab, Role};
use crate::plan::HostPlan;
use crate::resource::{AddressState, Resource};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::view::{Seen, View, untold};

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Vec<Finding> {
    let mut findings: Vec<Finding> = plan
        .interfaces
        .values()
        .flat_map(|interface| [carrier(view, plan, interface), arp(view, plan, interface)])
        .collect();
    findings.extend(loopback(view, host));
    findings.push(own_addresses(view, host, plan));
    if view.lab().profile().replies_pass_director() && host.is(Role::RealServer) {
        findings.push(detour(view, host));
    }
    findings
}

fn link<'a>(view: View<'a>, host: &HostName, interface: &InterfaceName) -> Seen<&'a LinkEvidence> {
    let found = view.before(host)?;
    let link = found.links.iter().find(|link| link.name == *interface);
    link.ok_or_else(|| untold(host, format_args!("the interface {interface}")))
}

fn carrier(view: View<'_>, plan: &HostPlan, interface: &InterfaceName) -> Finding {
    let host = &plan.host;
    let link = link(view, host, interface);
    Draft::new(
        host,
        Subject::Carrier(interface.clone()),
        format!("{interface} has carrier"),
    )
    .expected("carrier")
    .why("Without carrier nothing leaves or reaches the host on this interface: a cable or a virtual switch port.")
    .needs(named(host, plan, |resource| {
        matches!(resource, Resource::Link(link) if link.interface == *interface)
    }))
    .judged(link.map(|link| {
        Judged::new(
            link.carrier,
            if link.carrier { "carrier" } else { "no carrier" },
        )
    }))
}

/// Old instructions hide the VIP with `ifconfig -arp`, which hides every address of the interface.
fn arp(view: View<'_>, plan: &HostPlan, interface: &InterfaceName) -> Finding {
    let host = &plan.host;
    let link = link(view, host, interface);
    Draft::new(
        host,
        Subject::Arp(interface.clone()),
        format!("{interface} asks and answers by ARP"),
    )
    .expected("ARP is on")
    .why(
        "With ARP off nobody finds this host's MAC and it finds nobody's. What keeps a real server from answering for \
         the VIP alone is arp_ignore.",
    )
    .fix([format!("ip link set {interface} arp on")])
    .judged(link.map(|link| {
        let seen = if link.no_arp { "ARP is off" } else { "ARP is on" };
        Judged::new(!link.no_arp, seen)
    }))
}

fn lo() -> InterfaceName {
    "lo".parse().expect("a valid name")
}

/// The kernel has the routes of an interface's addresses only while it is up (`fib_disable_ip`,
/// net/ipv4/fib_frontend.c), and keeps the addresses themselves.
fn loopback(view: View<'_>, host: &Host) -> Option<Finding> {
    if view.lab().profile().replies_pass_director() || !host.is(Role::RealServer) {
        return None;
    }
    Some(
        Draft::new(&host.name, Subject::Link(lo()), "lo is up")
            .expected("up")
            .why("An address on an interface that is down is not the host's own: it takes no packets for the VIP.")
            .fix(["ip link set lo up".to_owned()])
            .judged(link(view, &host.name, &lo()).map(|lo| Judged::new(lo.up, if lo.up { "up" } else { "down" }))),
    )
}

/// Two hosts with one address take each other's packets, now one, now the other.
///
/// Addresses that the plan puts on this host are judged as planned resources, wherever they are found.
fn own_addresses(view: View<'_>, host: &Host, plan: &HostPlan) -> Finding {
    let lab = view.lab();
    let name = &host.name;
    let stolen = |state: &&AddressState| is_another_s(lab, plan, state.address.addr());
    let found = view.before(name).map(|found| {
        let stolen: Vec<&AddressState> = found.addresses.iter().filter(stolen).collect();
        stolen
    });
    let fix: Vec<String> = found
        .as_ref()
        .map(|stolen| stolen.iter().copied().map(delete).collect())
        .unwrap_or_default();
    Draft::new(
        name,
        Subject::OwnAddresses,
        format!("{name} has no address of another host"),
    )
    .expected("none of another host's addresses")
    .why("Where two hosts have an address, ARP decides by chance which of them gets the packets.")
    .fix(fix)
    .judged(found.map(|stolen| {
        Judged::new(
            stolen.is_empty(),
            describe::joined(
                stolen.into_iter().map(|state| {
                    format!(
                        "{}{}",
                        describe::term(lab, state.address.addr()),
                        describe::address(state)
                    )
                }),
                "none of another host's addresses",
            ),
        )
    }))
}

/// Whether the lab gives this address to another host than the one of the plan.
pub(super) fn is_another_s(lab: &Lab, plan: &HostPlan, address: Ipv4Addr) -> bool {
    let planned = plan
        .steps
        .iter()
        .any(|step| matches!(&step.resource, Resource::Address(a) if a.address.addr() == address));
    let mut others = lab
        .hosts()
        .iter()
        .filter(|other| other.name != plan.host)
        .flat_map(|other| &other.attachments)
        .map(|attachment| attachment.address.addr())
        .chain([lab.vip()]);
    !planned && others.any(|other| other == address)
}

/// Takes an address off the host.
pub(super) fn delete(state: &AddressState) -> String {
    format!("ip address del {} dev {}", state.address, state.interface)
}

/// A NAT real server in the clients' network answers clients itself, from its RIP, which they never asked.
fn detour(view: View<'_>, host: &Host) -> Finding {
    let clients = view.lab().cip().trunc();
    let name = &host.name;
    let found = view.before(name).map(|found| {
        found
            .addresses
            .iter()
            .filter(|state| clients.contains(&state.address.addr()))
            .collect::<Vec<_>>()
    });
    let fix: Vec<String> = found
        .as_ref()
        .map(|inside| inside.iter().copied().map(delete).collect())
        .unwrap_or_default();
    Draft::new(
        name,
        Subject::NoWayAroundDirector,
        format!("{name} has no address in the clients' network {clients}"),
    )
    .expected(format!("no address in {clients}"))
    .why(
        "Its answers would go to the client straight and not through the director, which then cannot \
         put the VIP back as their source: the client drops them and the connection hangs.",
    )
    .fix(fix)
    .judged(found.map(|inside| {
        Judged::new(
            inside.is_empty(),
            describe::joined(
                inside.into_iter().map(describe::address),
                &format!("no address in {clients}"),
            ),
        )
    }))
}

/// Everything that a route of this host depends on.
pub(super) fn of(plan: &HostPlan) -> Vec<CheckId> {
    let mut ids = named(&plan.host, plan, |resource| {
        matches!(
            resource,
            Resource::Link(_) | Resource::Address(_) | Resource::DefaultRoute(_)
        )
    });
    ids.extend(
        [Subject::OwnAddresses, Subject::NoWayAroundDirector]
            .map(|subject| CheckId::new(&plan.host, subject)),
    );
    ids
}
