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
    let (cip, vip) = (lab.cip().addr(), lab.vip());
    let way = |to, network, why: String, symptom| Requirement {
        need: Need::Way(Way {
            to,
            network,
            via: None,
        }),
        service: None,
        why,
        symptom,
    };
    let outer = host.attachments.first().map(|one| one.network);
    let inner = host.attachments.last().map(|one| one.network);
    let (Some(outer), Some(inner)) = (outer, inner) else {
        return Vec::new();
    };
    if host.is(Role::Director) {
        let to_client = way(
            cip,
            outer,
            "The director sends its own answers and, under NAT, those of the real servers to the client this way."
                .to_owned(),
            "Requests hang: answers that the director passes on do not find the client.",
        );
        let others = lab
            .real_servers()
            .iter()
            .filter(|server| server.host != host.name);
        let to_real_servers = others.map(|server| {
            way(
                server.address(),
                inner,
                "The director hands requests to the real server over the segment they share."
                    .to_owned(),
                "The requests that this real server is chosen for hang.",
            )
        });
        std::iter::once(to_client).chain(to_real_servers).collect()
    } else if host.is(Role::RealServer) {
        vec![to_client(lab, inner)]
    } else {
        vec![way(
            vip,
            outer,
            "The client must ask for the VIP on the segment the director is on.".to_owned(),
            "Requests leave the client on another network, or not at all.",
        )]
    }
}

fn to_client(lab: &Lab, network: NetworkId) -> Requirement {
    let profile = lab.profile();
    let cip = lab.cip().addr();
    let through = profile.replies == Replies::ThroughDirector;
    Requirement {
        need: Need::Way(Way {
            to: cip,
            network,
            via: through.then(|| lab.dip().addr()),
        }),
        service: None,
        why: if through {
            format!(
                "Answers to the client {cip} must go back through the director, which puts the VIP back as their \
                 source; sent any other way the client would not know them."
            )
        } else {
            profile.words.client_route_why.to_owned()
        },
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
