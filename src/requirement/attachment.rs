//! A host's own place on each of its networks: the interface that is up, and its address.

use std::fmt;

use ipnet::Ipv4Net;

use super::{HostAddress, HostState, Interfaces, Need, Requirement, Sourced, Verdict};
use crate::model::{Attachment, Host, InterfaceName, Lab, NetworkId, Role, VirtualService};

/// An own address on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    pub network: NetworkId,
    /// The address with the network's prefix.
    pub address: Ipv4Net,
    pub term: Term,
}

/// What the field calls an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    Cip,
    Vip,
    Dip,
    Rip,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cip => "CIP",
            Self::Vip => "VIP",
            Self::Dip => "DIP",
            Self::Rip => "RIP",
        })
    }
}

impl Term {
    /// What a host's own address on one of its networks is called.
    #[must_use]
    pub fn of(lab: &Lab, host: &Host, attachment: &Attachment) -> Self {
        let is_vip = |service: &VirtualService| service.vip.addr() == attachment.address.addr();
        if host.is(Role::Director) && lab.services().iter().any(is_vip) {
            Self::Vip
        } else if host.is(Role::Director) {
            Self::Dip
        } else if host.is(Role::RealServer) {
            Self::Rip
        } else {
            Self::Cip
        }
    }
}

pub(super) fn links(_: &Lab, host: &Host) -> Vec<Requirement> {
    host.attachments
        .iter()
        .map(|attachment| Requirement {
            need: Need::Link {
                network: attachment.network,
            },
            service: None,
            why: "Nothing is sent or received on an interface while it is down.".to_owned(),
            symptom: "The host is silent on that network: it answers no ARP request, and whatever is sent there fails.",
        })
        .collect()
}

pub(super) fn addresses(lab: &Lab, host: &Host) -> Vec<Requirement> {
    host.attachments
        .iter()
        .map(|attachment| {
            let term = Term::of(lab, host, attachment);
            Requirement {
                need: Need::OwnAddress(OwnAddress {
                    network: attachment.network,
                    address: attachment.address,
                    term,
                }),
                service: None,
                why: why(lab, term).to_owned(),
                symptom: symptom(term),
            }
        })
        .collect()
}

fn why(lab: &Lab, term: Term) -> &'static str {
    let words = &lab.profile().words;
    match term {
        Term::Cip => "The client asks from the network that the VIP is in.",
        Term::Vip => "Clients connect to the VIP, the director's address in their network.",
        Term::Dip => words.dip_why,
        Term::Rip => words.rip_why,
    }
}

fn symptom(term: Term) -> &'static str {
    match term {
        Term::Cip => {
            "Requests cannot be sent, or come from an address that answers do not find back to."
        }
        Term::Vip => "Requests find nobody: the client's ARP requests for the VIP stay unanswered.",
        Term::Dip => "Requests arrive at the director and go no further.",
        Term::Rip => "The requests that this real server is chosen for hang.",
    }
}

pub(super) fn judge_link(
    network: NetworkId,
    interfaces: &Interfaces,
    state: &HostState,
) -> Verdict {
    let Some(interface) = interfaces.get(network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    let Some(links) = &state.links else {
        return Verdict::not_seen("the state of its interfaces");
    };
    match links.iter().find(|link| link.name == *interface) {
        None => Verdict::fails(format!("there is no interface {interface}"), []),
        Some(link) if link.up => Verdict::holds("up"),
        Some(_) => Verdict::fails("down", []),
    }
}

pub(super) fn judge(own: &OwnAddress, interfaces: &Interfaces, state: &HostState) -> Verdict {
    let Some(interface) = interfaces.get(own.network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    judge_places(own.address.addr(), state, |found| {
        found.interface == *interface && found.address == own.address
    })
}

/// An address holds where it is on the host and every place that has it is `right`: a second place takes packets or
/// answers ARP, too.
pub(super) fn judge_places(
    address: std::net::Ipv4Addr,
    state: &HostState,
    right: impl Fn(&HostAddress) -> bool,
) -> Verdict {
    let Some(addresses) = &state.addresses else {
        return Verdict::not_seen("what addresses it has");
    };
    let places: Vec<&Sourced<HostAddress>> = addresses
        .iter()
        .filter(|found| found.value.address.addr() == address)
        .collect();
    let words: Vec<String> = places.iter().map(|place| placed(&place.value)).collect();
    let wrong: Vec<_> = places.iter().filter(|place| !right(&place.value)).collect();
    match (places.is_empty(), wrong.is_empty()) {
        (true, _) => Verdict::fails("not on this host", []),
        (_, true) => Verdict::holds(words.join(", ")),
        (_, false) => Verdict::fails(
            words.join(", "),
            wrong.iter().filter_map(|place| place.origin.clone()),
        ),
    }
}

fn placed(found: &HostAddress) -> String {
    let interface: &InterfaceName = &found.interface;
    format!("{} on {interface}", found.address)
}
