//! The kernel's numbers for our types, in both directions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;

use super::service::ServiceFlags;
use crate::ipvs::model::{
    DaemonRole, Family, Forwarding, Granularity, Service, Transport, TunnelKind,
};

pub(super) const fn address_family(family: Family) -> u16 {
    match family {
        Family::Inet => libc::AF_INET as u16,
        Family::Inet6 => libc::AF_INET6 as u16,
    }
}

pub(super) fn family_of(number: u16) -> Option<Family> {
    match i32::from(number) {
        libc::AF_INET => Some(Family::Inet),
        libc::AF_INET6 => Some(Family::Inet6),
        _ => None,
    }
}

pub(super) const fn protocol(transport: Transport) -> u16 {
    match transport {
        Transport::Tcp => libc::IPPROTO_TCP as u16,
        Transport::Udp => libc::IPPROTO_UDP as u16,
        Transport::Sctp => libc::IPPROTO_SCTP as u16,
    }
}

pub(super) fn transport(number: u16) -> Option<Transport> {
    match i32::from(number) {
        libc::IPPROTO_TCP => Some(Transport::Tcp),
        libc::IPPROTO_UDP => Some(Transport::Udp),
        libc::IPPROTO_SCTP => Some(Transport::Sctp),
        _ => None,
    }
}

pub(super) const fn method(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Masquerade => 0,
        Forwarding::Local => 1,
        Forwarding::Tunnel => 2,
        Forwarding::Route => 3,
        Forwarding::Bypass => 4,
    }
}

/// The kernel masks with `IP_VS_CONN_F_FWD_MASK` (0x7) and refuses nothing, so 5 to 7 can come back;
/// it treats them like no known method.
pub(super) fn forwarding(method: u32) -> Forwarding {
    match method & 0x7 {
        0 => Forwarding::Masquerade,
        1 => Forwarding::Local,
        2 => Forwarding::Tunnel,
        3 => Forwarding::Route,
        _ => Forwarding::Bypass,
    }
}

/// `IP_VS_CONN_F_TUNNEL_TYPE_*` and port.
pub(super) const fn tunnel(tunnel: TunnelKind) -> (u8, u16) {
    match tunnel {
        TunnelKind::Ipip => (0, 0),
        TunnelKind::Gue { port } => (1, port),
        TunnelKind::Gre => (2, 0),
    }
}

pub(super) const fn state(role: DaemonRole) -> u32 {
    match role {
        DaemonRole::Master => 1,
        DaemonRole::Backup => 2,
    }
}

/// The kernel wants a mask for IPv4 and a prefix length for IPv6 even if there is no granularity.
pub(super) fn netmask(family: Family, granularity: Option<Granularity>) -> [u8; 4] {
    match (granularity, family) {
        (Some(Granularity::Mask(mask)), _) => mask.octets(),
        (Some(Granularity::Prefix(length)), _) => u32::from(length.get()).to_ne_bytes(),
        (None, Family::Inet) => [0xff; 4],
        (None, Family::Inet6) => 128_u32.to_ne_bytes(),
    }
}

pub(super) fn granularity(family: Family, netmask: [u8; 4]) -> Option<Granularity> {
    match family {
        Family::Inet => Granularity::from_mask(Ipv4Addr::from(netmask)),
        Family::Inet6 => u8::try_from(u32::from_ne_bytes(netmask))
            .ok()
            .filter(|length| *length < 128)
            .and_then(NonZeroU8::new)
            .map(Granularity::Prefix),
    }
}

/// An address as `union nf_inet_addr`.
pub(super) fn union_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

pub(super) fn address_of(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::Inet => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
        Family::Inet6 => Ipv6Addr::from(bytes).into(),
    }
}

/// The service's flags with the one for persistence where it is persistent.
pub(super) const fn flags(service: &Service) -> u32 {
    let flags = service.flags & !(ServiceFlags::PERSISTENT | ServiceFlags::HASHED);
    if service.persistence.is_some() {
        flags | ServiceFlags::PERSISTENT
    } else {
        flags
    }
}
