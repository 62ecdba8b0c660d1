//! ifcfg files for the host's own addresses and for the aliases of the VIP.

use std::net::Ipv4Addr;

use minijinja::context;

use super::SCRIPTS;
use crate::keeper::alias::{Alias, aliases};
use crate::keeper::render::Template;
use crate::keeper::target::{PUBLIC, Rendered};
use crate::keeper::{Home, Purpose, Step, Target, WriteError};
use crate::model::InterfaceName;
use crate::requirement::{Need, OwnAddress, Way};
use crate::resource::{Address, File, NetworkFiles, OsFamily, Resource};

pub(in crate::keeper) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let mut steps = Vec::new();
    for need in target.needs() {
        if let Need::OwnAddress(own) = need
            && let Some(interface) = target.interfaces.get(own.network)
            && !left_to_the_machine(target, own)
        {
            steps.push(own_file(target, own, interface)?);
        }
    }
    for alias in aliases(target)? {
        steps.push(alias_file(target, &alias)?);
    }
    Ok(steps)
}

fn path(device: &str) -> String {
    format!("{SCRIPTS}/ifcfg-{device}")
}

/// The directory to make by hand: where our agent reads ifcfg files, the system does not bring it along.
fn directory(target: Target<'_>) -> Option<&'static str> {
    (target.facts.network_files == NetworkFiles::Agent).then_some(SCRIPTS)
}

/// The gateway that the file of the interface on this network has to name.
fn gateway(target: Target<'_>, own: &OwnAddress) -> Option<Ipv4Addr> {
    target.needs().find_map(|need| match need {
        Need::Way(Way {
            network,
            via: Some(via),
            ..
        }) if *network == own.network => Some(*via),
        _ => None,
    })
}

fn own_file(
    target: Target<'_>,
    own: &OwnAddress,
    interface: &InterfaceName,
) -> Result<Step, WriteError> {
    let OwnAddress { address, term, .. } = own;
    let gateway = gateway(target, own);
    let why = match gateway {
        Some(gateway) => format!(
            "Gives {interface} the {term} {address} and the gateway {gateway} again at every boot."
        ),
        None => format!("Gives {interface} the {term} {address} again at every boot."),
    };
    target.file(
        Rendered {
            path: path(interface.as_str()),
            template: Template::IFCFG,
            context: context! {
                name => interface.as_str(),
                address => address.addr().to_string(),
                prefix => address.prefix_len(),
                gateway => gateway.map(|gateway| gateway.to_string()),
            },
            mode: PUBLIC,
            directory: directory(target),
        },
        Purpose::NetworkFile {
            interface: interface.clone(),
            gateway,
        },
        why,
    )
}

fn alias_file(target: Target<'_>, alias: &Alias<'_>) -> Result<Step, WriteError> {
    let vip = alias.address.addr().to_string();
    let name = alias.label.as_str();
    let (template, context, why) = if alias.is_at_real_server() {
        (
            Template::IFCFG_LO,
            context! { name, vip },
            "Gives lo the VIP again at every boot, with the mask /32: with the network's own mask the real server \
             would take the whole network for local and never answer the client.",
        )
    } else {
        (
            Template::IFCFG_ALIAS,
            context! { name, address => vip, prefix => alias.address.prefix_len() },
            "Gives the alias the VIP again at every boot, beside the director's own address.",
        )
    };
    let mut why = why.to_owned();
    if target.facts.family == OsFamily::Rhel && target.facts.network_manager {
        why += " (Where NetworkManager and the network service fight over the alias, as on RHEL 7, stop \
                NetworkManager and restart network.)";
    }
    target.file(
        Rendered {
            path: path(name),
            template,
            context,
            mode: PUBLIC,
            directory: directory(target),
        },
        Purpose::AliasFile {
            interface: alias.interface.clone(),
        },
        why,
    )
}

/// Whether the machine configures this address itself: then its own configuration is left alone.
fn configured_by_the_machine(
    target: Target<'_>,
    own: &OwnAddress,
    interface: &InterfaceName,
) -> bool {
    if target.home == Home::Sandbox {
        return false;
    }
    let there = target.facts.links.iter().any(|link| {
        let mut addresses = link.addresses.iter();
        link.name == *interface && addresses.any(|state| state.address == own.address.into())
    });
    let address = Resource::Address(Address {
        interface: interface.clone(),
        address: own.address.into(),
        label: None,
    });
    let file = Resource::File(File {
        path: path(interface.as_str()),
        content: String::new(),
        mode: PUBLIC,
    });
    there && !target.owns(&address) && !target.owns(&file)
}

/// Whether only the machine's own configuration brings this address up at boot.
///
/// A gateway is not in that configuration. Where our agent reads ifcfg files, a file of ours repeats the address to add
/// the gateway; elsewhere the person is told to.
pub(in crate::keeper) fn left_to_the_machine(target: Target<'_>, own: &OwnAddress) -> bool {
    let Some(interface) = target.interfaces.get(own.network) else {
        return false;
    };
    let adds_gateway =
        gateway(target, own).is_some() && target.facts.network_files == NetworkFiles::Agent;
    configured_by_the_machine(target, own, interface) && !adds_gateway
}
