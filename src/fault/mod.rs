//! Faults as exercises: each takes one thing of a working lab away, on one host, and knows what it looks like,
//! what must be named as its cause, and how it is taken back.
//!
//! In: a [`Lab`] with the facts and the plan of each host. Out: [`Fault`]s with the lines a person would type
//! to set them and to take back what no plan knows of. Pure: nothing here touches a host.

mod boot;
mod director;
mod firewall;
mod kernel;
mod link;
mod network;
mod random;
mod route;
mod scene;
mod web;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{Host, HostName, InterfaceName, Lab, Role};
use crate::plan::HostPlan;
use crate::resource::Facts;
use crate::verify::CheckId;

use scene::Scene;

/// What a fault is about, from the wire up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Interfaces, MACs, ARP.
    Link,
    /// Addresses, routes, forwarding.
    Network,
    /// Packet filters.
    Firewall,
    /// The IPVS table.
    VirtualService,
    /// httpd and its page.
    WebServer,
    /// Files and links that a boot follows.
    Boot,
}

impl Layer {
    /// One word for lists.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Network => "network",
            Self::Firewall => "firewall",
            Self::VirtualService => "ipvs",
            Self::WebServer => "web",
            Self::Boot => "boot",
        }
    }

    /// Where to look, for a student who has seen the symptom.
    #[must_use]
    pub fn where_to_look(self) -> &'static str {
        match self {
            Self::Link => "interfaces, MACs and ARP: ip link, ip neighbour, the arp_* settings",
            Self::Network => "addresses, routes and forwarding: ip address, ip route get, sysctl",
            Self::Firewall => "packet filters: nft list ruleset, or iptables-save",
            Self::VirtualService => "the IPVS table: ipvsadm -Ln",
            Self::WebServer => {
                "the web servers: is one running, where does it listen (ss -ltn), what is its page"
            }
            Self::Boot => {
                "what a boot reads: ifcfg files, sysctl files, saved IPVS rules, enabled services"
            }
        }
    }
}

/// What a fault does to the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Requests are lost.
    Broken,
    /// Every request may be answered, and still something is not as it should be.
    QuietlyWrong,
    /// Everything works until the host is restarted.
    UntilReboot,
}

impl Effect {
    /// For lists.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::QuietlyWrong => "quietly wrong",
            Self::UntilReboot => "works until reboot",
        }
    }
}

/// An entry of the catalogue.
#[derive(Debug)]
pub struct Kind {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub layer: Layer,
    /// What it does to the lab.
    pub effect: Effect,
    /// What is done, for the instructor.
    pub what: &'static str,
    /// What a student sees.
    pub symptom: &'static str,
    /// How, on a host of this scene; `None` where it does not fit.
    damage: fn(&Scene<'_>) -> Option<Damage>,
}

/// What a fault does on its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The setting that is wrong then, as the last hint says it.
    pub setting: String,
    /// The check that has to name it.
    pub cause: CheckId,
    /// What a person would type, lines of one shell script that ends at the first failure.
    pub inflict: Vec<String>,
    /// What takes back what the host's plan does not know of; harmless where that is gone already.
    pub undo: Vec<String>,
    /// Kernel settings that are not planned and are changed: their values have to be kept to be put back.
    pub keeps: Vec<String>,
    /// Interface that is cut off; it must not be the one the host is managed through.
    pub cuts: Option<InterfaceName>,
}

impl Damage {
    /// One that `up` takes back by itself and that leaves nothing.
    fn new(setting: impl Into<String>, cause: CheckId, inflict: Vec<String>) -> Self {
        Self {
            setting: setting.into(),
            cause,
            inflict,
            undo: Vec::new(),
            keeps: Vec::new(),
            cuts: None,
        }
    }
}

/// One fault on one host of one lab.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Entry of the catalogue.
    pub kind: &'static Kind,
    /// Where.
    pub host: HostName,
    /// How.
    pub damage: Damage,
}

/// Why a fault cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No entry of that name.
    #[error("there is no fault `{name}`")]
    Unknown {
        /// As it was given.
        name: String,
        /// A name it is close to.
        meant: Option<&'static str>,
    },
    /// It makes no sense in this lab.
    #[error("`{name}` fits no host of lab {lab}")]
    FitsNowhere {
        /// Fault.
        name: &'static str,
        /// Lab.
        lab: String,
    },
    /// It makes no sense on this host.
    #[error("`{name}` does not fit {host}; it fits {}", list(.fits))]
    NotThere {
        /// Fault.
        name: &'static str,
        /// Host that was asked for.
        host: HostName,
        /// Where it would fit.
        fits: Vec<HostName>,
    },
    /// It would cut the host off.
    #[error("`{name}` would cut {host} off: it is managed through the same interface")]
    CutsOff {
        /// Fault.
        name: &'static str,
        /// Host.
        host: HostName,
    },
    /// Nothing fits.
    #[error("no fault fits lab {lab}")]
    Nothing {
        /// Lab.
        lab: String,
    },
}

impl FaultError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown {
                meant: Some(meant), ..
            } => Some(format!("did you mean `{meant}`?")),
            Self::Unknown { .. } | Self::FitsNowhere { .. } => {
                Some("`lvslab break TOPOLOGY --list` shows those that fit".to_owned())
            }
            Self::CutsOff { .. } => Some(
                "choose another fault, or manage the host through an interface of its own"
                    .to_owned(),
            ),
            Self::NotThere { .. } | Self::Nothing { .. } => None,
        }
    }
}

fn list(hosts: &[HostName]) -> String {
    let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    names.join(", ")
}

/// A lab with what is known of its hosts.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Lab.
    pub lab: &'a Lab,
    /// What each host is.
    pub facts: &'a BTreeMap<HostName, Facts>,
    /// What each host should be.
    pub plans: &'a BTreeMap<HostName, HostPlan>,
}

/// Every entry, from the wire up.
#[must_use]
pub fn catalogue() -> Vec<&'static Kind> {
    [
        link::KINDS,
        network::KINDS,
        route::KINDS,
        kernel::KINDS,
        firewall::KINDS,
        director::KINDS,
        web::KINDS,
        boot::KINDS,
    ]
    .concat()
}

impl<'a> Ground<'a> {
    /// The hosts of which a plan is known, where faults teach most first: real servers, director, client.
    fn scenes(self) -> impl Iterator<Item = Scene<'a>> {
        let mut hosts: Vec<&Host> = self.lab.hosts().iter().collect();
        hosts.sort_by_key(|host| (!host.is(Role::RealServer), !host.is(Role::Director)));
        hosts.into_iter().filter_map(move |host| {
            Some(Scene {
                ground: self,
                host,
                plan: self.plans.get(&host.name)?,
                facts: self.facts.get(&host.name)?,
            })
        })
    }

    /// `kind` on every host it fits.
    #[must_use]
    pub fn fitting(self, kind: &'static Kind) -> Vec<Fault> {
        self.scenes()
            .filter_map(|scene| {
                Some(Fault {
                    kind,
                    host: scene.host.name.clone(),
                    damage: (kind.damage)(&scene)?,
                })
            })
            .collect()
    }

    /// The fault of this name, on `host` or where it teaches most.
    ///
    /// # Errors
    /// There is none of that name, it does not fit, or it would cut the host off.
    pub fn find(self, name: &str, host: Option<&HostName>) -> Result<Fault, FaultError> {
        let Some(kind) = catalogue().into_iter().find(|kind| kind.name == name) else {
            return Err(FaultError::Unknown {
                name: name.to_owned(),
                meant: nearest(name),
            });
        };
        let mut fitting = self.fitting(kind);
        let fits: Vec<HostName> = fitting.iter().map(|fault| fault.host.clone()).collect();
        if fits.is_empty() {
            return Err(FaultError::FitsNowhere {
                name: kind.name,
                lab: self.lab.name().to_string(),
            });
        }
        if let Some(host) = host {
            fitting.retain(|fault| fault.host == *host);
            if fitting.is_empty() {
                return Err(FaultError::NotThere {
                    name: kind.name,
                    host: host.clone(),
                    fits,
                });
            }
        }
        let first = fitting[0].host.clone();
        fitting
            .into_iter()
            .find(|fault| !self.cuts_off(fault))
            .ok_or(FaultError::CutsOff {
                name: kind.name,
                host: first,
            })
    }

    /// One of all faults on all hosts they fit, the same for the same seed and lab.
    ///
    /// # Errors
    /// Nothing fits.
    pub fn random(self, seed: u64) -> Result<Fault, FaultError> {
        let mut all: Vec<Fault> = catalogue()
            .into_iter()
            .flat_map(|kind| self.fitting(kind))
            .filter(|fault| !self.cuts_off(fault))
            .collect();
        if all.is_empty() {
            return Err(FaultError::Nothing {
                lab: self.lab.name().to_string(),
            });
        }
        let at = random::below(seed, all.len());
        Ok(all.swap_remove(at))
    }

    fn cuts_off(self, fault: &Fault) -> bool {
        let Some(facts) = self.facts.get(&fault.host) else {
            return false;
        };
        fault.damage.cuts.is_some() && fault.damage.cuts == facts.management
    }
}

/// The name closest to what was typed, if one is close.
fn nearest(name: &str) -> Option<&'static str> {
    catalogue()
        .into_iter()
        .map(|kind| (strsim::damerau_levenshtein(name, kind.name), kind.name))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3)
        .min()
        .map(|(_, name)| name)
}
