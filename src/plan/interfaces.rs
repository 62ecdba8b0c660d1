//! Which interface each of a host's addresses belongs on.
//!
//! "Interface names cannot be copied from the book" is the course's most repeated warning, so they are found:
//! named by the topology, else (in the sandbox, which wires them itself) the one of that segment, else the one that an
//! earlier run gave the address, else the interface that is in the network already, else the only one that has no
//! address yet. What an address was moved to by mistake so is no reason to plan for the mistake.

use std::collections::BTreeMap;

use super::{Candidate, PlanError};
use crate::model::{Attachment, Host, InterfaceName, Role};
use crate::resource::{Address, Facts, LinkFacts, Resource};

/// The interface per segment.
pub(super) fn choose(
    host: &Host,
    facts: &Facts,
) -> Result<BTreeMap<usize, InterfaceName>, PlanError> {
    let choice = Choice { host, facts };
    let mut chosen: BTreeMap<usize, &LinkFacts> = BTreeMap::new();
    // What is certain first, so that the last resort sees what is left.
    for certain in [
        Choice::named,
        Choice::wired,
        Choice::given,
        Choice::in_network,
    ] {
        for attachment in &host.attachments {
            if !chosen.contains_key(&attachment.segment)
                && let Some(link) = certain(&choice, attachment)?
            {
                chosen.insert(attachment.segment, link);
            }
        }
    }
    for attachment in &host.attachments {
        if !chosen.contains_key(&attachment.segment) {
            let link = choice.left_over(attachment, &chosen)?;
            chosen.insert(attachment.segment, link);
        }
    }
    choice.refuse_doubles(&chosen)?;
    for attachment in &host.attachments {
        if let Some(link) = chosen.get(&attachment.segment) {
            choice.refuse_management(attachment, link)?;
        }
    }
    Ok(chosen
        .into_iter()
        .map(|(segment, link)| (segment, link.name.clone()))
        .collect())
}

struct Choice<'a> {
    host: &'a Host,
    facts: &'a Facts,
}

impl<'a> Choice<'a> {
    fn links(&self) -> impl Iterator<Item = &'a LinkFacts> {
        self.facts.links.iter().filter(|link| !link.loopback)
    }

    fn named(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, PlanError> {
        let Some(name) = &attachment.interface else {
            return Ok(None);
        };
        match self.links().find(|link| link.name == *name) {
            Some(link) => Ok(Some(link)),
            None => Err(PlanError::Missing {
                host: self.host.name.clone(),
                key: self.key(attachment),
                interface: name.clone(),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
        }
    }

    /// The interface with the address itself, else the only one with any address of its network.
    fn in_network(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, PlanError> {
        let own = self.links().find(|link| has_address(link, attachment));
        if own.is_some() {
            return Ok(own);
        }
        let inside: Vec<&LinkFacts> = self
            .links()
            .filter(|link| {
                link.addresses
                    .iter()
                    .any(|state| attachment.address.contains(&state.address.addr()))
            })
            .collect();
        match inside.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(PlanError::Several {
                host: self.host.name.clone(),
                key: self.key(attachment),
                address: attachment.address,
                candidates: self.candidates(several.iter().copied()),
            }),
        }
    }

    fn wired(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, PlanError> {
        if self.host.ssh.is_some() {
            return Ok(None);
        }
        let mut wires = self.host.attachments.iter().zip(self.host.wired());
        let wire = wires.find(|(other, _)| other.segment == attachment.segment);
        Ok(wire.and_then(|(_, name)| self.links().find(|link| link.name == name)))
    }

    /// The interface that the host's journal says we gave the address.
    fn given(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, PlanError> {
        Ok(self.links().find(|link| {
            let address = Resource::Address(Address {
                interface: link.name.clone(),
                address: attachment.address,
                label: None,
            });
            self.facts.owned.contains(&address.id())
        }))
    }

    fn left_over(
        &self,
        attachment: &Attachment,
        chosen: &BTreeMap<usize, &LinkFacts>,
    ) -> Result<&'a LinkFacts, PlanError> {
        let taken = |link: &LinkFacts| chosen.values().any(|other| other.name == link.name);
        let free: Vec<&LinkFacts> = self
            .links()
            .filter(|link| {
                link.ethernet
                    && link.addresses.is_empty()
                    && !self.is_management(link)
                    && !taken(link)
            })
            .collect();
        match free.as_slice() {
            [only] => Ok(only),
            [] => Err(PlanError::NoneLeft {
                host: self.host.name.clone(),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
            _ => Err(PlanError::Ambiguous {
                host: self.host.name.clone(),
                key: self.key(attachment),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
        }
    }

    fn refuse_doubles(&self, chosen: &BTreeMap<usize, &LinkFacts>) -> Result<(), PlanError> {
        let of = |segment| self.host.on_segment(segment).map(|a| a.address);
        for (segment, link) in chosen {
            let other = chosen
                .iter()
                .find(|(other, taken)| *other > segment && taken.name == link.name);
            if let Some((other, _)) = other
                && let (Some(address), Some(other)) = (of(*segment), of(*other))
            {
                return Err(PlanError::Taken {
                    host: self.host.name.clone(),
                    interface: link.name.clone(),
                    address,
                    other,
                });
            }
        }
        Ok(())
    }

    /// Configuring the interface that carries the SSH connection could cut it, now or at the next boot.
    fn refuse_management(
        &self,
        attachment: &Attachment,
        link: &LinkFacts,
    ) -> Result<(), PlanError> {
        if !self.is_management(link) || has_address(link, attachment) {
            return Ok(());
        }
        Err(PlanError::Management {
            host: self.host.name.clone(),
            interface: link.name.clone(),
            address: attachment.address,
            candidates: self.candidates(self.links()),
        })
    }

    /// The topology's key for this attachment's interface.
    fn key(&self, attachment: &Attachment) -> &'static str {
        let routes = self.host.role == Role::Director && self.host.attachments.len() > 1;
        if routes && attachment.segment == 0 {
            "vip_interface"
        } else {
            "interface"
        }
    }

    fn is_management(&self, link: &LinkFacts) -> bool {
        self.facts.management.as_ref() == Some(&link.name)
    }

    fn candidates<'l>(&self, links: impl Iterator<Item = &'l LinkFacts>) -> Vec<Candidate> {
        links
            .map(|link| {
                let addresses: Vec<String> = link
                    .addresses
                    .iter()
                    .map(|state| state.address.to_string())
                    .collect();
                let mut state = if addresses.is_empty() {
                    "no address".to_owned()
                } else {
                    addresses.join(" ")
                };
                state += if link.up { ", up" } else { ", down" };
                if !link.ethernet {
                    state += ", not a plain Ethernet interface";
                }
                if self.is_management(link) {
                    state += ", carries the SSH connection";
                }
                Candidate {
                    name: link.name.clone(),
                    mac: link.mac.clone(),
                    state,
                }
            })
            .collect()
    }
}

fn has_address(link: &LinkFacts, attachment: &Attachment) -> bool {
    link.addresses
        .iter()
        .any(|state| state.address.addr() == attachment.address.addr())
}
