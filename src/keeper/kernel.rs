//! The running kernel: it keeps settings, links, addresses, routes and its IPVS table until the next boot.

use super::alias::aliases;
use super::{Purpose, Step, Target, WriteError, ifcfg};
use crate::ipvsadm::save_format;
use crate::model::InterfaceName;
use crate::requirement::{Need, OwnAddress, Requirement, Way};
use crate::resource::{Address, DefaultRoute, IpvsService, Link, OsFamily, Resource, Sysctl};

pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let mut steps = settings(target);
    for requirement in target.requirements {
        let step = match &requirement.need {
            Need::Link { network } => target.interfaces.get(*network).map(link),
            Need::OwnAddress(own) => target
                .interfaces
                .get(own.network)
                .map(|interface| own_address(target, requirement, own, interface)),
            Need::Way(way) => gateway(target, requirement, way),
            Need::VirtualService(wanted) => Some(table(target, requirement, wanted)),
            _ => None,
        };
        steps.extend(step);
    }
    steps.extend(vips(target)?);
    Ok(steps)
}

/// Every setting that some requirement is met by, each key once.
fn settings(target: Target<'_>) -> Vec<Step> {
    super::sysctl_files::course_settings(target)
        .into_iter()
        .map(|setting| Step {
            resource: Resource::Sysctl(Sysctl {
                key: setting.key.to_owned(),
                value: setting.value.to_owned(),
            }),
            purpose: Purpose::Setting,
            why: setting.why.to_owned(),
            by_hand: vec![format!("sysctl -w {}={}", setting.key, setting.value)],
        })
        .collect()
}

fn link(interface: &InterfaceName) -> Step {
    Step {
        resource: Resource::Link(Link {
            interface: interface.clone(),
        }),
        purpose: Purpose::Link,
        why: format!("Nothing is sent or received on {interface} while it is down."),
        by_hand: vec![format!("ip link set {interface} up")],
    }
}

fn own_address(
    target: Target<'_>,
    requirement: &Requirement,
    own: &OwnAddress,
    interface: &InterfaceName,
) -> Step {
    let address = own.address;
    let by_hand = if by_network_manager(target) {
        vec![
            "nmcli connection reload".to_owned(),
            format!(
                "nmcli connection modify {interface} ipv4.method manual ipv4.addresses {address} \
                 connection.autoconnect yes"
            ),
            format!("nmcli connection up {interface}"),
        ]
    } else {
        vec![format!("ip address add {address} brd + dev {interface}")]
    };
    Step {
        resource: Resource::Address(Address {
            interface: interface.clone(),
            address: address.into(),
            label: None,
        }),
        purpose: Purpose::OwnAddress,
        why: requirement.why.clone(),
        by_hand,
    }
}

/// Whether a person would type `nmcli`.
fn by_network_manager(target: Target<'_>) -> bool {
    target.facts.family == OsFamily::Rhel && target.facts.network_manager
}

fn vips(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let steps = aliases(target)?.into_iter().map(|alias| {
        let broadcast = if alias.address.prefix_len() == 32 {
            ""
        } else {
            "brd + "
        };
        Step {
            why: alias.requirement.why.clone(),
            purpose: Purpose::Vip,
            by_hand: vec![format!(
                "ip address add {} {broadcast}label {} dev {}",
                alias.address, alias.label, alias.interface
            )],
            resource: Resource::Address(Address {
                interface: alias.interface,
                address: alias.address.into(),
                label: Some(alias.label),
            }),
        }
    });
    Ok(steps.collect())
}

/// The director as the default gateway, where replies have to pass it.
fn gateway(target: Target<'_>, requirement: &Requirement, way: &Way) -> Option<Step> {
    let via = way.via?;
    let interface = target.interfaces.get(way.network)?;
    let by_machine = target.needs().any(|need| {
        matches!(need, Need::OwnAddress(own)
            if own.network == way.network && ifcfg::left_to_the_machine(target, own))
    });
    let mut why = requirement.why.clone();
    if by_machine {
        why += &format!(
            " ({} configures {interface} itself: make the gateway permanent there, too.)",
            target.host
        );
    }
    let by_hand = if by_network_manager(target) {
        vec![
            format!("nmcli connection modify {interface} ipv4.method manual ipv4.gateway {via}"),
            format!("nmcli connection up {interface}"),
        ]
    } else {
        vec![format!(
            "ip route replace default via {via} dev {interface}"
        )]
    };
    Some(Step {
        resource: Resource::DefaultRoute(DefaultRoute {
            via: via.into(),
            interface: interface.clone(),
        }),
        purpose: Purpose::Gateway,
        why,
        by_hand,
    })
}

fn table(target: Target<'_>, requirement: &Requirement, wanted: &IpvsService) -> Step {
    let rules = save_format(&wanted.service, &wanted.destinations);
    let mut by_hand = target.system().install("ipvsadm");
    by_hand.extend(rules.lines().map(|line| format!("ipvsadm {line}")));
    Step {
        resource: Resource::Ipvs(wanted.clone()),
        purpose: Purpose::VirtualService,
        why: requirement.why.clone(),
        by_hand,
    }
}
