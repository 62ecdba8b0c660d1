//! The table of checks: every kind with the parameters that tell one check from another, and the words of its name.
//!
//! JSON, `--from` and reports name a check `HOST/SUBJECT`: `web1/route to 192.168.4.10`. The words stand in the table
//! below and nowhere else; both the writer and the parser are made from it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::ipvs::{Family, ServiceKey, Transport};
use crate::model::{HostName, InterfaceName};
use crate::resource::Resource;

/// Identity of one check, stable over runs and unique in a verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckId {
    /// The host that is judged, and that any commands are for.
    pub host: HostName,
    /// What is judged on it.
    pub subject: Subject,
}

impl CheckId {
    /// The check of `subject` on `host`.
    #[must_use]
    pub fn new(host: &HostName, subject: Subject) -> Self {
        Self {
            host: host.clone(),
            subject,
        }
    }

    /// The check of one planned resource.
    #[must_use]
    pub fn resource(host: &HostName, resource: &Resource) -> Self {
        Self::new(host, Subject::of(resource))
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.host, self.subject))
    }
}

impl FromStr for CheckId {
    type Err = UnknownCheck;
    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck(text.to_owned());
        let (host, subject) = text.split_once('/').ok_or_else(unknown)?;
        Ok(Self {
            host: host.parse().map_err(|_| unknown())?,
            subject: subject.parse().map_err(|_| unknown())?,
        })
    }
}

impl TryFrom<String> for CheckId {
    type Error = UnknownCheck;
    fn try_from(text: String) -> Result<Self, UnknownCheck> {
        text.parse()
    }
}

impl From<CheckId> for String {
    fn from(id: CheckId) -> Self {
        id.to_string()
    }
}

/// Text that names no check of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check `{0}`")]
pub struct UnknownCheck(String);

/// One row per kind of check: `Kind => "words"` or `Kind(parameter) => "words before the parameter"`.
macro_rules! subjects {
    ($($(#[$doc:meta])* $kind:ident $(($parameter:ty))? => $words:literal),+ $(,)?) => {
        /// What a check is about on its host.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Subject {
            $($(#[$doc])* $kind $(($parameter))?,)+
        }

        impl Subject {
            fn named(&self) -> (&'static str, Option<&dyn fmt::Display>) {
                match self {
                    $(subjects!(@pattern $kind parameter $($parameter)?) =>
                        ($words, subjects!(@parameter parameter $($parameter)?)),)+
                }
            }
        }

        impl FromStr for Subject {
            type Err = UnknownCheck;
            fn from_str(text: &str) -> Result<Self, UnknownCheck> {
                $(subjects!(@parse text, $words, $kind $($parameter)?);)+
                Err(UnknownCheck(text.to_owned()))
            }
        }
    };
    (@pattern $kind:ident $name:ident) => { Self::$kind };
    (@pattern $kind:ident $name:ident $parameter:ty) => { Self::$kind($name) };
    (@parameter $name:ident) => { None };
    (@parameter $name:ident $parameter:ty) => { Some($name) };
    (@parse $text:ident, $words:literal, $kind:ident) => {
        if $text == $words {
            return Ok(Self::$kind);
        }
    };
    (@parse $text:ident, $words:literal, $kind:ident $parameter:ty) => {
        let rest = $text.strip_prefix($words).and_then(|rest| rest.strip_prefix(' '));
        if let Some(Ok(parameter)) = rest.map(str::parse::<$parameter>) {
            return Ok(Self::$kind(parameter));
        }
    };
}

subjects! {
    /// Whether the host gave any evidence.
    Evidence => "evidence",

    /// A distribution package, by the distribution's name for it.
    Package(String) => "package",
    /// A file, by its absolute path.
    File(String) => "file",
    /// A live kernel setting, by its dotted name.
    Setting(String) => "sysctl",
    /// An interface that is up.
    Link(InterfaceName) => "link",
    /// An address on an interface.
    Address(LabelledAddress) => "address",
    /// The default gateway.
    DefaultRoute => "default route",
    /// Whether a system service runs.
    Service(String) => "service",
    /// firewalld's default zone.
    FirewalldZone => "firewall default zone",
    /// SELinux does not enforce.
    Selinux => "selinux",
    /// The IPVS service with its real servers.
    VirtualService(VirtualServiceId) => "ipvs",

    /// A cable, or a port of a virtual switch.
    Carrier(InterfaceName) => "carrier",
    /// Whether an interface takes part in ARP.
    Arp(InterfaceName) => "arp",
    /// No other host's address is on this one.
    OwnAddresses => "addresses of its own",
    /// A real server that replies through the director has no address in the clients' network.
    NoWayAroundDirector => "no way around the director",
    /// A kernel setting as it takes effect on one interface.
    EffectiveSetting(InterfaceSetting) => "effective",
    /// Where the kernel sends packets to an address.
    Route(IpAddr) => "route to",
    /// Which MAC the host believes an address to have.
    Neighbour(IpAddr) => "neighbour",
    /// The packet filter's rules.
    PacketFilter => "firewall",
    /// A socket for a TCP port.
    Listens(u16) => "listens on tcp",

    /// A kernel setting after the next boot, by its dotted name.
    BootSetting(String) => "boot sysctl",
    /// A system service that the next boot starts.
    BootService(String) => "boot service",
    /// Where the web server will listen.
    BootListens(u16) => "boot listens on tcp",
    /// The `ifcfg-*` files that are not part of the lab.
    BootIfcfgFiles => "boot ifcfg files",

    /// Who answers ARP for the VIP.
    ArpAnswers(IpAddr) => "ARP answers for",
    /// The way of the captured requests.
    RequestPath => "path of the request",
    /// The way of their replies.
    ReplyPath => "path of the reply",
    /// Both ways of the requests that one real server gets.
    PathBy(HostName) => "path by",
    /// What a real server answered.
    Answers => "answers",
    /// Every request got an answer with status 200.
    RequestsAnswered => "requests answered",
    /// No connection was kept alive for another request.
    FreshConnections => "fresh connections",
    /// Every answer is the page of a real server.
    Pages => "pages",
    /// A real server got its turn.
    PageOf(HostName) => "page of",
    /// A real server of weight 0 got no turn.
    NoPageOf(HostName) => "no page of",
    /// The shares of the real servers.
    Distribution => "distribution",
    /// Connections that the director counted.
    Connections => "connections",
    /// Packets of answers that the director counted.
    Replies => "replies",
}

impl Subject {
    /// What the check of a planned resource is about.
    #[must_use]
    pub fn of(resource: &Resource) -> Self {
        match resource {
            Resource::Package(package) => Self::Package(package.name.clone()),
            Resource::File(file) => Self::File(file.path.clone()),
            Resource::Sysctl(sysctl) => Self::Setting(sysctl.key.clone()),
            Resource::Link(link) => Self::Link(link.interface.clone()),
            Resource::Address(address) => Self::Address(LabelledAddress {
                label: address
                    .label
                    .clone()
                    .unwrap_or_else(|| address.interface.to_string()),
                address: address.address.into(),
            }),
            Resource::DefaultRoute(_) => Self::DefaultRoute,
            Resource::Service(service) => Self::Service(service.name.clone()),
            Resource::Firewall(_) => Self::FirewalldZone,
            Resource::Selinux(_) => Self::Selinux,
            Resource::Ipvs(wanted) => {
                Self::VirtualService(VirtualServiceId::from(wanted.service.key))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.named() {
            (words, None) => f.pad(words),
            (words, Some(parameter)) => f.pad(&format!("{words} {parameter}")),
        }
    }
}

/// An address with the label of its place: `eth0:0 192.168.4.15/24`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelledAddress {
    /// The interface's name where the address has no label of its own.
    pub label: String,
    /// With the prefix it is set with.
    pub address: IpNet,
}

impl fmt::Display for LabelledAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.label, self.address)
    }
}

impl FromStr for LabelledAddress {
    type Err = UnknownCheck;
    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck(text.to_owned());
        let (label, address) = text.split_once(' ').ok_or_else(unknown)?;
        Ok(Self {
            label: label.to_owned(),
            address: address.parse().map_err(|_| unknown())?,
        })
    }
}

/// A setting of `net.ipv4.conf` on an interface: `arp_ignore on eth0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceSetting {
    /// The last part of its name, `arp_ignore`.
    pub setting: String,
    /// Where it takes effect.
    pub interface: InterfaceName,
}

impl fmt::Display for InterfaceSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.setting, self.interface)
    }
}

impl FromStr for InterfaceSetting {
    type Err = UnknownCheck;
    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck(text.to_owned());
        let (setting, interface) = text.split_once(" on ").ok_or_else(unknown)?;
        Ok(Self {
            setting: setting.to_owned(),
            interface: interface.parse().map_err(|_| unknown())?,
        })
    }
}

/// What the kernel finds a virtual service by, as text: `tcp 192.168.4.15:80`, `fwmark 8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualServiceId(ServiceKey);

impl From<ServiceKey> for VirtualServiceId {
    fn from(key: ServiceKey) -> Self {
        Self(key)
    }
}

impl fmt::Display for VirtualServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for VirtualServiceId {
    type Err = UnknownCheck;
    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck(text.to_owned());
        let (kind, rest) = text.split_once(' ').ok_or_else(unknown)?;
        if kind == "fwmark" {
            let (mark, family) = match rest.strip_suffix(" inet6") {
                Some(mark) => (mark, Family::Inet6),
                None => (rest, Family::Inet),
            };
            let mark = mark.parse().map_err(|_| unknown())?;
            return Ok(Self(ServiceKey::Fwmark { mark, family }));
        }
        let transport = [Transport::Tcp, Transport::Udp, Transport::Sctp]
            .into_iter()
            .find(|transport| transport.to_string() == kind)
            .ok_or_else(unknown)?;
        let place: SocketAddr = rest.parse().map_err(|_| unknown())?;
        Ok(Self(ServiceKey::Address {
            transport,
            address: place.ip(),
            port: place.port(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_found_again_by_its_name() {
        for name in [
            "client/ARP answers for 192.168.4.15",
            "client/no page of web1",
            "client/page of web1",
            "client/path by web1",
            "client/path of the request",
            "director/firewall",
            "director/firewall default zone",
            "director/ipvs tcp 192.168.4.15:80",
            "director/ipvs udp [2001:db8::1]:53",
            "director/ipvs fwmark 8 inet6",
            "web1/address lo:0 192.168.4.15/32",
            "web1/addresses of its own",
            "web1/boot listens on tcp 80",
            "web1/boot sysctl net.ipv4.conf.lo.arp_ignore",
            "web1/effective arp_ignore on eth0",
            "web1/file /var/www/html/index.html",
            "web1/route to 2001:db8::10",
        ] {
            let id: CheckId = name.parse().unwrap();
            assert_eq!(id.to_string(), name);
            assert_eq!(serde_json::to_value(&id).unwrap(), name);
        }
    }

    #[test]
    fn a_name_that_is_in_no_row_is_refused() {
        for name in [
            "web1",
            "web1/",
            "web1/magic",
            "web1/route to",
            "web1/route to nowhere",
            "no host/evidence",
        ] {
            let refused = name.parse::<CheckId>().unwrap_err();
            assert_eq!(refused.to_string(), format!("there is no check `{name}`"));
        }
    }
}
