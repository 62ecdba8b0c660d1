//! The kinds of requirement and their identity.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Interfaces, OwnAddress, Program, Way, WebServer, arp, forwarding};
use crate::model::{NetworkId, Setting, Settings};
use crate::resource::{IpvsService, SelinuxMode};

/// One effect on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The program can be run.
    Program(Program),
    /// The interface on a network is up.
    Link { network: NetworkId },
    /// The host has this address on the interface of its network, with the network's prefix.
    OwnAddress(OwnAddress),
    /// The director has the VIP beside its own address on the interface of a network. The prefix may be the network's
    /// or that of the address alone: either way the director answers ARP for it.
    DirectorVip { network: NetworkId, vip: Ipv4Net },
    /// A real server has the VIP, as an address alone (/32) and on no interface of a lab network.
    RealServerVip {
        vip: Ipv4Addr,
        /// Where the course puts it; any other device without a network does as well.
        device: &'static str,
    },
    /// The host keeps quiet about the VIP: it neither answers ARP for it on this network nor asks in its name.
    HiddenVip {
        network: NetworkId,
        vip: Ipv4Addr,
        /// How the course does it.
        settings: Settings,
    },
    /// The host answers ARP for its own address on this network.
    ArpAnswers { network: NetworkId },
    /// The host passes on what arrives on this network for others.
    Forwarding {
        network: NetworkId,
        /// How the course does it.
        settings: Settings,
    },
    /// A kernel setting of the forwarding method that no other kind covers.
    Setting(Setting),
    /// Packets to another host take this way.
    Way(Way),
    /// A web server answers with a page.
    WebServer(WebServer),
    /// The kernel's IPVS table has this service with exactly these real servers.
    VirtualService(IpvsService),
    /// firewalld, where it runs, lets the lab's packets through.
    OpenFirewall { zone: &'static str },
    /// SELinux, where it is there, does no more than report.
    Selinux { mode: SelinuxMode },
}

/// The kind of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Program,
    Link,
    OwnAddress,
    DirectorVip,
    RealServerVip,
    HiddenVip,
    ArpAnswers,
    Forwarding,
    Setting,
    Way,
    WebServer,
    VirtualService,
    OpenFirewall,
    Selinux,
}

impl Kind {
    /// The word that an identity in JSON begins with.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Link => "link",
            Self::OwnAddress => "address",
            Self::DirectorVip | Self::RealServerVip => "vip",
            Self::HiddenVip => "hidden vip",
            Self::ArpAnswers => "arp answers",
            Self::Forwarding => "forwarding",
            Self::Setting => "setting",
            Self::Way => "route to",
            Self::WebServer => "web server",
            Self::VirtualService => "ipvs",
            Self::OpenFirewall => "firewall",
            Self::Selinux => "selinux",
        }
    }
}

impl Need {
    /// Which effect this is, without its values.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Program(_) => Kind::Program,
            Self::Link { .. } => Kind::Link,
            Self::OwnAddress(_) => Kind::OwnAddress,
            Self::DirectorVip { .. } => Kind::DirectorVip,
            Self::RealServerVip { .. } => Kind::RealServerVip,
            Self::HiddenVip { .. } => Kind::HiddenVip,
            Self::ArpAnswers { .. } => Kind::ArpAnswers,
            Self::Forwarding { .. } => Kind::Forwarding,
            Self::Setting(_) => Kind::Setting,
            Self::Way(_) => Kind::Way,
            Self::WebServer(_) => Kind::WebServer,
            Self::VirtualService(_) => Kind::VirtualService,
            Self::OpenFirewall { .. } => Kind::OpenFirewall,
            Self::Selinux { .. } => Kind::Selinux,
        }
    }

    /// Kernel settings that have to be looked at before this can be judged.
    pub(super) fn settings_asked(&self, interfaces: &Interfaces) -> Vec<String> {
        match self {
            Self::HiddenVip { network, .. } => arp::asked(interfaces, *network, &arp::HIDING),
            Self::ArpAnswers { network } => arp::asked(interfaces, *network, &[arp::ANSWERING]),
            Self::Forwarding { network, .. } => forwarding::asked(interfaces, *network),
            Self::Setting(setting) => vec![setting.key.to_owned()],
            _ => Vec::new(),
        }
    }
}

/// The identity on its host, readable and stable: `address 192.168.4.100/24`, `route to 192.168.4.10`.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.kind().word();
        match self {
            Self::Program(program) => write!(f, "{word} {program}"),
            Self::Link { network } | Self::ArpAnswers { network } => {
                write!(f, "{word} on network {network}")
            }
            Self::OwnAddress(own) => write!(f, "{word} {}", own.address),
            Self::DirectorVip { vip, .. } => write!(f, "{word} {}", vip.addr()),
            Self::RealServerVip { vip, .. } => write!(f, "{word} {vip}"),
            Self::HiddenVip { network, vip, .. } => write!(f, "{word} {vip} on network {network}"),
            Self::Forwarding { network, .. } => write!(f, "{word} from network {network}"),
            Self::Setting(setting) => write!(f, "{word} {}", setting.key),
            Self::Way(way) => write!(f, "{word} {}", way.to),
            Self::WebServer(web) => write!(f, "{word} on {}:{}", web.address, web.port),
            Self::VirtualService(wanted) => write!(f, "{word} {}", wanted.service.key),
            Self::OpenFirewall { .. } | Self::Selinux { .. } => f.write_str(word),
        }
    }
}
