//! What a host is, before anything is asked of it: the input that lets one plan fit many systems.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{AddressState, ResourceId, RouteState, SelinuxMode};
use crate::model::InterfaceName;

/// Which family of distributions, by package manager and file layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// yum or dnf, `httpd`, `/etc/sysconfig`.
    Rhel,
    /// apt, `apache2`.
    Debian,
}

impl OsFamily {
    /// Every family.
    pub const ALL: [Self; 2] = [Self::Rhel, Self::Debian];

    /// Package and service of the Apache web server; its program is called like them.
    #[must_use]
    pub fn web_server(self) -> &'static str {
        match self {
            Self::Rhel => "httpd",
            Self::Debian => "apache2",
        }
    }
}

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceManager {
    /// systemd runs as PID 1.
    Systemd,
    /// `service NAME start` and `/etc/rc?.d` links.
    SysV,
}

/// Who reads `/etc/sysconfig/network-scripts/ifcfg-*` at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkFiles {
    /// The system does (network-scripts, or NetworkManager's ifcfg-rh plugin).
    System,
    /// Only our own agent does (a unit, or the sandbox's boot sequence).
    Agent,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Name.
    pub name: InterfaceName,
    /// Kernel index.
    pub index: u32,
    /// MAC, `52:54:00:12:34:56`; empty for interfaces without one.
    pub mac: String,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it can be a lab interface at all (Ethernet, no bridge or bond port, not a container's end).
    pub ethernet: bool,
    /// Administratively up.
    pub up: bool,
    pub addresses: Vec<AddressState>,
}

/// Everything planning needs to know of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its own host name, for messages.
    pub hostname: String,
    /// `PRETTY_NAME` of os-release.
    pub os: String,
    /// Family.
    pub family: OsFamily,
    /// Service manager.
    pub service_manager: ServiceManager,
    /// Who reads ifcfg files.
    pub network_files: NetworkFiles,
    /// Interfaces.
    pub links: Vec<LinkFacts>,
    /// Interface that carries the SSH connection; never a lab interface unless it already has a lab address.
    pub management: Option<InterfaceName>,
    /// The controller's address as the host sees it (`SSH_CONNECTION`).
    pub controller: Option<IpAddr>,
    /// The default route that answers to the controller take; `None` when it has a route of its own, so that
    /// replacing the default route does not cut the SSH connection.
    #[serde(default)]
    pub controller_default_route: Option<RouteState>,
    /// firewalld runs.
    pub firewalld: bool,
    /// SELinux's live mode, `None` where it is absent.
    pub selinux: Option<SelinuxMode>,
    /// NetworkManager runs (it can fight `network` over aliases on RHEL 7).
    pub network_manager: bool,
    /// There is an ipvsadm, other than the one that lvslab puts where there is none.
    pub ipvsadm: bool,
    /// `curl` is on the PATH.
    pub curl: bool,
    /// Resources this lab's journal on the host already owns, so that what we made is not taken for the
    /// machine's own.
    pub owned: Vec<ResourceId>,
}
