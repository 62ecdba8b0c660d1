//! The host's place on its networks: interfaces that are up, its own addresses, and the VIP.

use ipnet::Ipv4Net;

use super::target::{Target, gap, placed};
use super::{Draft, Judged, attached};
use crate::model::InterfaceName;
use crate::requirement::{Need, OwnAddress, Requirement, Verdict};
use crate::resource::AddressState;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::view::Seen;
use crate::verify::{describe, typed};

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    target
        .required
        .iter()
        .filter_map(|requirement| match &requirement.need {
            Need::Link { network } => {
                let interface = target.interfaces().get(*network)?;
                Some(link(target, requirement, interface))
            }
            Need::OwnAddress(wanted) => own(target, requirement, wanted),
            Need::DirectorVip { network, vip } => {
                let interface = target.interfaces().get(*network)?;
                Some(director_vip(target, requirement, (interface, *vip)))
            }
            Need::RealServerVip { vip, device } => {
                let device = device.parse().ok()?;
                Some(real_server_vip(
                    target,
                    requirement,
                    (&device, (*vip).into()),
                ))
            }
            _ => None,
        })
        .collect()
}

fn link(target: Target<'_>, requirement: &Requirement, interface: &InterfaceName) -> Finding {
    let found = target.view.before(target.name()).map(|found| {
        let mut links = found.links.iter();
        links
            .find(|link| link.name == *interface)
            .map(|link| link.up)
    });
    let lost = taken_along(target, interface, None);
    Draft::new(
        target.name(),
        Subject::Link(interface.clone()),
        format!("{interface} is up"),
    )
    .expected("up")
    .why(requirement.why.clone())
    .fix(
        [format!("ip link set {interface} up")]
            .into_iter()
            .chain(lost),
    )
    .judged(found.map(|up| {
        let seen = match up {
            Some(true) => "up",
            Some(false) => "down",
            None => "no such interface",
        };
        Judged::new(up == Some(true), seen)
    }))
}

fn own(target: Target<'_>, requirement: &Requirement, wanted: &OwnAddress) -> Option<Finding> {
    let interface = target.interfaces().get(wanted.network)?;
    let address = wanted.address;
    let add = typed::add_address(target.system(), interface, address);
    let lost = taken_along(target, interface, Some(address));
    let term = describe::term(target.lab(), address.addr());
    Some(
        Draft::new(
            target.name(),
            Subject::Address(placed(interface, address)),
            format!("{interface} has {term}{address}"),
        )
        .expected(format!("{address} on {interface}"))
        .why(requirement.why.clone())
        .fix(repair(
            target,
            (interface, &[address]),
            add.into_iter().chain(lost),
        ))
        .needs([target.id(Subject::Link(interface.clone()))])
        .judged(judged(target, requirement)),
    )
}

/// Beside the director's own address; as a secondary one of the same network it goes with that.
fn director_vip(
    target: Target<'_>,
    requirement: &Requirement,
    (interface, vip): (&InterfaceName, Ipv4Net),
) -> Finding {
    let primary = target
        .host
        .attachments
        .iter()
        .filter(|attachment| attachment.address.trunc() == vip.trunc())
        .map(|attachment| Subject::Address(placed(interface, attachment.address)));
    let alone = Ipv4Net::from(vip.addr());
    let add = typed::add_alias("add", interface, vip);
    Draft::new(
        target.name(),
        Subject::Vip(vip.addr().into()),
        format!("{interface} has the VIP {vip}"),
    )
    .expected(format!("{vip} or {alone} on {interface}"))
    .why(requirement.why.clone())
    .fix(repair(target, (interface, &[vip, alone]), [add]))
    .needs(
        [Subject::Link(interface.clone())]
            .into_iter()
            .chain(primary)
            .map(|subject| target.id(subject)),
    )
    .judged(judged(target, requirement))
}

fn real_server_vip(
    target: Target<'_>,
    requirement: &Requirement,
    (device, vip): (&InterfaceName, Ipv4Net),
) -> Finding {
    let add = typed::add_alias("add", device, vip);
    Draft::new(
        target.name(),
        Subject::Vip(vip.addr().into()),
        format!("{device} has the VIP {vip}"),
    )
    .expected(format!("{vip} on {device}"))
    .why(requirement.why.clone())
    .fix(repair(target, (device, &[vip]), [add]))
    .judged(judged(target, requirement))
}

fn judged(target: Target<'_>, requirement: &Requirement) -> Seen<Judged> {
    match target.judge(requirement)? {
        Verdict::Holds { seen } => Ok(Judged::new(true, seen)),
        Verdict::Fails { seen, .. } => Ok(Judged::new(false, seen)),
        Verdict::Unknown { cause, .. } => Err(gap(target.name(), cause)),
    }
}

/// Takes away what has the address in a wrong place or with a wrong prefix, and adds it where it is in no right one.
fn repair(
    target: Target<'_>,
    (interface, right): (&InterfaceName, &[Ipv4Net]),
    add: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let found = target.view.before(target.name());
    let there: Vec<&AddressState> = found
        .iter()
        .flat_map(|found| &found.addresses)
        .filter(|state| right.iter().any(|one| one.addr() == state.address.addr()))
        .collect();
    let is_right = |state: &AddressState| {
        state.interface == *interface && right.iter().any(|one| state.address == (*one).into())
    };
    let mut commands: Vec<String> = there
        .iter()
        .filter(|state| !is_right(state))
        .map(|state| attached::delete(state))
        .collect();
    if !there.iter().any(|state| is_right(state)) {
        commands.extend(add);
    }
    commands
}

/// What is lost with an interface, or with an address on it, and has to be set again: the VIP in the same network, which
/// is secondary to the address, and the default route.
fn taken_along(
    target: Target<'_>,
    interface: &InterfaceName,
    address: Option<Ipv4Net>,
) -> Vec<String> {
    target
        .required
        .iter()
        .flat_map(|requirement| match &requirement.need {
            Need::DirectorVip { network, vip }
                if target.interfaces().get(*network) == Some(interface)
                    && address.is_some_and(|address| address.trunc() == vip.trunc()) =>
            {
                vec![typed::add_alias("replace", interface, *vip)]
            }
            Need::Way(way) if target.interfaces().get(way.network) == Some(interface) => way
                .via
                .map(|via| typed::default_route(target.system(), interface, via.into()))
                .unwrap_or_default(),
            _ => Vec::new(),
        })
        .collect()
}
