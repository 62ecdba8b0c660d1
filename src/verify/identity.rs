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

    /// A program that can be run.
    Program(String) => "program",
    /// A kernel setting that no other check is about, by its dotted name.
    Setting(String) => "sysctl",
    /// An interface that is up.
    Link(InterfaceName) => "link",
    /// A host's own address on the interface of its network.
    Address(PlacedAddress) => "address",
    /// The VIP where it is no host's own address.
    Vip(IpAddr) => "vip",
    /// Whether a system service runs.
    Service(String) => "service",
    /// What the web server's page says, and that it may read it.
    Page => "page",
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

    /// The address after the next boot.
    BootAddress(PlacedAddress) => "boot address",
    /// The VIP after the next boot.
    BootVip(IpAddr) => "boot vip",
    /// For which addresses the interface answers ARP after the next boot.
    BootArp(InterfaceName) => "boot arp",
    /// Whether packets that arrive on the interface are forwarded after the next boot.
    BootForwarding(InterfaceName) => "boot forwarding on",
    /// The kernel setting after the next boot.
    BootSetting(String) => "boot sysctl",
    /// Where the kernel sends packets to an address after the next boot.
    BootRoute(IpAddr) => "boot route to",
    /// The web server after the next boot: started, on its port, with its page.
    BootWebServer(u16) => "boot web server on tcp",
    /// The IPVS service after the next boot.
    BootVirtualService(VirtualServiceId) => "boot ipvs",
    /// firewalld's default zone after the next boot.
    BootFirewalldZone => "boot firewall default zone",
    /// SELinux after the next boot.
    BootSelinux => "boot selinux",
    /// The next boot brings no other host's address here.
    BootOwnAddresses => "boot addresses of its own",

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
    /// Whether a virtual service is what the check is about, and not its host as such.
    #[must_use]
    pub fn concerns_service(&self) -> bool {
        match self {
            Self::Vip(_)
            | Self::Service(_)
            | Self::Page
            | Self::VirtualService(_)
            | Self::Listens(_)
            | Self::BootVip(_)
            | Self::BootWebServer(_)
            | Self::BootVirtualService(_)
            | Self::ArpAnswers(_)
            | Self::RequestPath
            | Self::ReplyPath
            | Self::PathBy(_)
            | Self::Answers
            | Self::RequestsAnswered
            | Self::FreshConnections
            | Self::Pages
            | Self::PageOf(_)
            | Self::NoPageOf(_)
            | Self::Distribution
            | Self::Connections
            | Self::Replies => true,
            Self::Evidence
            | Self::Program(_)
            | Self::Setting(_)
            | Self::Link(_)
            | Self::Address(_)
            | Self::FirewalldZone
            | Self::Selinux
            | Self::Carrier(_)
            | Self::Arp(_)
            | Self::OwnAddresses
            | Self::NoWayAroundDirector
            | Self::EffectiveSetting(_)
            | Self::Route(_)
            | Self::Neighbour(_)
            | Self::PacketFilter
            | Self::BootAddress(_)
            | Self::BootArp(_)
            | Self::BootForwarding(_)
            | Self::BootSetting(_)
            | Self::BootRoute(_)
            | Self::BootFirewalldZone
            | Self::BootSelinux
            | Self::BootOwnAddresses => false,
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

/// An address on an interface: `eth0 192.168.4.100/24`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacedAddress {
    pub interface: InterfaceName,
    pub address: IpNet,
}

impl fmt::Display for PlacedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.interface, self.address)
    }
}

impl FromStr for PlacedAddress {
    type Err = UnknownCheck;
    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck(text.to_owned());
        let (interface, address) = text.split_once(' ').ok_or_else(unknown)?;
        Ok(Self {
            interface: interface.parse().map_err(|_| unknown())?,
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
            "web1/address eth0 192.168.4.100/24",
            "web1/vip 192.168.4.15",
            "web1/addresses of its own",
            "web1/boot web server on tcp 80",
            "web1/boot address eth0 192.168.4.100/24",
            "web1/boot sysctl net.ipv4.tcp_syncookies",
            "web1/boot arp eth0",
            "web1/effective arp_ignore on eth0",
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
