//! The VIP where it is no host's own address: beside the director's own, and on the real servers that are handed
//! packets addressed to it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::attachment::judge_places;
use super::{HostState, Interfaces, Need, Requirement, Verdict};
use crate::model::{Host, Lab, NetworkId, RealServer, Role, VirtualService};

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    if host.is(Role::Director) {
        let services = lab.services().iter();
        services
            .filter_map(|service| at_director(service, host))
            .collect()
    } else if host.is(Role::RealServer) {
        lab.served_by(host.name.as_str())
            .filter_map(|(service, server)| at_real_server(service, server))
            .collect()
    } else {
        Vec::new()
    }
}

fn at_director(service: &VirtualService, host: &Host) -> Option<Requirement> {
    let vip = service.vip;
    let own = |address: Ipv4Net| address.addr() == vip.addr();
    if host.attachments.iter().any(|one| own(one.address)) {
        return None;
    }
    let attachment = host
        .attachments
        .iter()
        .find(|one| one.address.contains(&vip.addr()))?;
    Some(Requirement {
        need: Need::DirectorVip {
            network: attachment.network,
            vip,
        },
        service: Some(super::service::key(service)),
        why: "Clients ask for the VIP, so the director answers ARP for it; as an alias it stands beside the DIP and \
              can move to another director alone."
            .to_owned(),
        symptom: "Requests find nobody: the client's ARP requests for the VIP stay unanswered.",
    })
}

fn at_real_server(service: &VirtualService, server: &RealServer) -> Option<Requirement> {
    let device = server.method.profile().real_server_vip?;
    Some(Requirement {
        need: Need::RealServerVip {
            vip: service.vip.addr(),
            device,
        },
        service: Some(super::service::key(service)),
        why: "Requests come with the VIP as their destination; the real server takes them only when the VIP is an \
              address of its own, and on lo it is one without being on the wire."
            .to_owned(),
        symptom: "The requests that this real server is chosen for hang: it takes them for another host's and drops \
                  them.",
    })
}

/// Either prefix will do: with its own (/32) it is an address beside the network, with the network's one inside it.
pub(super) fn judge_director(
    (network, vip): (NetworkId, Ipv4Net),
    interfaces: &Interfaces,
    state: &HostState,
) -> Verdict {
    let Some(interface) = interfaces.get(network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    judge_places(vip.addr(), state, |found| {
        found.interface == *interface
            && matches!(found.address.prefix_len(), prefix if prefix == 32 || prefix == vip.prefix_len())
    })
}

/// With a shorter prefix the host would take others of the network for its own or send to them through a device that
/// leads nowhere; on an interface of a lab network it would answer ARP for the VIP whatever `arp_ignore` says.
pub(super) fn judge_real_server(
    vip: Ipv4Addr,
    interfaces: &Interfaces,
    state: &HostState,
) -> Verdict {
    judge_places(vip, state, |found| {
        let on_the_wire = interfaces.names().any(|name| *name == found.interface);
        found.address.prefix_len() == 32 && !on_the_wire
    })
}
