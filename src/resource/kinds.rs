//! Kinds of resource and what is observed of each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::ipvs;
use crate::model::InterfaceName;

/// Something that should be true on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Resource {
    Package(Package),
    File(File),
    Sysctl(Sysctl),
    Link(Link),
    Address(Address),
    DefaultRoute(DefaultRoute),
    Service(Service),
    Firewall(Firewall),
    Selinux(Selinux),
    Ipvs(IpvsService),
}

/// A distribution package that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name in the host's own distribution (`httpd`, `apache2`).
    pub name: String,
}

/// A file with this content, owned by root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// Content; lab files are text.
    pub content: String,
    /// Permission bits, `0o644`.
    pub mode: u32,
}

/// A live kernel setting. What makes it persistent is a [`File`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctl {
    /// Dotted name, `net.ipv4.ip_forward`.
    pub key: String,
    /// Value as the kernel prints it.
    pub value: String,
}

/// An interface that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Interface.
    pub interface: InterfaceName,
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Interface it sits on, `lo`.
    pub interface: InterfaceName,
    /// Address and prefix.
    pub address: IpNet,
    /// Label, `lo:0`; `None` when it is the interface's own name, as it is for IPv6, which has no labels.
    pub label: Option<String>,
}

/// The default gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// Gateway address.
    pub via: IpAddr,
    /// Interface it is reached through.
    pub interface: InterfaceName,
}

/// A system service that runs now and after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Name in the host's own distribution.
    pub name: String,
    /// Whether it runs now.
    pub running: bool,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Files of this plan whose change asks for a restart, by path.
    pub restart_on: Vec<String>,
}

/// firewalld's default zone, where firewalld runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Zone, `trusted`.
    pub zone: String,
}

/// SELinux not enforcing, live and in its configuration, where it is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selinux {
    /// The mode wanted.
    pub mode: SelinuxMode,
}

/// SELinux's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelinuxMode {
    Enforcing,
    Permissive,
    Disabled,
}

/// One virtual service with exactly these destinations. Other services of the table are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvsService {
    /// The service.
    pub service: ipvs::Service,
    /// Its destinations.
    pub destinations: Vec<ipvs::Destination>,
}

/// Identity of a resource on its host: stable over runs, readable, unique in a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId(pub String);

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Resource {
    /// `sysctl net.ipv4.ip_forward`, `address lo:0 192.168.4.15/32`, `file /etc/...`.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        ResourceId(match self {
            Self::Package(p) => format!("package {}", p.name),
            Self::File(f) => format!("file {}", f.path),
            Self::Sysctl(s) => format!("sysctl {}", s.key),
            Self::Link(l) => format!("link {}", l.interface),
            Self::Address(a) => {
                format!(
                    "address {} {}",
                    a.label.as_deref().unwrap_or(a.interface.as_str()),
                    a.address
                )
            }
            Self::DefaultRoute(_) => "default route".to_owned(),
            Self::Service(s) => format!("service {}", s.name),
            Self::Firewall(_) => "firewall default zone".to_owned(),
            Self::Selinux(_) => "selinux".to_owned(),
            Self::Ipvs(i) => format!("ipvs {}", i.service.key),
        })
    }
}

/// What is true on the host, of the kind of the resource it was observed for.
///
/// Also what the journal keeps, so it holds everything that putting it back needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Observed {
    /// Installed version.
    Package {
        /// Version, or `None` when it is not installed.
        version: Option<String>,
    },
    /// The file, or `None` when there is none.
    File {
        /// State.
        state: Option<FileState>,
    },
    /// Live value, or `None` when the kernel has no such setting.
    Sysctl {
        /// Value as the kernel prints it, without the line end.
        value: Option<String>,
    },
    /// The interface's administrative state, or `None` when there is no such interface.
    Link {
        /// Up?
        up: Option<bool>,
    },
    /// The same address on the same interface with whatever prefix and label; empty when it is absent.
    Address {
        /// Every occurrence of the address on the host.
        occurrences: Vec<AddressState>,
    },
    /// Every default route of the main table for the gateway's family.
    DefaultRoute {
        /// Routes by rising metric.
        routes: Vec<RouteState>,
    },
    /// The service.
    Service {
        /// State, or `None` when the host knows no such service.
        state: Option<ServiceState>,
    },
    /// firewalld's default zone, or `None` where firewalld does not run.
    Firewall {
        /// Zone.
        zone: Option<String>,
    },
    /// SELinux, `None` where it is absent.
    Selinux {
        /// Live mode.
        live: Option<SelinuxMode>,
        /// Mode in `/etc/selinux/config`.
        configured: Option<SelinuxMode>,
    },
    /// The service in the kernel's table with its live state, or `None` when absent.
    Ipvs {
        /// Service and destinations.
        status: Option<ipvs::ServiceStatus>,
    },
}

/// A file as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Content in base64 (it may be anything).
    pub content_base64: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// SELinux context, where the file has one.
    pub context: Option<String>,
    /// A newer file that the boot reads instead, where that says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_instead: Option<String>,
}

/// An address as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressState {
    /// Interface.
    pub interface: InterfaceName,
    /// Address and prefix.
    pub address: IpNet,
    /// Label as the kernel keeps it; the interface's name where it was given none or has none (IPv6).
    pub label: String,
    /// Broadcast address, if any.
    pub broadcast: Option<Ipv4Addr>,
}

/// A default route as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteState {
    /// Gateway; `None` for a route to a link.
    pub via: Option<IpAddr>,
    /// Interface.
    pub interface: InterfaceName,
    /// Metric, 0 when unset.
    pub metric: u32,
    /// Routing protocol number (`rtm_protocol`: 3 boot, 4 static, 16 dhcp).
    pub protocol: u8,
}

/// A system service as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceState {
    /// Runs now.
    pub running: bool,
    /// Is started at boot.
    pub enabled: bool,
    /// Is kept from being started in any way, until it is unmasked (systemctl(1)); then it is not enabled either.
    #[serde(default)]
    pub masked: bool,
}
