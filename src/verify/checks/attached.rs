//! How a host is attached to the lab: carrier and ARP on its interfaces, and no address that is another's.

use std::net::{IpAddr, Ipv4Addr};

use super::target::Target;
use super::{Draft, Judged};
use crate::agent::protocol::LinkEvidence;
use crate::model::{HostName, InterfaceName};
use crate::requirement::Need;
use crate::resource::AddressState;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::probes;
use crate::verify::view::{Seen, View, untold};

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    let interfaces = target.interfaces().names();
    let mut findings: Vec<Finding> = interfaces
        .flat_map(|interface| [carrier(target, interface), arp(target, interface)])
        .collect();
    findings.extend(loopback(target));
    findings.push(own_addresses(target));
    if replies_through_director(target) {
        findings.push(detour(target));
    }
    findings
}

/// A real server whose replies must pass the director.
fn replies_through_director(target: Target<'_>) -> bool {
    let mut ways = probes::ways(target.required);
    ways.any(|way| way.via.is_some())
}

fn link<'a>(view: View<'a>, host: &HostName, interface: &InterfaceName) -> Seen<&'a LinkEvidence> {
    let found = view.before(host)?;
    let link = found.links.iter().find(|link| link.name == *interface);
    link.ok_or_else(|| untold(host, format_args!("the interface {interface}")))
}

fn carrier(target: Target<'_>, interface: &InterfaceName) -> Finding {
    let host = target.name();
    let link = link(target.view, host, interface);
    Draft::new(
        host,
        Subject::Carrier(interface.clone()),
        format!("{interface} has carrier"),
    )
    .expected("carrier")
    .why("Without carrier nothing leaves or reaches the host on this interface: a cable or a virtual switch port.")
    .needs([target.id(Subject::Link(interface.clone()))])
    .judged(link.map(|link| {
        Judged::new(
            link.carrier,
            if link.carrier { "carrier" } else { "no carrier" },
        )
    }))
}

/// Old instructions hide the VIP with `ifconfig -arp`, which hides every address of the interface.
fn arp(target: Target<'_>, interface: &InterfaceName) -> Finding {
    let host = target.name();
    let link = link(target.view, host, interface);
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
fn loopback(target: Target<'_>) -> Option<Finding> {
    let (view, host) = (target.view, target.host);
    let mut needs = target.required.iter().map(|requirement| &requirement.need);
    if !needs.any(|need| matches!(need, Need::RealServerVip { device: "lo", .. })) {
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
/// The host's own are judged by themselves, wherever on it they are found.
fn own_addresses(target: Target<'_>) -> Finding {
    let view = target.view;
    let lab = view.lab();
    let name = target.name();
    let stolen = |state: &&AddressState| is_ipv4(state, |address| is_another_s(target, address));
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

/// Whether the lab gives this address to another host and not to this one.
pub(super) fn is_another_s(target: Target<'_>, address: Ipv4Addr) -> bool {
    let lab = target.lab();
    let mut others = lab
        .hosts()
        .iter()
        .filter(|other| other.name != *target.name())
        .flat_map(|other| &other.attachments)
        .map(|attachment| attachment.address.addr())
        .chain([lab.vip()]);
    let own = target.addresses().any(|own| own == address);
    !own && others.any(|other| other == address)
}

/// Whether replies would go straight to the client from this address, past a director that has to see them.
pub(super) fn is_detour(target: Target<'_>, address: Ipv4Addr) -> bool {
    let clients = target.lab().cip().trunc();
    replies_through_director(target) && clients.contains(&address)
}

/// Labs have IPv4 addresses only: no other can be wrong in one.
fn is_ipv4(state: &AddressState, and: impl Fn(Ipv4Addr) -> bool) -> bool {
    match state.address.addr() {
        IpAddr::V4(address) => and(address),
        IpAddr::V6(_) => false,
    }
}

/// Takes an address off the host.
pub(super) fn delete(state: &AddressState) -> String {
    format!("ip address del {} dev {}", state.address, state.interface)
}

/// A NAT real server in the clients' network answers clients itself, from its RIP, which they never asked.
fn detour(target: Target<'_>) -> Finding {
    let view = target.view;
    let clients = view.lab().cip().trunc();
    let name = target.name();
    let found = view.before(name).map(|found| {
        found
            .addresses
            .iter()
            .filter(|state| is_ipv4(state, |address| is_detour(target, address)))
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
pub(super) fn of(target: Target<'_>) -> Vec<CheckId> {
    let own = [Subject::OwnAddresses, Subject::NoWayAroundDirector];
    let mut ids = target.attachment();
    ids.extend(own.map(|subject| target.id(subject)));
    ids
}
