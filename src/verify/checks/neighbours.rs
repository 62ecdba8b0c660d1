//! What hosts believe about each other's MACs: a wrong entry sends packets to nobody or to the wrong host.

use std::net::Ipv4Addr;

use super::{Draft, Judged, Path};
use crate::agent::protocol::Neighbour;
use crate::model::{Host, HostName, NetworkId, Role};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::view::{Seen, View};

/// One check per host and neighbour it hands packets of the lab to; the client's entry for the VIP of
/// its own has one already, which also asks that there is an entry.
pub(super) fn check(view: View<'_>, path: &Path) -> Vec<Finding> {
    let lab = view.lab();
    lab.hosts()
        .iter()
        .flat_map(|host| {
            next_hops(view, host)
                .into_iter()
                .filter_map(move |hop| entry(view, path, host, hop))
        })
        .collect()
}

/// Address, the host that has it, and the network both are on.
type Hop<'a> = (Ipv4Addr, &'a HostName, NetworkId);

fn next_hops<'a>(view: View<'a>, host: &Host) -> Vec<Hop<'a>> {
    let lab = view.lab();
    let inner = lab.servers_network();
    let client = (lab.cip().addr(), &lab.client().name);
    let director = (lab.dip().addr(), &lab.director().name);
    let pass_director = lab.profile().replies_pass_director();
    let mut hops: Vec<Hop<'_>> = Vec::new();
    if host.is(Role::Director) {
        let others = lab
            .real_servers()
            .iter()
            .filter(|server| server.host != host.name);
        hops.extend(others.map(|server| (server.address(), &server.host, inner)));
        if pass_director {
            hops.push((client.0, client.1, lab.clients_network()));
        }
    } else if host.is(Role::RealServer) {
        let (address, owner) = if pass_director { director } else { client };
        hops.push((address, owner, inner));
    }
    hops
}

fn entry(
    view: View<'_>,
    path: &Path,
    host: &Host,
    (address, owner, network): Hop<'_>,
) -> Option<Finding> {
    let lab = view.lab();
    let interface = view.interface(&host.name, network)?;
    // Without a plan of the other host nothing is known of its interface.
    view.interface(owner, network)?;
    let wanted = view.mac(owner, network);
    let seen = entries(view, host).map(|entries| {
        let ours = |entry: &&Neighbour| entry.address == address && entry.interface == *interface;
        entries
            .iter()
            .find(ours)
            .and_then(|entry| entry.mac.as_deref())
    });
    let holder = seen
        .as_ref()
        .ok()
        .and_then(|mac| view.owner_of((*mac)?))
        .filter(|holder| *holder != owner);
    let target = format!("{}{address}", describe::term(lab, address));
    let forget = format!("ip neighbour del {address} dev {interface}");
    let judged = seen.and_then(|mac| {
        let wanted = wanted.clone()?;
        Ok(match mac {
            None => Judged::new(true, "no entry yet"),
            Some(mac) => Judged::new(
                mac.eq_ignore_ascii_case(wanted),
                match view.owner_of(mac) {
                    Some(host) => format!("{mac} ({host})"),
                    None => format!("{mac} (no host of this lab)"),
                },
            ),
        })
    });
    Some(
        Draft::new(
            &host.name,
            Subject::Neighbour(address.into()),
            format!("{} sends what is for {target} to {owner}", host.name),
        )
        .expected(match &wanted {
            Ok(mac) => format!("{mac} ({owner}), or no entry"),
            Err(_) => format!("the MAC of {owner}"),
        })
        .why(format!(
            "The neighbour table says which MAC has {target}; with another one the packets reach nobody, or a host \
             that they are not for."
        ))
        .fix([forget.clone()])
        // The own MAC is in entries made while ARP is off; the kernel drops them when it is switched on
        // (`arp_netdev_event`, net/ipv4/arp.c).
        .leaves(holder.filter(|holder| **holder != host.name).map(|_| forget))
        .needs(path.from(holder.unwrap_or(owner)))
        .judged(judged),
    )
}

/// What the host knew last: the director after the requests, the others before.
fn entries<'a>(view: View<'a>, host: &Host) -> Seen<&'a [Neighbour]> {
    let found = if host.is(Role::Director) {
        view.after(&host.name).or_else(|_| view.before(&host.name))
    } else {
        view.before(&host.name)
    };
    found.map(|found| found.neighbours.as_slice())
}
