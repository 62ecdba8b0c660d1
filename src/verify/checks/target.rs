//! A host with what the lab needs of it: what the checks of one host are made from.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::IpNet;

use crate::keeper::System;
use crate::model::{Host, HostName, InterfaceName, Lab};
use crate::requirement::{
    HostAddress, HostState, Interfaces, Need, Program, Requirement, SettingStates, Sourced, Unset,
    Verdict, judge,
};
use crate::resource::{Facts, Observed, Package, Resource};
use crate::verify::evidence::Machine;
use crate::verify::identity::{CheckId, PlacedAddress, Subject};
use crate::verify::view::{Gap, Seen, View};

#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) view: View<'a>,
    pub(super) host: &'a Host,
    pub(super) machine: &'a Machine,
    pub(super) required: &'a [Requirement],
}

impl<'a> Target<'a> {
    pub(super) fn lab(self) -> &'a Lab {
        self.view.lab()
    }

    pub(super) fn name(self) -> &'a HostName {
        &self.host.name
    }

    pub(super) fn facts(self) -> &'a Facts {
        &self.machine.facts
    }

    pub(super) fn interfaces(self) -> &'a Interfaces {
        &self.machine.interfaces
    }

    pub(super) fn system(self) -> System {
        System::of(self.facts())
    }

    pub(super) fn id(self, subject: Subject) -> CheckId {
        CheckId::new(self.name(), subject)
    }

    /// The addresses that the lab gives to this host.
    pub(super) fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        self.required
            .iter()
            .filter_map(|requirement| match &requirement.need {
                Need::OwnAddress(own) => Some(own.address.addr()),
                Need::DirectorVip { vip, .. } => Some(vip.addr()),
                Need::RealServerVip { vip, .. } => Some(*vip),
                _ => None,
            })
    }

    /// The checks of the host's links and addresses, on which everything that it sends depends.
    pub(super) fn attachment(self) -> Vec<CheckId> {
        let links = self.interfaces().names().cloned().map(Subject::Link);
        let addresses = self
            .required
            .iter()
            .filter_map(|one| address_check(self, one));
        links
            .chain(addresses)
            .map(|subject| self.id(subject))
            .collect()
    }

    /// Whether a requirement holds now, as far as programs, addresses and settings decide it.
    pub(super) fn judge(self, requirement: &Requirement) -> Seen<Verdict> {
        let state = self.state()?;
        Ok(judge(requirement, self.interfaces(), &state))
    }

    fn state(self) -> Seen<HostState> {
        let found = self.view.before(self.name())?;
        // Requirements are about IPv4 so far.
        let addresses = found
            .addresses
            .iter()
            .filter_map(|state| match state.address {
                IpNet::V4(address) => Some(Sourced::seen(HostAddress {
                    interface: state.interface.clone(),
                    address,
                })),
                IpNet::V6(_) => None,
            });
        Ok(HostState {
            programs: Some(self.programs()),
            addresses: Some(addresses.collect()),
            settings: self.settings(),
            ..HostState::default()
        })
    }

    fn programs(self) -> BTreeSet<Program> {
        let package = Resource::Package(Package {
            name: Program::Curl.to_string(),
        });
        let installed = matches!(
            self.view.observed(self.name(), &package.id()),
            Ok(Observed::Package { version: Some(_) })
        );
        let curl = (installed || self.facts().curl).then_some(Program::Curl);
        curl.into_iter().collect()
    }

    fn settings(self) -> SettingStates {
        let keys = self.required.iter().filter_map(|one| match &one.need {
            Need::Setting(setting) => Some(setting.key),
            _ => None,
        });
        let values = keys.filter_map(|key| {
            let value = self.view.sysctl(self.name(), key).ok()??;
            Some((key.to_owned(), Sourced::seen(value.to_owned())))
        });
        SettingStates {
            values: values.collect(),
            others: Unset::NotSeen,
        }
    }
}

/// The check of an address that the lab gives to the host.
fn address_check(target: Target<'_>, requirement: &Requirement) -> Option<Subject> {
    match &requirement.need {
        Need::OwnAddress(own) => {
            let interface = target.interfaces().get(own.network)?;
            Some(Subject::Address(placed(interface, own.address)))
        }
        Need::DirectorVip { vip, .. } => Some(Subject::Vip(vip.addr().into())),
        Need::RealServerVip { vip, .. } => Some(Subject::Vip((*vip).into())),
        _ => None,
    }
}

/// An address as a check names it.
pub(super) fn placed(interface: &InterfaceName, address: ipnet::Ipv4Net) -> PlacedAddress {
    PlacedAddress {
        interface: interface.clone(),
        address: address.into(),
    }
}

/// What an unknown verdict leaves open.
pub(super) fn gap(host: &HostName, cause: String) -> Gap {
    Gap::untold(host, cause)
}
