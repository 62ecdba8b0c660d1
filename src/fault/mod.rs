//! Faults as exercises: each breaks one thing of a working lab, on one host, and knows its symptom, the check that must
//! name it, and how it is taken back.
//!
//! In: a [`Lab`] with the facts and the plan of each host. Out: [`Fault`]s with the lines a person would type to set
//! them, and to take back what is not planned. Pure: nothing here touches a host.

mod boot;
mod director;
mod effect;
mod firewall;
mod kernel;
mod link;
mod network;
mod planned_host;
mod random;
mod route;
mod table;
mod web;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{Host, HostName, InterfaceName, Lab, Role};
use crate::plan::HostPlan;
use crate::resource::Facts;
use crate::verify::CheckId;

use planned_host::PlannedHost;
pub use table::{FaultId, Kind};

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
    /// The real servers' web server and its page.
    WebServer,
    /// Files and links that a boot follows.
    Boot,
}

impl Layer {
    /// The word in lists and JSON.
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
    /// Every request may be answered, but something is wrong.
    QuietlyWrong,
    /// Everything works until the host is restarted.
    UntilReboot,
}

impl Effect {
    /// The words in lists and JSON.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::QuietlyWrong => "quietly wrong",
            Self::UntilReboot => "works until reboot",
        }
    }
}

/// What a fault does on its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, in the words of the last hint.
    pub setting: String,
    /// The check that has to name it.
    pub cause: CheckId,
    /// What a person would type, lines of one shell script that ends at the first failure.
    pub inflict: Vec<String>,
    /// What takes back the changes that the host's plan does not cover; harmless if they are gone already.
    pub undo: Vec<String>,
    /// Kernel settings that are changed and not planned. Their values must be kept, to be put back.
    pub keeps: Vec<String>,
    /// The interface that is cut off. It must not be the one through which the host is managed.
    pub cuts: Option<InterfaceName>,
}

impl Damage {
    /// Damage that `up` takes back completely.
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
    pub kind: &'static Kind,
    pub host: HostName,
    pub damage: Damage,
}

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no fault of that name.
    #[error("there is no fault `{name}`")]
    Unknown {
        /// The name as it was typed.
        name: String,
        /// A fault with a similar name.
        meant: Option<FaultId>,
    },
    /// No host of this lab has what it would damage.
    #[error("`{fault}` fits no host of lab {lab}")]
    FitsNowhere { fault: FaultId, lab: String },
    /// This host does not have what it would damage.
    #[error("`{fault}` does not fit {host}; it fits {}", list(.fits))]
    NotThere {
        fault: FaultId,
        host: HostName,
        /// The hosts it fits.
        fits: Vec<HostName>,
    },
    /// It would cut the host off.
    #[error("`{fault}` would cut {host} off: it is managed through the same interface")]
    CutsOff { fault: FaultId, host: HostName },
    /// No fault fits any host of the lab.
    #[error("no fault fits lab {lab}")]
    Nothing { lab: String },
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

/// A lab with the facts and the plans of its hosts.
#[derive(Debug, Clone, Copy)]
pub struct PlannedLab<'a> {
    pub lab: &'a Lab,
    pub facts: &'a BTreeMap<HostName, Facts>,
    pub plans: &'a BTreeMap<HostName, HostPlan>,
}

/// Every fault's row, from the wire up.
pub fn catalogue() -> impl Iterator<Item = &'static Kind> {
    FaultId::ALL.iter().map(|id| id.kind())
}

impl<'a> PlannedLab<'a> {
    /// The hosts with a plan, those where faults teach most first: real servers, director, client.
    fn hosts(self) -> impl Iterator<Item = PlannedHost<'a>> {
        let mut hosts: Vec<&Host> = self.lab.hosts().iter().collect();
        hosts.sort_by_key(|host| (!host.is(Role::RealServer), !host.is(Role::Director)));
        hosts.into_iter().filter_map(move |host| {
            Some(PlannedHost {
                around: self,
                host,
                plan: self.plans.get(&host.name)?,
                facts: self.facts.get(&host.name)?,
            })
        })
    }

    /// `kind` on every host it fits.
    #[must_use]
    pub fn fitting(self, kind: &'static Kind) -> Vec<Fault> {
        self.hosts()
            .filter_map(|host| {
                Some(Fault {
                    kind,
                    host: host.name().clone(),
                    damage: kind.damage_on(&host)?,
                })
            })
            .collect()
    }

    /// The fault of this name, on `host` or on the host where it teaches most.
    ///
    /// # Errors
    /// There is no fault of that name, it does not fit, or it would cut the host off.
    pub fn find(self, name: &str, host: Option<&HostName>) -> Result<Fault, FaultError> {
        let Some(kind) = catalogue().find(|kind| kind.name == name) else {
            return Err(FaultError::Unknown {
                name: name.to_owned(),
                meant: nearest(name),
            });
        };
        let mut fitting = self.fitting(kind);
        let fits: Vec<HostName> = fitting.iter().map(|fault| fault.host.clone()).collect();
        if fits.is_empty() {
            return Err(FaultError::FitsNowhere {
                fault: kind.id,
                lab: self.lab.name().to_string(),
            });
        }
        if let Some(host) = host {
            fitting.retain(|fault| fault.host == *host);
            if fitting.is_empty() {
                return Err(FaultError::NotThere {
                    fault: kind.id,
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
                fault: kind.id,
                host: first,
            })
    }

    /// One of all faults on all hosts they fit. The same seed and lab give the same fault.
    ///
    /// # Errors
    /// No fault fits.
    pub fn random(self, seed: u64) -> Result<Fault, FaultError> {
        let mut all: Vec<Fault> = catalogue()
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

/// The fault whose name is closest to what was typed, if one is close.
fn nearest(name: &str) -> Option<FaultId> {
    catalogue()
        .map(|kind| (strsim::damerau_levenshtein(name, kind.name), kind))
        .filter(|(distance, kind)| *distance <= kind.name.len() / 3)
        .min_by_key(|(distance, kind)| (*distance, kind.name))
        .map(|(_, kind)| kind.id)
}
