//! The lab as a whole: which host has which address on which layer-2 segment.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{
    Destination, ForwardingMethod, HostName, InterfaceName, LabName, Profile, RealServer,
    Scheduler, VirtualService,
};

/// A host's part in the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sends the requests; has the CIP.
    Client,
    /// Balances; has the VIP and DIP.
    Director,
    /// Serves; has a RIP.
    RealServer,
}

/// One host's own address (CIP, DIP, RIP, or the VIP of a NAT director) on one layer-2 segment.
///
/// The VIP *alias* of a DR lab is no attachment: it sits on an interface an attachment already names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Segment, counted from 0: the clients' first, then the real servers' where it is another.
    pub segment: usize,
    /// Address with the segment's prefix.
    pub address: Ipv4Net,
    /// Interface named by the topology; otherwise it is found by the network it is in.
    pub interface: Option<InterfaceName>,
}

/// Where a host is, when it is not in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshTarget {
    /// User, else what the SSH configuration says.
    pub user: Option<String>,
    /// Host name, address or alias in the SSH configuration; never starts with `-`.
    pub host: String,
    /// Port, else what the SSH configuration says.
    pub port: Option<u16>,
    /// Private key to offer.
    pub identity: Option<PathBuf>,
    /// Known-hosts file with this host's key, in place of the user's own.
    pub known_hosts: Option<PathBuf>,
    /// Where this was said, `inventory.yaml:9`, for messages.
    pub origin: String,
}

/// One machine of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name, unique in the lab.
    pub name: HostName,
    /// Role.
    pub role: Role,
    /// Its addresses, by segment.
    pub attachments: Vec<Attachment>,
    /// Where it is; `None` means in the sandbox.
    pub ssh: Option<SshTarget>,
}

impl Host {
    /// The attachment to `segment`, if the host is on it.
    #[must_use]
    pub fn on_segment(&self, segment: usize) -> Option<&Attachment> {
        self.attachments.iter().find(|a| a.segment == segment)
    }

    /// The interface of each attachment, in order, where we wire them ourselves: as the topology names it, else
    /// `eth0` on the clients' segment and `eth1` on the inner one, or the next that is free.
    #[must_use]
    pub fn wired(&self) -> Vec<InterfaceName> {
        let named = |name: &InterfaceName| {
            let mut attachments = self.attachments.iter();
            attachments.any(|attachment| attachment.interface.as_ref() == Some(name))
        };
        let mut wired: Vec<InterfaceName> = Vec::new();
        for attachment in &self.attachments {
            let first_free = || {
                (attachment.segment..)
                    .filter_map(|number| format!("eth{number}").parse().ok())
                    .find(|name| !named(name) && !wired.contains(name))
            };
            wired.extend(attachment.interface.clone().or_else(first_free));
        }
        wired
    }
}

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

/// A lab that can be built. Made by [`crate::topology::load`] only, which checks every rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lab {
    parts: LabParts,
}

/// The pieces of a [`Lab`], as the topology reader hands them in once they are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabParts {
    /// Name.
    pub name: LabName,
    /// Forwarding method of all its real servers.
    #[serde(rename = "mode")]
    pub method: ForwardingMethod,
    /// The virtual service.
    pub service: VirtualService,
    /// Every machine: the client, the director, then the real servers in file order.
    pub hosts: Vec<Host>,
    /// Real servers, in file order, at least one.
    pub real_servers: Vec<RealServer>,
    /// Firewall and SELinux.
    pub policy: Policy,
}

impl Lab {
    /// Wraps parts that were checked by [`crate::topology`].
    pub(crate) fn from_checked(parts: LabParts) -> Self {
        Self { parts }
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &LabName {
        &self.parts.name
    }

    /// Forwarding method of all its real servers.
    #[must_use]
    pub fn method(&self) -> ForwardingMethod {
        self.parts.method
    }

    /// What that method means for the lab.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.method().profile()
    }

    /// The virtual service.
    #[must_use]
    pub fn service(&self) -> &VirtualService {
        &self.parts.service
    }

    /// Every machine: client, director, real servers.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.parts.hosts
    }

    /// What the scheduler has to be told to pass over real servers of weight 0 (`ipvsadm -b`), where it has to.
    ///
    /// `sh` deals its places out to every real server, `mh` to every one that ever had a weight, and a client whose
    /// place is one of weight 0 is refused (`ip_vs_sh.c`, `ip_vs_mh.c`); with the flag it gets another one.
    #[must_use]
    pub fn fallback(&self) -> Option<&'static str> {
        let idle = self.real_servers().iter().any(|server| server.weight == 0);
        match self.service().scheduler {
            Scheduler::Sh if idle => Some("sh-fallback"),
            Scheduler::Mh if idle => Some("mh-fallback"),
            _ => None,
        }
    }

    /// Real servers in file order.
    #[must_use]
    pub fn real_servers(&self) -> &[RealServer] {
        &self.parts.real_servers
    }

    /// Firewall and SELinux policy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.parts.policy
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Host {
        self.with_role(Role::Client)
    }

    /// The director.
    #[must_use]
    pub fn director(&self) -> &Host {
        self.with_role(Role::Director)
    }

    /// CIP.
    #[must_use]
    pub fn cip(&self) -> Ipv4Net {
        self.client().attachments[0].address
    }

    /// DIP: the director's own address towards the real servers.
    #[must_use]
    pub fn dip(&self) -> Ipv4Net {
        let director = self.director();
        director.attachments[director.attachments.len() - 1].address
    }

    /// VIP without its prefix.
    #[must_use]
    pub fn vip(&self) -> Ipv4Addr {
        self.parts.service.vip.addr()
    }

    /// The machine called `name`.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.parts
            .hosts
            .iter()
            .find(|host| host.name.as_str() == name)
    }

    /// The real-server entry of the machine called `name`.
    #[must_use]
    pub fn real_server(&self, name: &str) -> Option<&RealServer> {
        self.parts
            .real_servers
            .iter()
            .find(|server| server.host.as_str() == name)
    }

    /// Where requests go that the director has handed to this real server: under NAT it has rewritten their destination
    /// to the RIP; under direct routing it stays the VIP.
    #[must_use]
    pub fn address_asked_for(&self, server: &RealServer) -> Ipv4Addr {
        match self.profile().destination {
            Destination::RealServer => server.address(),
            Destination::Vip => self.vip(),
        }
    }

    /// Number of layer-2 segments, 1 or 2.
    #[must_use]
    pub fn segments(&self) -> usize {
        1 + self
            .parts
            .hosts
            .iter()
            .flat_map(|h| &h.attachments)
            .map(|a| a.segment)
            .max()
            .unwrap_or(0)
    }

    /// `http://VIP/` or `http://VIP:PORT/`.
    #[must_use]
    pub fn url(&self) -> String {
        match self.parts.service.port.get() {
            80 => format!("http://{}/", self.vip()),
            port => format!("http://{}:{port}/", self.vip()),
        }
    }

    fn with_role(&self, role: Role) -> &Host {
        self.parts
            .hosts
            .iter()
            .find(|host| host.role == role)
            .expect("a checked lab has a client and a director")
    }
}
