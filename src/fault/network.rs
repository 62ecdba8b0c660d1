//! Addresses.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Damage;
use super::planned_host::PlannedHost;
use crate::model::{InterfaceName, Replies};
use crate::resource::Resource;
use crate::verify::{CheckId, Subject};

pub(super) fn address_missing(host: &PlannedHost<'_>) -> Option<Damage> {
    let (address, interface) = (host.own_address()?, host.own_interface()?);
    let check = host.check_of_own_address()?;
    Some(Damage {
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("{interface} has not {address}"),
            check,
            vec![format!("ip address del {address} dev {interface}")],
        )
    })
}

/// With replies through the director: a network so wide that the client seems to be in it. With replies past it: so
/// narrow that the client seems to be outside.
pub(super) fn wrong_mask(host: &PlannedHost<'_>) -> Option<Damage> {
    let (address, interface) = (host.own_address()?, host.own_interface()?);
    let check = host.check_of_own_address()?;
    let cip = host.lab().cip().addr();
    let length = match host.profile().replies {
        Replies::ThroughDirector => common_bits(address.addr(), cip),
        Replies::PastDirector => 32,
    };
    host.only(length >= 8 && length != address.prefix_len())?;
    let wrong = Ipv4Net::new(address.addr(), length).ok()?;
    let mut inflict = vec![
        format!("ip address del {address} dev {interface}"),
        format!("ip address add {wrong} dev {interface}"),
    ];
    if let Some(route) = host.gateway() {
        // The route went with the address.
        inflict.push(format!(
            "ip route replace default via {} dev {}",
            route.via, route.interface
        ));
    }
    Some(Damage {
        cuts: Some(interface.clone()),
        ..Damage::new(
            format!("the mask of {wrong} on {interface}"),
            check,
            inflict,
        )
    })
}

fn common_bits(a: Ipv4Addr, b: Ipv4Addr) -> u8 {
    u8::try_from((u32::from(a) ^ u32::from(b)).leading_zeros()).unwrap_or(0)
}

pub(super) fn vip_missing(host: &PlannedHost<'_>) -> Option<Damage> {
    let vip = host.vip()?;
    let check = host.check_of(|r| matches!(r, Resource::Address(other) if other == vip))?;
    Some(Damage {
        // Without a label it is the interface's only address.
        cuts: vip.label.is_none().then(|| vip.interface.clone()),
        ..Damage::new(
            format!("{} has not the VIP {}", vip.interface, vip.address),
            check,
            vec![format!(
                "ip address del {} dev {}",
                vip.address, vip.interface
            )],
        )
    })
}

pub(super) fn vip_mask(host: &PlannedHost<'_>) -> Option<Damage> {
    let vip = host.vip()?;
    let check = host.check_of(|r| matches!(r, Resource::Address(other) if other == vip))?;
    let wrong = host.lab().service().vip;
    host.only(vip.address != wrong.into())?;
    let (lo, label) = (&vip.interface, vip.label.as_deref()?);
    Some(Damage {
        cuts: host.own_interface().cloned(),
        ..Damage::new(
            format!("the mask of the VIP {wrong} on {lo}"),
            check,
            vec![
                format!("ip address del {} dev {lo}", vip.address),
                format!("ip address add {wrong} label {label} dev {lo}"),
            ],
        )
    })
}

pub(super) fn second_address(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = host.own_interface()?;
    let network = host.lab().cip();
    let address = Ipv4Net::new(host.free_address(network)?, network.prefix_len()).ok()?;
    Some(added_address(
        host,
        address,
        interface,
        host.check(Subject::NoWayAroundDirector),
    ))
}

pub(super) fn address_twice(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = host.own_interface()?;
    let address = Ipv4Net::from(host.other_server()?.address());
    Some(added_address(
        host,
        address,
        interface,
        host.check(Subject::OwnAddresses),
    ))
}

pub(super) fn vip_at_client(host: &PlannedHost<'_>) -> Option<Damage> {
    let vip = Ipv4Net::from(host.lab().vip());
    let lo = "lo".parse().ok()?;
    let cause = host.check(Subject::OwnAddresses);
    Some(added_address(host, vip, &lo, cause))
}

/// The kernel treats the whole network of an address on lo as local.
pub(super) fn stray_address(host: &PlannedHost<'_>) -> Option<Damage> {
    let network = host.own_address()?;
    let to = host.next_destination()?;
    host.only(network.contains(&to))?;
    let address = Ipv4Net::new(host.free_address(network)?, network.prefix_len()).ok()?;
    let lo = "lo".parse().ok()?;
    let cause = host.check(Subject::Route(to.into()));
    Some(Damage {
        cuts: host.own_interface().cloned(),
        ..added_address(host, address, &lo, cause)
    })
}

fn added_address(
    host: &PlannedHost<'_>,
    address: Ipv4Net,
    interface: &InterfaceName,
    cause: CheckId,
) -> Damage {
    let name = host.name();
    Damage {
        undo: vec![format!(
            "ip address del {address} dev {interface} 2> /dev/null || true"
        )],
        ..Damage::new(
            format!("{name} has {address} on {interface}"),
            cause,
            vec![format!("ip address add {address} dev {interface}")],
        )
    }
}
