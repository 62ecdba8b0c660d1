//! The way that a host's packets take to another host of the lab.

use std::net::Ipv4Addr;

use super::{Hop, HostState, Interfaces, Need, Requirement, Verdict};
use crate::model::{Host, Lab, NetworkId, Replies, Role};

/// A way to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub to: Ipv4Addr,
    /// The network that packets leave through.
    pub network: NetworkId,
    /// The director, where it has to see them; `None` where they go straight to their destination.
    pub via: Option<Ipv4Addr>,
}

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    let outer = host.attachments.first().map(|one| one.network);
    let inner = host.attachments.last().map(|one| one.network);
    let (Some(outer), Some(inner)) = (outer, inner) else {
        return Vec::new();
    };
    if host.is(Role::Director) {
        let to_clients = clients(lab).map(|cip| {
            straight(
                (cip, outer),
                "The director sends its own answers and, under NAT, those of the real servers to the client this way.",
                "Requests hang: answers that the director passes on do not find the client.",
            )
        });
        let servers = lab.services().iter().flat_map(|one| &one.real_servers);
        let others = servers.filter(|server| server.host != host.name);
        let to_real_servers = others.map(|server| {
            straight(
                (server.address(), inner),
                "The director hands requests to the real server over the segment they share.",
                "The requests that this real server is chosen for hang.",
            )
        });
        to_clients.chain(to_real_servers).collect()
    } else if host.is(Role::RealServer) {
        clients(lab)
            .map(|cip| back(lab, host, (cip, inner)))
            .collect()
    } else {
        let vips = lab.services().iter().map(|service| service.vip.addr());
        vips.map(|vip| {
            straight(
                (vip, outer),
                "The client must ask for the VIP on the segment the director is on.",
                "Requests leave the client on another network, or not at all.",
            )
        })
        .collect()
    }
}

/// The CIP of every client.
fn clients(lab: &Lab) -> impl Iterator<Item = Ipv4Addr> {
    let clients = lab.hosts_with(Role::Client);
    clients
        .filter_map(|client| client.attachments.first())
        .map(|attachment| attachment.address.addr())
}

fn straight((to, network): (Ipv4Addr, NetworkId), why: &str, symptom: &'static str) -> Requirement {
    Requirement {
        need: Need::Way(Way {
            to,
            network,
            via: None,
        }),
        service: None,
        why: why.to_owned(),
        symptom,
    }
}

/// From a real server to the client: through the director where one of its methods asks for that, since a host has one
/// way to an address.
fn back(lab: &Lab, host: &Host, (cip, network): (Ipv4Addr, NetworkId)) -> Requirement {
    let methods = lab.methods_at(host);
    let mut profiles = methods.iter().map(|method| method.profile());
    let through = profiles
        .clone()
        .any(|profile| profile.replies == Replies::ThroughDirector);
    let why = if through {
        format!(
            "Answers to the client {cip} must go back through the director, which puts the VIP back as their source; \
             sent any other way the client would not know them."
        )
    } else {
        let words = profiles.next().map(|profile| &profile.words);
        words.map_or_else(String::new, |words| words.client_route_why.to_owned())
    };
    Requirement {
        need: Need::Way(Way {
            to: cip,
            network,
            via: through.then(|| lab.dip().addr()),
        }),
        service: None,
        why,
        symptom: "The requests that this real server is chosen for hang: its answers do not reach the client, or \
                  come from an address that the client never asked.",
    }
}

pub(super) fn judge(way: &Way, interfaces: &Interfaces, state: &HostState) -> Verdict {
    let Some(interface) = interfaces.get(way.network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    if state.addresses.is_none() && state.routes.is_empty() {
        return Verdict::not_seen("its routes");
    }
    let Some(found) = state.hop(way.to) else {
        return Verdict::fails("no route", []);
    };
    let (right, words) = match &found.value {
        Hop::Link(name) => (
            way.via.is_none() && name == interface,
            format!("dev {name}, on the link"),
        ),
        Hop::Gateway {
            via,
            interface: name,
        } => (
            way.via == Some(*via) && name == interface,
            format!("via {via} dev {name}"),
        ),
        Hop::Local => (false, "stays on the host".to_owned()),
        Hop::Nowhere => (false, "dropped by a route".to_owned()),
    };
    if right {
        Verdict::holds(words)
    } else {
        Verdict::fails(words, found.origin)
    }
}
