//! Addresses: the files that bring them up at boot, links, addresses themselves, and the default route.

use ipnet::Ipv4Net;
use minijinja::context;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::system::NETWORK_SCRIPTS;
use super::{PlanError, Purpose, Step, shell};
use crate::model::{Attachment, DirectorVip, InterfaceName, Replies, Role};
use crate::resource::{
    Address, DefaultRoute, File, Link, NetworkFiles, OsFamily, Resource, RouteState,
};

/// Longest label of an address, `IFNAMSIZ` less its NUL.
const MAX_LABEL: usize = 15;

fn path(device: &str) -> String {
    format!("{NETWORK_SCRIPTS}/ifcfg-{device}")
}

/// Where our agent reads ifcfg files, their directory is not part of the system.
fn directory(subject: Subject<'_>) -> Option<&'static str> {
    (subject.system.network_files == NetworkFiles::Agent).then_some(NETWORK_SCRIPTS)
}

/// What an attachment's address is called.
fn term(subject: Subject<'_>, attachment: &Attachment) -> &'static str {
    let host = subject.host;
    let mut services = subject.lab.services().iter();
    if host.is(Role::Director) && services.any(|service| service.vip == attachment.address) {
        "VIP"
    } else if host.is(Role::Director) {
        "DIP"
    } else if host.is(Role::RealServer) {
        "RIP"
    } else {
        "CIP"
    }
}

fn own_address(attachment: &Attachment, interface: &InterfaceName) -> Resource {
    Resource::Address(Address {
        interface: interface.clone(),
        address: attachment.address,
        label: None,
    })
}

/// Whether the machine configures this address itself: then its own configuration is left alone. Hosts of the sandbox
/// come without any; what they have somebody typed.
fn machines_own(subject: Subject<'_>, attachment: &Attachment, interface: &InterfaceName) -> bool {
    if subject.host.ssh.is_none() {
        return false;
    }
    let there = subject.facts.links.iter().any(|link| {
        link.name == *interface
            && link
                .addresses
                .iter()
                .any(|state| state.address == attachment.address)
    });
    let ours = subject.owns(&own_address(attachment, interface))
        || subject.owns(&Resource::File(File {
            path: path(interface.as_str()),
            content: String::new(),
            mode: PUBLIC,
        }));
    there && !ours
}

/// Whether the machine's own configuration is all that brings this interface up at boot. Where our agent reads ifcfg
/// files, one that repeats the address adds the gateway, which the machine's own knows nothing of.
fn left_to_the_machine(
    subject: Subject<'_>,
    attachment: &Attachment,
    interface: &InterfaceName,
) -> bool {
    let adds_gateway =
        gateway(subject).is_some() && subject.system.network_files == NetworkFiles::Agent;
    machines_own(subject, attachment, interface) && !adds_gateway
}

/// The gateway that belongs into the file of this attachment.
fn gateway(subject: Subject<'_>) -> Option<std::net::Ipv4Addr> {
    let mut served = subject.lab.served_by(subject.host.name.as_str());
    served
        .any(|(_, server)| server.method.profile().replies == Replies::ThroughDirector)
        .then(|| subject.lab.dip().addr())
}

/// The VIP where it is an alias: interface, label, address.
struct Alias {
    interface: InterfaceName,
    label: String,
    address: Ipv4Net,
}

fn alias(subject: Subject<'_>) -> Result<Option<Alias>, PlanError> {
    let vip = subject.lab.service().vip;
    let profile = subject.lab.profile();
    let director = subject.host.is(Role::Director);
    let (interface, address) = if director && profile.director_vip == DirectorVip::Alias {
        let Some((_, interface)) = subject.attachments().next() else {
            return Ok(None);
        };
        (interface.clone(), vip)
    } else if !director && subject.host.is(Role::RealServer) && profile.real_server_vip.is_some() {
        let Some(lo) = subject.facts.links.iter().find(|link| link.loopback) else {
            return Err(PlanError::NoLoopback {
                host: subject.host.name.clone(),
            });
        };
        (lo.name.clone(), Ipv4Net::from(vip.addr()))
    } else {
        return Ok(None);
    };
    let label = format!("{interface}:0");
    if label.len() > MAX_LABEL {
        return Err(PlanError::AliasTooLong {
            host: subject.host.name.clone(),
            interface,
        });
    }
    Ok(Some(Alias {
        interface,
        label,
        address,
    }))
}

/// The ifcfg files: of the host's own addresses, then of the VIP's alias.
pub(super) fn files(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let mut steps = Vec::new();
    for (attachment, interface) in subject.attachments() {
        if left_to_the_machine(subject, attachment, interface) {
            continue;
        }
        let address = attachment.address;
        let term = term(subject, attachment);
        let why = match gateway(subject) {
            Some(gateway) => format!(
                "Gives {interface} the {term} {address} and the gateway {gateway} again at every boot."
            ),
            None => format!("Gives {interface} the {term} {address} again at every boot."),
        };
        steps.push(subject.file(
            Rendered {
                path: path(interface.as_str()),
                template: Template::IFCFG,
                context: context! {
                    name => interface.as_str(),
                    address => address.addr().to_string(),
                    prefix => address.prefix_len(),
                    gateway => gateway(subject).map(|gateway| gateway.to_string()),
                },
                mode: PUBLIC,
                directory: directory(subject),
            },
            why,
        )?);
    }
    if let Some(alias) = alias(subject)? {
        steps.push(alias_file(subject, &alias)?);
    }
    Ok(steps)
}

fn alias_file(subject: Subject<'_>, alias: &Alias) -> Result<Step, PlanError> {
    let vip = alias.address.addr().to_string();
    let (template, context, why) = match subject.host.is(Role::Director) {
        false => (
            Template::IFCFG_LO,
            context! { vip },
            "Gives lo the VIP again at every boot, with the mask /32: with the network's own mask the real server \
             would take the whole network for local and never answer the client.",
        ),
        true => (
            Template::IFCFG_ALIAS,
            context! {
                name => alias.label.as_str(),
                address => vip,
                prefix => alias.address.prefix_len(),
            },
            "Gives the alias the VIP again at every boot, beside the director's own address.",
        ),
    };
    let mut why = why.to_owned();
    if subject.system.family == OsFamily::Rhel && subject.system.network_manager {
        why += " (Where NetworkManager and the network service fight over the alias, as on RHEL 7, stop \
                NetworkManager and restart network.)";
    }
    subject.file(
        Rendered {
            path: path(&alias.label),
            template,
            context,
            mode: PUBLIC,
            directory: directory(subject),
        },
        why,
    )
}

/// The lab interfaces, up.
pub(super) fn links(subject: Subject<'_>) -> Vec<Step> {
    subject
        .attachments()
        .map(|(_, interface)| Step {
            resource: Resource::Link(Link {
                interface: interface.clone(),
            }),
            why: format!("Nothing is sent or received on {interface} while it is down."),
            by_hand: shell::lines([format!("ip link set {interface} up")]),
        })
        .collect()
}

/// The host's own addresses, then the VIP's alias.
pub(super) fn addresses(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let mut steps: Vec<Step> = subject
        .attachments()
        .map(|(attachment, interface)| Step {
            resource: own_address(attachment, interface),
            why: why_own(subject, attachment),
            by_hand: by_hand(subject, attachment.address, interface),
        })
        .collect();
    if let Some(alias) = alias(subject)? {
        let why = match subject.host.is(Role::Director) {
            false => {
                "Requests come with the VIP as their destination; the real server takes them only when the VIP is \
                 an address of its own, and on lo it is one without being on the wire."
            }
            true => {
                "Clients ask for the VIP, so the director answers ARP for it; as an alias it stands beside the DIP \
                 and can move to another director alone."
            }
        };
        let broadcast = if alias.address.prefix_len() == 32 {
            ""
        } else {
            "brd + "
        };
        steps.push(Step {
            why: why.to_owned(),
            by_hand: shell::lines([format!(
                "ip address add {} {broadcast}label {} dev {}",
                alias.address, alias.label, alias.interface
            )]),
            resource: Resource::Address(Address {
                interface: alias.interface,
                address: alias.address,
                label: Some(alias.label),
            }),
        });
    }
    Ok(steps)
}

fn why_own(subject: Subject<'_>, attachment: &Attachment) -> String {
    let words = &subject.lab.profile().words;
    match term(subject, attachment) {
        "CIP" => "The client asks from the network that the VIP is in.",
        "VIP" => "Clients connect to the VIP, the director's address in their network.",
        "DIP" => words.dip_why,
        _ => words.rip_why,
    }
    .to_owned()
}

fn by_hand(subject: Subject<'_>, address: Ipv4Net, interface: &InterfaceName) -> Vec<String> {
    if subject.system.family == OsFamily::Rhel && subject.system.network_manager {
        return shell::lines([
            "nmcli connection reload".to_owned(),
            format!(
                "nmcli connection modify {interface} ipv4.method manual ipv4.addresses {address} \
                 connection.autoconnect yes"
            ),
            format!("nmcli connection up {interface}"),
        ]);
    }
    shell::lines([format!("ip address add {address} brd + dev {interface}")])
}

/// The director as the default gateway of a NAT real server.
pub(super) fn default_route(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let (Some(via), Some((attachment, interface))) =
        (gateway(subject), subject.attachments().next())
    else {
        return Ok(Vec::new());
    };
    refuse_cut(subject, via, interface)?;
    let client = subject.lab.cip().addr();
    let mut why = format!(
        "Answers to the client {client} must go back through the director, which puts the VIP back as their source; \
         sent any other way the client would not know them."
    );
    if left_to_the_machine(subject, attachment, interface) {
        why += &format!(
            " ({} configures {interface} itself: make the gateway permanent there, too.)",
            subject.host.name
        );
    }
    let by_hand = if subject.system.family == OsFamily::Rhel && subject.system.network_manager {
        shell::lines([
            format!("nmcli connection modify {interface} ipv4.method manual ipv4.gateway {via}"),
            format!("nmcli connection up {interface}"),
        ])
    } else {
        shell::lines([format!(
            "ip route replace default via {via} dev {interface}"
        )])
    };
    Ok(vec![Step {
        resource: Resource::DefaultRoute(DefaultRoute {
            via,
            interface: interface.clone(),
        }),
        why,
        by_hand,
    }])
}

/// A controller that is reached through the present default route would lose the host.
fn refuse_cut(
    subject: Subject<'_>,
    gateway: std::net::Ipv4Addr,
    interface: &InterfaceName,
) -> Result<(), PlanError> {
    if subject.purpose == Purpose::Judge {
        return Ok(());
    }
    let (Some(controller), Some(present)) = (
        subject.facts.controller,
        &subject.facts.controller_default_route,
    ) else {
        return Ok(());
    };
    let RouteState {
        via,
        interface: present,
        ..
    } = present;
    if controller.is_ipv6() || (*via == Some(gateway) && present == interface) {
        return Ok(());
    }
    Err(PlanError::ManagementPath {
        host: subject.host.name.clone(),
        gateway,
        controller,
        present: (*via, present.clone()),
    })
}

/// A NAT real server that is in the client's network answers the client directly, and the client does not know
/// such answers.
pub(super) fn refuse_bypass(subject: Subject<'_>) -> Result<(), PlanError> {
    if gateway(subject).is_none() || subject.purpose == Purpose::Judge {
        return Ok(());
    }
    let client = subject.lab.cip();
    let in_the_way = subject
        .facts
        .links
        .iter()
        .filter(|link| link.up && !link.loopback)
        .flat_map(|link| link.addresses.iter().map(move |state| (link, state)))
        .find(|(_, state)| state.address.contains(&client.addr()));
    match in_the_way {
        None => Ok(()),
        Some((link, state)) => Err(PlanError::Bypass {
            host: subject.host.name.clone(),
            interface: link.name.clone(),
            address: state.address,
            client,
            carries_ssh: subject.facts.management.as_ref() == Some(&link.name),
        }),
    }
}
