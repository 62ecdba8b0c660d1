//! Which interface of a host is on which network of the lab.
//!
//! "Interface names cannot be copied from the book" is the course's most repeated warning, so they are found. An
//! interface that the topology names is taken. Where the sandbox wires the host, the wiring says it. Otherwise it is
//! the interface that an earlier run gave the address, or the one that is in the network already, or the only one
//! without an address. The earlier run comes before the network: an address that was moved by mistake does not move
//! the interface along.

mod error;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use error::{Candidate, InterfaceError};

use crate::model::{Attachment, Host, InterfaceName, NetworkId, Role};
use crate::resource::{Address, Facts, LinkFacts, Resource};

/// The interface that a host has on each of its networks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interfaces(BTreeMap<NetworkId, InterfaceName>);

impl Interfaces {
    /// Chooses them from what is known of the host.
    ///
    /// # Errors
    /// There is no telling, or the choice would cut the SSH connection.
    pub fn choose(host: &Host, facts: &Facts) -> Result<Self, InterfaceError> {
        choose(host, facts).map(Self)
    }

    /// The one on this network.
    #[must_use]
    pub fn get(&self, network: NetworkId) -> Option<&InterfaceName> {
        self.0.get(&network)
    }

    /// All of them, by network.
    pub fn names(&self) -> impl Iterator<Item = &InterfaceName> {
        self.0.values()
    }

    /// Each network with its interface.
    pub fn iter(&self) -> impl Iterator<Item = (NetworkId, &InterfaceName)> {
        self.0.iter().map(|(network, name)| (*network, name))
    }
}

impl FromIterator<(NetworkId, InterfaceName)> for Interfaces {
    fn from_iter<I: IntoIterator<Item = (NetworkId, InterfaceName)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

fn choose(
    host: &Host,
    facts: &Facts,
) -> Result<BTreeMap<NetworkId, InterfaceName>, InterfaceError> {
    let choice = Choice { host, facts };
    let mut chosen: BTreeMap<NetworkId, &LinkFacts> = BTreeMap::new();
    // What is certain first, so that the last resort sees what is left.
    for certain in [
        Choice::named,
        Choice::wired,
        Choice::given,
        Choice::in_network,
    ] {
        for attachment in &host.attachments {
            if !chosen.contains_key(&attachment.network)
                && let Some(link) = certain(&choice, attachment)?
            {
                chosen.insert(attachment.network, link);
            }
        }
    }
    for attachment in &host.attachments {
        if !chosen.contains_key(&attachment.network) {
            let link = choice.left_over(attachment, &chosen)?;
            chosen.insert(attachment.network, link);
        }
    }
    choice.refuse_doubles(&chosen)?;
    for attachment in &host.attachments {
        if let Some(link) = chosen.get(&attachment.network) {
            choice.refuse_management(attachment, link)?;
        }
    }
    Ok(chosen
        .into_iter()
        .map(|(network, link)| (network, link.name.clone()))
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

    fn named(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, InterfaceError> {
        let Some(name) = &attachment.interface else {
            return Ok(None);
        };
        match self.links().find(|link| link.name == *name) {
            Some(link) => Ok(Some(link)),
            None => Err(InterfaceError::Missing {
                host: self.host.name.clone(),
                key: self.key(attachment),
                interface: name.clone(),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
        }
    }

    /// The interface with the address itself, else the only one with any address of its network.
    fn in_network(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, InterfaceError> {
        let own = self.links().find(|link| has_address(link, attachment));
        if own.is_some() {
            return Ok(own);
        }
        let inside: Vec<&LinkFacts> = self
            .links()
            .filter(|link| {
                link.addresses
                    .iter()
                    .any(|state| IpNet::V4(attachment.address).contains(&state.address.addr()))
            })
            .collect();
        match inside.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(InterfaceError::Several {
                host: self.host.name.clone(),
                key: self.key(attachment),
                address: attachment.address,
                candidates: self.candidates(several.iter().copied()),
            }),
        }
    }

    fn wired(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, InterfaceError> {
        if self.host.ssh.is_some() {
            return Ok(None);
        }
        let mut wires = self.host.attachments.iter().zip(self.host.wired());
        let wire = wires.find(|(other, _)| other.network == attachment.network);
        Ok(wire.and_then(|(_, name)| self.links().find(|link| link.name == name)))
    }

    /// The interface that the host's journal says we gave the address.
    fn given(&self, attachment: &Attachment) -> Result<Option<&'a LinkFacts>, InterfaceError> {
        Ok(self.links().find(|link| {
            let address = Resource::Address(Address {
                interface: link.name.clone(),
                address: attachment.address.into(),
                label: None,
            });
            self.facts.owned.contains(&address.id())
        }))
    }

    fn left_over(
        &self,
        attachment: &Attachment,
        chosen: &BTreeMap<NetworkId, &LinkFacts>,
    ) -> Result<&'a LinkFacts, InterfaceError> {
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
            [] => Err(InterfaceError::NoneLeft {
                host: self.host.name.clone(),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
            _ => Err(InterfaceError::Ambiguous {
                host: self.host.name.clone(),
                key: self.key(attachment),
                address: attachment.address,
                candidates: self.candidates(self.links()),
            }),
        }
    }

    fn refuse_doubles(
        &self,
        chosen: &BTreeMap<NetworkId, &LinkFacts>,
    ) -> Result<(), InterfaceError> {
        let of = |network| self.host.on_network(network).map(|a| a.address);
        for (network, link) in chosen {
            let other = chosen
                .iter()
                .find(|(other, taken)| *other > network && taken.name == link.name);
            if let Some((other, _)) = other
                && let (Some(address), Some(other)) = (of(*network), of(*other))
            {
                return Err(InterfaceError::Taken {
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
    ) -> Result<(), InterfaceError> {
        if !self.is_management(link) || has_address(link, attachment) {
            return Ok(());
        }
        Err(InterfaceError::Management {
            host: self.host.name.clone(),
            interface: link.name.clone(),
            address: attachment.address,
            candidates: self.candidates(self.links()),
        })
    }

    /// The topology's key for this attachment's interface.
    fn key(&self, attachment: &Attachment) -> &'static str {
        let routes = self.host.is(Role::Director) && self.host.attachments.len() > 1;
        if routes
            && Some(attachment.network) == self.host.attachments.first().map(|first| first.network)
        {
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
