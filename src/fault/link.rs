//! Interfaces and neighbour tables.

use super::Damage;
use super::planned_host::PlannedHost;
use crate::model::NetworkId;
use crate::resource::Resource;
use crate::verify::Subject;

/// A MAC that no host has: locally administered, and not one that the sandbox makes up.
const NO_HOST: &str = "02:00:5e:00:53:01";

pub(super) fn link_down(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = host.own_interface()?;
    let check = host.check_of(
        |resource| matches!(resource, Resource::Link(link) if link.interface == *interface),
    )?;
    Some(Damage {
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("{interface} is not up"),
            check,
            vec![format!("ip link set {interface} down")],
        )
    })
}

pub(super) fn loopback_down(host: &PlannedHost<'_>) -> Option<Damage> {
    Some(Damage {
        undo: vec!["ip link set lo up".to_owned()],
        ..Damage::new(
            "lo is not up",
            host.check(Subject::Link("lo".parse().ok()?)),
            vec!["ip link set lo down".to_owned()],
        )
    })
}

pub(super) fn arp_off(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = host.own_interface()?;
    Some(Damage {
        undo: vec![format!("ip link set {interface} arp on")],
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("ARP is off on {interface}"),
            host.check(Subject::Arp(interface.clone())),
            vec![format!("ip link set {interface} arp off")],
        )
    })
}

pub(super) fn wrong_neighbour(host: &PlannedHost<'_>) -> Option<Damage> {
    let lab = host.lab();
    let (address, network) = if host.is_director() {
        (host.served()?.address(), lab.servers_network())
    } else {
        (lab.vip(), lab.clients_network())
    };
    pinned(host, address, network, NO_HOST)
}

pub(super) fn vip_at_real_server(host: &PlannedHost<'_>) -> Option<Damage> {
    let server = host.other_server()?;
    let network = host.lab().clients_network();
    let mac = host.mac_of(&server.host, network).unwrap_or(NO_HOST);
    pinned(host, host.lab().vip(), network, mac)
}

fn pinned(
    host: &PlannedHost<'_>,
    address: std::net::Ipv4Addr,
    network: NetworkId,
    mac: &str,
) -> Option<Damage> {
    let interface = host.interface(network)?;
    Some(Damage {
        undo: vec![format!(
            "ip neighbour del {address} dev {interface} 2> /dev/null || true"
        )],
        ..Damage::new(
            format!("the neighbour entry for {address} on {interface}"),
            host.check(Subject::Neighbour(address.into())),
            vec![format!(
                "ip neighbour replace {address} lladdr {mac} nud permanent dev {interface}"
            )],
        )
    })
}
