//! The effect of a planned step, which is what `verify` judges and names.

use super::planned_host::PlannedHost;
use crate::keeper::{Purpose, Step};
use crate::resource::Resource;
use crate::verify::{InterfaceSetting, PlacedAddress, Subject};

impl PlannedHost<'_> {
    /// The effect of a planned step: now, or for files that only a boot reads, after the next boot. `None` where no check
    /// is about it.
    pub(super) fn effect_of(&self, step: &Step) -> Option<Subject> {
        let lab = self.lab();
        Some(match (&step.purpose, &step.resource) {
            (Purpose::NetworkFile { .. }, _) => Subject::BootAddress(PlacedAddress {
                interface: self.own_interface()?.clone(),
                address: self.own_address()?.into(),
            }),
            (Purpose::AliasFile { .. }, _) => Subject::BootVip(lab.vip().into()),
            (Purpose::SettingsFile, _) => self.effect_of_saved_settings()?,
            (Purpose::SavedRules, _) => {
                let table = self.step(|purpose| *purpose == Purpose::VirtualService)?;
                match &table.resource {
                    Resource::Ipvs(wanted) => {
                        Subject::BootVirtualService(wanted.service.key.into())
                    }
                    _ => return None,
                }
            }
            (Purpose::Page, _) => Subject::Page,
            (Purpose::ListenFile, _) => Subject::Listens(lab.service().port.get()),
            (Purpose::Link, Resource::Link(link)) => Subject::Link(link.interface.clone()),
            (Purpose::OwnAddress, Resource::Address(own)) => Subject::Address(PlacedAddress {
                interface: own.interface.clone(),
                address: own.address,
            }),
            (Purpose::Vip, Resource::Address(vip)) => Subject::Vip(vip.address.addr()),
            (Purpose::Gateway, _) => Subject::Route(lab.cip().addr().into()),
            (Purpose::WebServer, Resource::Service(service)) => {
                Subject::Service(service.name.clone())
            }
            (Purpose::VirtualService, Resource::Ipvs(wanted)) => {
                Subject::VirtualService(wanted.service.key.into())
            }
            (Purpose::Setting, Resource::Sysctl(sysctl)) => {
                Subject::EffectiveSetting(InterfaceSetting {
                    setting: match sysctl.key.rsplit_once('.')?.1 {
                        "ip_forward" => "forwarding".to_owned(),
                        name => name.to_owned(),
                    },
                    interface: self.own_interface()?.clone(),
                })
            }
            _ => return None,
        })
    }

    /// What the host's planned settings do after the next boot.
    pub(super) fn effect_of_saved_settings(&self) -> Option<Subject> {
        let interface = self.own_interface()?.clone();
        Some(if self.hides_vip() {
            Subject::BootArp(interface)
        } else {
            Subject::BootForwarding(interface)
        })
    }
}
