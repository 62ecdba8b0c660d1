//! The effect of a planned resource, which is what verification judges and names.

use super::planned_host::PlannedHost;
use crate::keeper;
use crate::resource::{File, Resource};
use crate::verify::{InterfaceSetting, PlacedAddress, Subject};

impl PlannedHost<'_> {
    /// The effect that a planned resource has now.
    pub(super) fn effect_of(&self, resource: &Resource) -> Option<Subject> {
        Some(match resource {
            Resource::Link(link) => Subject::Link(link.interface.clone()),
            Resource::Address(own) if own.label.is_none() => Subject::Address(PlacedAddress {
                interface: own.interface.clone(),
                address: own.address.into(),
            }),
            Resource::Address(vip) => Subject::Vip(vip.address.addr().into()),
            Resource::DefaultRoute(_) => Subject::Route(self.lab().cip().addr().into()),
            Resource::Service(service) => Subject::Service(service.name.clone()),
            Resource::Ipvs(wanted) => Subject::VirtualService(wanted.service.key.into()),
            Resource::Sysctl(sysctl) => Subject::EffectiveSetting(InterfaceSetting {
                setting: match sysctl.key.rsplit_once('.')?.1 {
                    "ip_forward" => "forwarding".to_owned(),
                    name => name.to_owned(),
                },
                interface: self.own_interface()?.clone(),
            }),
            Resource::File(file) => return self.effect_of_file(file),
            Resource::Package(_) | Resource::Firewall(_) | Resource::Selinux(_) => return None,
        })
    }

    /// The effect of a planned file: of the page and the web server's port now, of all others after the next boot.
    pub(super) fn effect_of_file(&self, file: &File) -> Option<Subject> {
        let lab = self.lab();
        let name = file.path.rsplit('/').next()?;
        Some(match name.strip_prefix("ifcfg-") {
            Some(device) if device.contains(':') => Subject::BootVip(lab.vip().into()),
            Some(_) => Subject::BootAddress(PlacedAddress {
                interface: self.own_interface()?.clone(),
                address: self.own_address()?.into(),
            }),
            None if keeper::saved_rules::are_saved_at(&file.path) => {
                let planned = |step: &crate::plan::Step| match &step.resource {
                    Resource::Ipvs(wanted) => Some(wanted.service.key),
                    _ => None,
                };
                let key = self.plan.steps.iter().find_map(planned)?;
                Subject::BootVirtualService(key.into())
            }
            None if file.path == keeper::PAGE => Subject::Page,
            None if file.path.contains("/sysctl.d/") => self.effect_of_saved_settings()?,
            None => Subject::Listens(lab.service().port.get()),
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
