//! From the kernel's message to the model.
//!
//! Services and destinations come by the hundred thousand, so theirs are read attribute by attribute
//! where they lie, without a tree of them in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use netlink_packet_core::Parseable;
use netlink_packet_generic::GenlHeader;
use netlink_packet_generic::constants::GENL_HDRLEN;

use super::daemon::DaemonAttr;
use super::destination::{DestinationAttr, IPVS_DEST_ATTR_STATS, IPVS_DEST_ATTR_STATS64};
use super::info::InfoAttr;
use super::message::{
    CommandAttr, CommandNumber, IPVS_CMD_ATTR_DEST, IPVS_CMD_ATTR_SERVICE, IpvsMessage,
};
use super::service::{IPVS_SVC_ATTR_STATS, IPVS_SVC_ATTR_STATS64, ServiceAttr, ServiceFlags};
use super::stats::{Counter, StatsAttr};
use super::value::each;
use crate::ipvs::error::IpvsError;
use crate::ipvs::model::{
    Counters, Daemon, DaemonRole, Destination, DestinationStatus, Family, Forwarding, Granularity,
    Info, Service, ServiceKey, ServiceStatus, Timeouts, Transport, TunnelKind,
};

fn missing(attribute: &'static str) -> IpvsError {
    IpvsError::Missing { attribute }
}

/// The nested attributes of one kind in a message, `None` when the message is of another command.
fn nest<'a>(
    payload: &'a [u8],
    command: CommandNumber,
    (kind, name): (u16, &'static str),
) -> Result<Option<&'a [u8]>, IpvsError> {
    if GenlHeader::parse(payload)?.cmd != command.0 {
        return Ok(None);
    }
    for attribute in each(payload.get(GENL_HDRLEN..).unwrap_or_default()) {
        let (attribute, value) = attribute?;
        if attribute.kind() == kind {
            return Ok(Some(value));
        }
    }
    Err(missing(name))
}

/// The service of `IPVS_CMD_NEW_SERVICE`, its destinations not read yet. `None` for anything else, and
/// for a service of a family or protocol that this client does not know.
pub(in crate::ipvs) fn read_service(payload: &[u8]) -> Result<Option<ServiceStatus>, IpvsError> {
    let wanted = (IPVS_CMD_ATTR_SERVICE, "IPVS_CMD_ATTR_SERVICE");
    let Some(attributes) = nest(payload, CommandNumber::NEW_SERVICE, wanted)? else {
        return Ok(None);
    };
    let (mut family, mut protocol, mut address, mut port, mut mark) =
        (None, None, None, None, None);
    let (mut scheduler, mut engine, mut netmask) = (None, None, None);
    let (mut flags, mut timeout) = (0, 0);
    let (mut stats, mut stats64) = (None, None);
    for attribute in each(attributes) {
        let (attribute, value) = attribute?;
        match attribute.kind() {
            IPVS_SVC_ATTR_STATS => stats = Some(value),
            IPVS_SVC_ATTR_STATS64 => stats64 = Some(value),
            _ => match ServiceAttr::parse(&attribute)? {
                ServiceAttr::Family(value) => family = Some(value),
                ServiceAttr::Protocol(value) => protocol = Some(value),
                ServiceAttr::Address(value) => address = Some(value),
                ServiceAttr::Port(value) => port = Some(value),
                ServiceAttr::Fwmark(value) => mark = NonZeroU32::new(value),
                ServiceAttr::Scheduler(value) => scheduler = Some(value),
                ServiceAttr::Flags(value) => flags = value.flags,
                ServiceAttr::Timeout(value) => timeout = value,
                ServiceAttr::Netmask(value) => netmask = Some(value),
                ServiceAttr::Engine(value) => engine = Some(value).filter(|name| !name.is_empty()),
                ServiceAttr::Stats(_) | ServiceAttr::Stats64(_) | ServiceAttr::Other(_) => {}
            },
        }
    }
    let Some(family) = family_of(family.ok_or_else(|| missing("IPVS_SVC_ATTR_AF"))?) else {
        return Ok(None);
    };
    let key = match mark {
        Some(mark) => ServiceKey::Fwmark { mark, family },
        None => {
            let protocol = protocol.ok_or_else(|| missing("IPVS_SVC_ATTR_PROTOCOL"))?;
            let Some(transport) = transport(protocol) else {
                return Ok(None);
            };
            ServiceKey::Address {
                transport,
                address: address_of(
                    family,
                    address.ok_or_else(|| missing("IPVS_SVC_ATTR_ADDR"))?,
                ),
                port: port.ok_or_else(|| missing("IPVS_SVC_ATTR_PORT"))?,
            }
        }
    };
    let persistent = flags & ServiceFlags::PERSISTENT != 0;
    Ok(Some(ServiceStatus {
        service: Service {
            key,
            scheduler: scheduler.ok_or_else(|| missing("IPVS_SVC_ATTR_SCHED_NAME"))?,
            flags: flags & !(ServiceFlags::PERSISTENT | ServiceFlags::HASHED),
            persistence: NonZeroU32::new(timeout).filter(|_| persistent),
            granularity: netmask.and_then(|netmask| granularity(family, netmask)),
            engine,
        },
        counters: counters(stats64.or(stats))?,
        destinations: Vec::new(),
    }))
}

/// The destination of `IPVS_CMD_NEW_DEST`; `service` is the family of its service.
pub(in crate::ipvs) fn read_destination(
    payload: &[u8],
    service: Family,
) -> Result<Option<DestinationStatus>, IpvsError> {
    let wanted = (IPVS_CMD_ATTR_DEST, "IPVS_CMD_ATTR_DEST");
    let Some(attributes) = nest(payload, CommandNumber::NEW_DEST, wanted)? else {
        return Ok(None);
    };
    let (mut family, mut address, mut port, mut method) = (None, None, None, 0);
    let (mut weight, mut upper_threshold, mut lower_threshold) = (0, 0, 0);
    let (mut active, mut inactive, mut persistent) = (0, 0, 0);
    let (mut tunnel_type, mut tunnel_port, mut tunnel_flags) = (0, 0, 0);
    let (mut stats, mut stats64) = (None, None);
    for attribute in each(attributes) {
        let (attribute, value) = attribute?;
        match attribute.kind() {
            IPVS_DEST_ATTR_STATS => stats = Some(value),
            IPVS_DEST_ATTR_STATS64 => stats64 = Some(value),
            _ => match DestinationAttr::parse(&attribute)? {
                DestinationAttr::AddressFamily(value) => family = Some(value),
                DestinationAttr::Address(value) => address = Some(value),
                DestinationAttr::Port(value) => port = Some(value),
                DestinationAttr::ForwardingMethod(value) => method = value,
                DestinationAttr::Weight(value) => weight = value,
                DestinationAttr::UpperThreshold(value) => upper_threshold = value,
                DestinationAttr::LowerThreshold(value) => lower_threshold = value,
                DestinationAttr::ActiveConnections(value) => active = value,
                DestinationAttr::InactiveConnections(value) => inactive = value,
                DestinationAttr::PersistentConnections(value) => persistent = value,
                DestinationAttr::TunnelType(value) => tunnel_type = value,
                DestinationAttr::TunnelPort(value) => tunnel_port = value,
                DestinationAttr::TunnelFlags(value) => tunnel_flags = value,
                DestinationAttr::Stats(_)
                | DestinationAttr::Stats64(_)
                | DestinationAttr::Other(_) => {}
            },
        }
    }
    // Absent before Linux 3.18.
    let family = family.map_or(Some(service), family_of).unwrap_or(service);
    Ok(Some(DestinationStatus {
        destination: Destination {
            address: address_of(
                family,
                address.ok_or_else(|| missing("IPVS_DEST_ATTR_ADDR"))?,
            ),
            port: port.ok_or_else(|| missing("IPVS_DEST_ATTR_PORT"))?,
            forwarding: forwarding(method),
            weight,
            upper_threshold,
            lower_threshold,
            tunnel: match tunnel_type {
                1 => TunnelKind::Gue { port: tunnel_port },
                2 => TunnelKind::Gre,
                _ => TunnelKind::Ipip,
            },
            tunnel_flags,
        },
        active,
        inactive,
        persistent,
        counters: counters(stats64.or(stats))?,
    }))
}

/// The daemon of `IPVS_CMD_NEW_DAEMON`.
pub(in crate::ipvs) fn read_daemon(payload: &[u8]) -> Result<Option<Daemon>, IpvsError> {
    let message = IpvsMessage::decode(payload)?;
    if message.command != CommandNumber::NEW_DAEMON {
        return Ok(None);
    }
    let Some(attributes) = message
        .attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            CommandAttr::Daemon(attributes) => Some(attributes),
            _ => None,
        })
    else {
        return Err(missing("IPVS_CMD_ATTR_DAEMON"));
    };
    let mut role = None;
    let mut daemon = Daemon {
        role: DaemonRole::Master,
        interface: String::new(),
        sync_id: 0,
        max_length_bytes: None,
        group: None,
        port: None,
        ttl: None,
    };
    for attribute in attributes {
        match attribute {
            DaemonAttr::State(1) => role = Some(DaemonRole::Master),
            DaemonAttr::State(2) => role = Some(DaemonRole::Backup),
            DaemonAttr::State(_) | DaemonAttr::Other(_) => {}
            DaemonAttr::Interface(value) => daemon.interface = value,
            DaemonAttr::SyncId(value) => daemon.sync_id = value,
            DaemonAttr::MaxLength(value) => daemon.max_length_bytes = NonZeroU16::new(value),
            DaemonAttr::Group(value) => daemon.group = Some(value.into()),
            DaemonAttr::Group6(value) => daemon.group = Some(value.into()),
            DaemonAttr::Port(value) => daemon.port = NonZeroU16::new(value),
            DaemonAttr::Ttl(value) => daemon.ttl = NonZeroU8::new(value),
        }
    }
    daemon.role = role.ok_or_else(|| missing("IPVS_DAEMON_ATTR_STATE"))?;
    Ok(Some(daemon))
}

/// The timeouts of `IPVS_CMD_SET_CONFIG`, which is what `IPVS_CMD_GET_CONFIG` is answered with. A
/// protocol that is not built in has none and stays 0.
pub(in crate::ipvs) fn read_timeouts(payload: &[u8]) -> Result<Option<Timeouts>, IpvsError> {
    let message = IpvsMessage::decode(payload)?;
    Ok((message.command == CommandNumber::SET_CONFIG).then(|| {
        let mut timeouts = Timeouts::default();
        for attribute in &message.attributes {
            match attribute {
                CommandAttr::TimeoutTcp(value) => timeouts.tcp_seconds = *value,
                CommandAttr::TimeoutTcpFin(value) => timeouts.tcp_fin_seconds = *value,
                CommandAttr::TimeoutUdp(value) => timeouts.udp_seconds = *value,
                _ => {}
            }
        }
        timeouts
    }))
}

/// The facts of `IPVS_CMD_SET_INFO`, which is what `IPVS_CMD_GET_INFO` is answered with.
pub(in crate::ipvs) fn read_info(payload: &[u8]) -> Result<Option<Info>, IpvsError> {
    let message = IpvsMessage::decode(payload)?;
    Ok((message.command == CommandNumber::SET_INFO).then(|| {
        let mut info = Info {
            version: [0; 3],
            connection_table_size: 0,
        };
        for attribute in &message.attributes {
            match attribute {
                CommandAttr::Info(InfoAttr::Version(value)) => {
                    let [_, major, minor, patch] = value.to_be_bytes();
                    info.version = [major, minor, patch];
                }
                CommandAttr::Info(InfoAttr::ConnectionTableSize(value)) => {
                    info.connection_table_size = *value;
                }
                _ => {}
            }
        }
        info
    }))
}

fn counters(stats: Option<&[u8]>) -> Result<Counters, IpvsError> {
    let mut counters = Counters::default();
    for attribute in each(stats.unwrap_or_default()) {
        let attribute = StatsAttr::parse(&attribute?.0)?;
        let (counter, value) = match attribute {
            StatsAttr::Narrow(counter, value) => (counter, u64::from(value)),
            StatsAttr::Wide(counter, value) => (counter, value),
            StatsAttr::Other(_) => continue,
        };
        let field = match counter {
            Counter::Connections => &mut counters.connections,
            Counter::PacketsIn => &mut counters.packets_in,
            Counter::PacketsOut => &mut counters.packets_out,
            Counter::BytesIn => &mut counters.bytes_in,
            Counter::BytesOut => &mut counters.bytes_out,
            Counter::ConnectionsPerSecond => &mut counters.connections_per_second,
            Counter::PacketsInPerSecond => &mut counters.packets_in_per_second,
            Counter::PacketsOutPerSecond => &mut counters.packets_out_per_second,
            Counter::BytesInPerSecond => &mut counters.bytes_in_per_second,
            Counter::BytesOutPerSecond => &mut counters.bytes_out_per_second,
        };
        *field = value;
    }
    Ok(counters)
}

fn granularity(family: Family, netmask: [u8; 4]) -> Option<Granularity> {
    match family {
        Family::Inet => Granularity::from_mask(Ipv4Addr::from(netmask)),
        Family::Inet6 => u8::try_from(u32::from_ne_bytes(netmask))
            .ok()
            .filter(|length| *length < 128)
            .and_then(NonZeroU8::new)
            .map(Granularity::Prefix),
    }
}

fn family_of(number: u16) -> Option<Family> {
    match i32::from(number) {
        libc::AF_INET => Some(Family::Inet),
        libc::AF_INET6 => Some(Family::Inet6),
        _ => None,
    }
}

fn transport(number: u16) -> Option<Transport> {
    match i32::from(number) {
        libc::IPPROTO_TCP => Some(Transport::Tcp),
        libc::IPPROTO_UDP => Some(Transport::Udp),
        libc::IPPROTO_SCTP => Some(Transport::Sctp),
        _ => None,
    }
}

/// The kernel masks with `IP_VS_CONN_F_FWD_MASK` (0x7) and refuses nothing, so 5 to 7 can come back;
/// it treats them like no known method.
fn forwarding(method: u32) -> Forwarding {
    match method & 0x7 {
        0 => Forwarding::Masquerade,
        1 => Forwarding::Local,
        2 => Forwarding::Tunnel,
        3 => Forwarding::Route,
        _ => Forwarding::Bypass,
    }
}

fn address_of(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::Inet => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
        Family::Inet6 => Ipv6Addr::from(bytes).into(),
    }
}
