//! One host of a lab: what faults ask about it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::PlannedLab;
use crate::keeper::Purpose;
use crate::model::{Host, HostName, InterfaceName, Lab, NetworkId, Profile, RealServer, Role};
use crate::plan::{HostPlan, Step};
use crate::resource::{Address, DefaultRoute, Facts, File, OsFamily, Resource, ServiceManager};
use crate::verify::{CheckId, Subject};

/// A host with its plan, its facts and its lab.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedHost<'a> {
    pub(super) around: PlannedLab<'a>,
    pub(super) host: &'a Host,
    pub(super) plan: &'a HostPlan,
    pub(super) facts: &'a Facts,
}

/// Which hosts a fault is meant for.
impl PlannedHost<'_> {
    pub(super) fn is_any(&self) -> bool {
        true
    }

    pub(super) fn is_client(&self) -> bool {
        self.host.is(Role::Client)
    }

    pub(super) fn is_director(&self) -> bool {
        self.host.is(Role::Director)
    }

    pub(super) fn is_real_server(&self) -> bool {
        self.host.is(Role::RealServer)
    }

    /// The client and the director.
    pub(super) fn sends_requests(&self) -> bool {
        self.is_client() || self.is_director()
    }

    /// The director and the real servers.
    pub(super) fn gets_requests(&self) -> bool {
        self.is_director() || self.is_real_server()
    }

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

    /// A client of real servers that have the VIP themselves.
    pub(super) fn sees_hidden_vips(&self) -> bool {
        self.is_client() && self.profile().real_server_vip.is_some()
    }

    /// The client, and a real server that answers it directly.
    pub(super) fn faces_client_network(&self) -> bool {
        self.is_client() || self.hides_vip()
    }
}

impl<'a> PlannedHost<'a> {
    pub(super) fn lab(&self) -> &'a Lab {
        self.around.lab
    }

    pub(super) fn name(&self) -> &'a HostName {
        &self.host.name
    }

    pub(super) fn profile(&self) -> &'static Profile {
        self.lab().profile()
    }

    /// `None` unless `holds`, to be followed by `?`.
    pub(super) fn only(&self, holds: bool) -> Option<()> {
        holds.then_some(())
    }

    pub(super) fn interface(&self, network: NetworkId) -> Option<&'a InterfaceName> {
        self.plan.interfaces.get(&network)
    }

    /// The interface on the real servers' network; for a client, on its own.
    pub(super) fn own_interface(&self) -> Option<&'a InterfaceName> {
        self.interface(self.own_network())
    }

    fn own_network(&self) -> NetworkId {
        if self.is_director() || self.is_real_server() {
            self.lab().servers_network()
        } else {
            self.lab().clients_network()
        }
    }

    /// The host's own address on that interface: RIP, DIP or CIP.
    pub(super) fn own_address(&self) -> Option<Ipv4Net> {
        Some(self.host.on_network(self.own_network())?.address)
    }

    /// The planned address that is the VIP.
    pub(super) fn vip(&self) -> Option<&'a Address> {
        self.plan
            .steps
            .iter()
            .find_map(|step| match &step.resource {
                Resource::Address(address) if address.address.addr() == self.lab().vip() => {
                    Some(address)
                }
                _ => None,
            })
    }

    /// The first planned step with a purpose that `fits`.
    pub(super) fn step(&self, fits: impl Fn(&Purpose) -> bool) -> Option<&'a Step> {
        self.plan.steps.iter().find(|step| fits(&step.purpose))
    }

    /// The planned file with a purpose that `fits`.
    pub(super) fn file(&self, fits: impl Fn(&Purpose) -> bool) -> Option<&'a File> {
        match &self.step(fits)?.resource {
            Resource::File(file) => Some(file),
            _ => None,
        }
    }

    /// The planned default route.
    pub(super) fn gateway(&self) -> Option<&'a DefaultRoute> {
        match &self.step(|purpose| *purpose == Purpose::Gateway)?.resource {
            Resource::DefaultRoute(route) => Some(route),
            _ => None,
        }
    }

    /// The check of the first planned step of this purpose.
    pub(super) fn check_for(&self, purpose: &Purpose) -> Option<CheckId> {
        let step = self.step(|other| other == purpose)?;
        Some(self.check(self.effect_of(step)?))
    }

    /// The next host of the lab that this one sends to: the VIP, a real server or the client.
    pub(super) fn next_destination(&self) -> Option<Ipv4Addr> {
        if self.is_director() {
            Some(self.served()?.address())
        } else if self.is_real_server() {
            Some(self.lab().cip().addr())
        } else {
            Some(self.lab().vip())
        }
    }

    /// The check of the planned resource that `fits`.
    pub(super) fn check_of(&self, fits: impl Fn(&Resource) -> bool) -> Option<CheckId> {
        let step = self.plan.steps.iter().find(|step| fits(&step.resource))?;
        Some(self.check(self.effect_of(step)?))
    }

    pub(super) fn check_of_file(&self, file: &File) -> Option<CheckId> {
        self.check_of(|resource| matches!(resource, Resource::File(other) if other == file))
    }

    /// The check of the host's own address, which has no label.
    pub(super) fn check_of_own_address(&self) -> Option<CheckId> {
        let own = self.own_address()?;
        self.check_of(|resource| {
            matches!(resource, Resource::Address(address) if address.address == own.into() && address.label.is_none())
        })
    }

    pub(super) fn check_of_setting(&self, key: &str) -> Option<CheckId> {
        self.check_of(|resource| matches!(resource, Resource::Sysctl(sysctl) if sysctl.key == key))
    }

    pub(super) fn check(&self, subject: Subject) -> CheckId {
        CheckId::new(self.name(), subject)
    }

    /// The first real server that gets connections.
    pub(super) fn served(&self) -> Option<&'a RealServer> {
        let servers = self.lab().real_servers();
        servers.iter().find(|server| server.weight > 0)
    }

    /// A real server other than this host.
    pub(super) fn other_server(&self) -> Option<&'a RealServer> {
        let servers = self.lab().real_servers();
        servers.iter().rfind(|server| server.host != *self.name())
    }

    /// The highest address of `network` that no host of the lab has.
    pub(super) fn free_address(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        let lab = self.lab();
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
    pub(super) fn mac_of(&self, host: &HostName, network: NetworkId) -> Option<&'a str> {
        let interface = self.around.plans.get(host)?.interfaces.get(&network)?;
        let links = &self.around.facts.get(host)?.links;
        let link = links.iter().find(|link| link.name == *interface)?;
        Some(link.mac.as_str()).filter(|mac| !mac.is_empty())
    }

    /// Name of the web server's system service.
    pub(super) fn httpd(&self) -> Option<&'a str> {
        match &self
            .step(|purpose| *purpose == Purpose::WebServer)?
            .resource
        {
            Resource::Service(service) => Some(&service.name),
            _ => None,
        }
    }

    /// The command that starts, stops or restarts a service.
    pub(super) fn service_command(&self, service: &str, verb: &str) -> String {
        match self.facts.service_manager {
            ServiceManager::Systemd => format!("systemctl {verb} {service}"),
            ServiceManager::SysV => format!("service {service} {verb}"),
        }
    }

    /// The command after which a boot no longer starts a service.
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
