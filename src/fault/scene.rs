//! One host of a lab as faults look at it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Ground;
use crate::model::{Host, InterfaceName, NetworkId, Profile, RealServer, Role};
use crate::plan::HostPlan;
use crate::resource::{Address, Facts, File, OsFamily, Resource, ServiceManager};
use crate::verify::{CheckId, Subject};

/// A host with its lab.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) ground: Ground<'a>,
    pub(super) host: &'a Host,
    pub(super) plan: &'a HostPlan,
    pub(super) facts: &'a Facts,
}

impl<'a> Scene<'a> {
    /// A director that replies pass.
    pub(super) fn is_passed_by_replies(&self) -> bool {
        self.is_director() && self.profile().replies_pass_director()
    }

    /// A real server that replies through the director.
    pub(super) fn replies_through_director(&self) -> bool {
        self.is_real_server() && self.profile().replies_pass_director()
    }

    /// A real server that has the VIP itself.
    pub(super) fn hides_vip(&self) -> bool {
        self.is_real_server() && self.profile().real_server_vip.is_some()
    }

    pub(super) fn is_real_server(&self) -> bool {
        self.host.is(Role::RealServer)
    }

    pub(super) fn is_director(&self) -> bool {
        self.host.is(Role::Director)
    }

    pub(super) fn profile(&self) -> &'static Profile {
        self.ground.lab.profile()
    }

    /// `Some` where the scene is this, so that conditions read as the others with `?`.
    pub(super) fn only(&self, holds: bool) -> Option<()> {
        holds.then_some(())
    }

    pub(super) fn interface(&self, network: NetworkId) -> Option<&'a InterfaceName> {
        self.plan.interfaces.get(&network)
    }

    /// The interface towards the other side of the lab: the real servers' segment, the client's own.
    pub(super) fn own_interface(&self) -> Option<&'a InterfaceName> {
        self.interface(self.own_network())
    }

    fn own_network(&self) -> NetworkId {
        if self.is_director() || self.is_real_server() {
            self.ground.lab.servers_network()
        } else {
            self.ground.lab.clients_network()
        }
    }

    /// The host's own address there: RIP, DIP or CIP.
    pub(super) fn own_address(&self) -> Option<Ipv4Net> {
        Some(self.host.on_network(self.own_network())?.address)
    }

    /// The planned address with the VIP.
    pub(super) fn vip(&self) -> Option<&'a Address> {
        self.plan
            .steps
            .iter()
            .find_map(|step| match &step.resource {
                Resource::Address(address) if address.address.addr() == self.ground.lab.vip() => {
                    Some(address)
                }
                _ => None,
            })
    }

    /// The planned file whose path ends like this.
    pub(super) fn file(&self, end: &str) -> Option<&'a File> {
        self.files().find(|file| file.path.ends_with(end))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &'a File> {
        self.plan
            .steps
            .iter()
            .filter_map(|step| match &step.resource {
                Resource::File(file) => Some(file),
                _ => None,
            })
    }

    /// The check of the planned resource that `fits`.
    pub(super) fn check_of(&self, fits: impl Fn(&Resource) -> bool) -> Option<CheckId> {
        let step = self.plan.steps.iter().find(|step| fits(&step.resource))?;
        Some(CheckId::resource(&self.host.name, &step.resource))
    }

    pub(super) fn check_of_file(&self, file: &File) -> Option<CheckId> {
        self.check_of(|resource| matches!(resource, Resource::File(other) if other == file))
    }

    pub(super) fn check_of_setting(&self, key: &str) -> Option<CheckId> {
        self.check_of(|resource| matches!(resource, Resource::Sysctl(sysctl) if sysctl.key == key))
    }

    pub(super) fn check(&self, subject: Subject) -> CheckId {
        CheckId::new(&self.host.name, subject)
    }

    /// The first real server that is given connections.
    pub(super) fn served(&self) -> Option<&'a RealServer> {
        let servers = self.ground.lab.real_servers();
        servers.iter().find(|server| server.weight > 0)
    }

    /// A real server beside this host.
    pub(super) fn other_server(&self) -> Option<&'a RealServer> {
        let servers = self.ground.lab.real_servers();
        servers.iter().rfind(|server| server.host != self.host.name)
    }

    /// An address of `network` that nobody in the lab has: the highest.
    pub(super) fn free_address(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        let lab = self.ground.lab;
        let taken: Vec<Ipv4Addr> = lab
            .hosts()
            .iter()
            .flat_map(|host| &host.attachments)
            .map(|attachment| attachment.address.addr())
            .chain([lab.vip()])
            .collect();
        let last = u32::from(network.broadcast());
        (1..=64)
            .map(|below| Ipv4Addr::from(last.saturating_sub(below)))
            .find(|address| {
                network.contains(address)
                    && *address != network.network()
                    && !taken.contains(address)
            })
    }

    /// MAC of another host's interface on a network.
    pub(super) fn mac_of(
        &self,
        host: &crate::model::HostName,
        network: NetworkId,
    ) -> Option<&'a str> {
        let interface = self.ground.plans.get(host)?.interfaces.get(&network)?;
        let links = &self.ground.facts.get(host)?.links;
        let link = links.iter().find(|link| link.name == *interface)?;
        Some(link.mac.as_str()).filter(|mac| !mac.is_empty())
    }

    /// Name of the web server's service.
    pub(super) fn httpd(&self) -> Option<&'a str> {
        self.only(self.is_real_server())?;
        let service = |resource: &'a Resource| match resource {
            Resource::Service(service) if matches!(&*service.name, "httpd" | "apache2") => {
                Some(service.name.as_str())
            }
            _ => None,
        };
        self.plan
            .steps
            .iter()
            .find_map(|step| service(&step.resource))
    }

    /// `start`, `stop`, `restart` of a service.
    pub(super) fn service_command(&self, service: &str, verb: &str) -> String {
        match self.facts.service_manager {
            ServiceManager::Systemd => format!("systemctl {verb} {service}"),
            ServiceManager::SysV => format!("service {service} {verb}"),
        }
    }

    /// Takes a service out of the boot.
    pub(super) fn disable_command(&self, service: &str) -> String {
        match (self.facts.service_manager, self.facts.family) {
            (ServiceManager::Systemd, _) => format!("systemctl disable {service}"),
            (ServiceManager::SysV, OsFamily::Debian) => format!("update-rc.d {service} disable"),
            (ServiceManager::SysV, OsFamily::Rhel) => format!("chkconfig {service} off"),
        }
    }

    /// The file in which the distribution's Apache is told where to listen.
    pub(super) fn httpd_ports_file(&self) -> &'static str {
        match self.facts.family {
            OsFamily::Rhel => "/etc/httpd/conf/httpd.conf",
            OsFamily::Debian => "/etc/apache2/ports.conf",
        }
    }
}
