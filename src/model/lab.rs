//! The lab as a whole: its networks, hosts and services.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{
    ForwardingMethod, Host, LabId, LabName, Network, NetworkId, Profile, RealServer, Role,
    VirtualService,
};

/// What lvslab may do to a host's own protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Set firewalld's default zone to `trusted` where firewalld runs (course text); otherwise leave it.
    pub trust_firewall: bool,
    /// Make SELinux permissive where it is enforcing (course text); otherwise leave it.
    pub permissive_selinux: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            trust_firewall: true,
            permissive_selinux: true,
        }
    }
}

/// A lab that can be built.
///
/// [`crate::topology::load`] makes one of a file and checks every rule. One that is read from JSON, as a part of saved
/// evidence, has at least the shape that the methods here rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Lab {
    parts: LabParts,
}

/// The pieces of a [`Lab`], as the topology reader hands them in once they are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabParts {
    /// Name and seat.
    pub id: LabId,
    /// Networks, the clients' first; at least one.
    pub networks: Vec<Network>,
    /// Every machine: clients, directors, then the real servers in file order.
    pub hosts: Vec<Host>,
    /// Virtual services in file order, at least one, with at least one real server each.
    pub services: Vec<VirtualService>,
    /// Firewall and SELinux.
    pub policy: Policy,
}

/// A lab as JSON has it.
#[derive(Deserialize)]
struct Unchecked {
    parts: LabParts,
}

impl TryFrom<Unchecked> for Lab {
    type Error = String;

    fn try_from(Unchecked { parts }: Unchecked) -> Result<Self, String> {
        parts.well_formed()?;
        Ok(Self { parts })
    }
}

impl LabParts {
    /// What is missing or names something that is not there, in words.
    fn well_formed(&self) -> Result<(), String> {
        for role in [Role::Client, Role::Director] {
            if !self.hosts.iter().any(|host| host.is(role)) {
                return Err(format!("the lab has no {role}"));
            }
        }
        for host in &self.hosts {
            if host.attachments.is_empty() {
                return Err(format!("{} has no address", host.name));
            }
            let mut networks = host.attachments.iter().map(|attachment| attachment.network);
            if let Some(missing) = networks.find(|network| network.place() >= self.networks.len()) {
                return Err(format!(
                    "{} is on network {missing}, which the lab does not have",
                    host.name
                ));
            }
        }
        if self.services.is_empty() {
            return Err("the lab has no service".to_owned());
        }
        for service in &self.services {
            if service.real_servers.is_empty() {
                return Err(format!("the service {service} has no real server"));
            }
            for server in &service.real_servers {
                if !self.hosts.iter().any(|host| host.name == server.host) {
                    return Err(format!("real server {} is no host of the lab", server.host));
                }
            }
        }
        Ok(())
    }
}

impl Lab {
    /// Wraps parts that were checked by [`crate::topology`].
    pub(crate) fn from_checked(parts: LabParts) -> Self {
        Self { parts }
    }

    /// Name and seat: the identity of everything that is kept for this lab.
    #[must_use]
    pub fn id(&self) -> &LabId {
        &self.parts.id
    }

    /// Name, the same for every seat.
    #[must_use]
    pub fn name(&self) -> &LabName {
        self.parts.id.lab()
    }

    /// Networks, the clients' first.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        &self.parts.networks
    }

    /// Every machine: clients, directors, real servers.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.parts.hosts
    }

    /// Virtual services in file order.
    #[must_use]
    pub fn services(&self) -> &[VirtualService] {
        &self.parts.services
    }

    /// Firewall and SELinux policy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.parts.policy
    }

    /// The machines that have this role, perhaps beside others.
    pub fn hosts_with(&self, role: Role) -> impl Iterator<Item = &Host> {
        self.parts.hosts.iter().filter(move |host| host.is(role))
    }

    /// The machine called `name`.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.parts
            .hosts
            .iter()
            .find(|host| host.name.as_str() == name)
    }

    /// The parts that the machine called `name` has as a real server: the services with its entry in each.
    pub fn served_by(&self, name: &str) -> impl Iterator<Item = (&VirtualService, &RealServer)> {
        self.services()
            .iter()
            .filter_map(move |service| Some((service, service.real_server(name)?)))
    }

    /// The forwarding methods that matter to a host, each once: a director's are those of all real servers, a real
    /// server's are its own.
    #[must_use]
    pub fn methods_at(&self, host: &Host) -> Vec<ForwardingMethod> {
        let director = host.is(Role::Director);
        let mut methods = Vec::new();
        for server in self
            .services()
            .iter()
            .flat_map(|service| &service.real_servers)
        {
            if (director || server.host == host.name) && !methods.contains(&server.method) {
                methods.push(server.method);
            }
        }
        methods
    }

    /// The network that the clients are in.
    #[must_use]
    pub fn clients_network(&self) -> NetworkId {
        self.client().attachments[0].network
    }

    /// The network over which the director reaches the real servers.
    #[must_use]
    pub fn servers_network(&self) -> NetworkId {
        let director = self.director();
        director.attachments[director.attachments.len() - 1].network
    }

    /// The first client.
    #[must_use]
    pub fn client(&self) -> &Host {
        self.first(Role::Client)
    }

    /// The first director.
    #[must_use]
    pub fn director(&self) -> &Host {
        self.first(Role::Director)
    }

    fn first(&self, role: Role) -> &Host {
        self.hosts_with(role)
            .next()
            .expect("a checked lab has a client and a director")
    }

    /// CIP of the first client.
    #[must_use]
    pub fn cip(&self) -> Ipv4Net {
        self.client().attachments[0].address
    }

    /// DIP: the first director's own address towards the real servers.
    #[must_use]
    pub fn dip(&self) -> Ipv4Net {
        let director = self.director();
        director.attachments[director.attachments.len() - 1].address
    }

    /// The first service, which is the only one that a topology file of today describes.
    #[must_use]
    pub fn service(&self) -> &VirtualService {
        &self.parts.services[0]
    }

    /// Real servers of the first service, in file order.
    #[must_use]
    pub fn real_servers(&self) -> &[RealServer] {
        &self.service().real_servers
    }

    /// The first service's entry of the machine called `name`.
    #[must_use]
    pub fn real_server(&self, name: &str) -> Option<&RealServer> {
        self.service().real_server(name)
    }

    /// VIP of the first service, without its prefix.
    #[must_use]
    pub fn vip(&self) -> Ipv4Addr {
        self.service().vip.addr()
    }

    /// Forwarding method of the first service's real servers; a topology file of today gives all of them the same.
    #[must_use]
    pub fn method(&self) -> ForwardingMethod {
        self.service().real_servers[0].method
    }

    /// What that method means for the lab.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.method().profile()
    }

    /// `http://VIP/` or `http://VIP:PORT/` of the first service.
    #[must_use]
    pub fn url(&self) -> String {
        match self.service().port.get() {
            80 => format!("http://{}/", self.vip()),
            port => format!("http://{}:{port}/", self.vip()),
        }
    }
}
