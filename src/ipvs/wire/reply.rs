//! From the kernel's message to the model.
//!
//! Services and destinations come by the hundred thousand, so their attributes are read straight from the
//! buffer, without building a tree of attributes first.

use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use netlink_packet_core::DecodeError;
use netlink_packet_generic::constants::GENL_HDRLEN;

use super::daemon::DaemonAttr;
use super::destination::{
    IPVS_DEST_ATTR_ACTIVE_CONNS, IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_ADDR_FAMILY,
    IPVS_DEST_ATTR_FWD_METHOD, IPVS_DEST_ATTR_INACT_CONNS, IPVS_DEST_ATTR_L_THRESH,
    IPVS_DEST_ATTR_PERSIST_CONNS, IPVS_DEST_ATTR_PORT, IPVS_DEST_ATTR_STATS,
    IPVS_DEST_ATTR_STATS64, IPVS_DEST_ATTR_TUN_FLAGS, IPVS_DEST_ATTR_TUN_PORT,
    IPVS_DEST_ATTR_TUN_TYPE, IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_WEIGHT,
};
use super::info::InfoAttr;
use super::kernel::{address_of, family_of, forwarding, granularity, transport};
use super::message::{
    CommandAttr, CommandNumber, IPVS_CMD_ATTR_DEST, IPVS_CMD_ATTR_SERVICE, IpvsMessage,
};
use super::service::{
    IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_AF, IPVS_SVC_ATTR_FLAGS, IPVS_SVC_ATTR_FWMARK,
    IPVS_SVC_ATTR_NETMASK, IPVS_SVC_ATTR_PE_NAME, IPVS_SVC_ATTR_PORT, IPVS_SVC_ATTR_PROTOCOL,
    IPVS_SVC_ATTR_SCHED_NAME, IPVS_SVC_ATTR_STATS, IPVS_SVC_ATTR_STATS64, IPVS_SVC_ATTR_TIMEOUT,
    ServiceFlags,
};
use super::stats::statistic;
use super::value::{bytes, each, text, u8_value, u16_host, u16_network, u32_host};
use crate::ipvs::error::IpvsError;
use crate::ipvs::model::{
    Counters, Daemon, DaemonRole, Destination, DestinationStatus, Family, Info, Service,
    ServiceKey, ServiceStatus, Timeouts, TunnelKind,
};

fn missing(attribute: &'static str) -> IpvsError {
    IpvsError::Missing { attribute }
}

/// An attribute of a message that holds the attributes of an object.
struct Nest {
    kind: u16,
    /// In `ip_vs.h`.
    name: &'static str,
}

const SERVICE: Nest = Nest {
    kind: IPVS_CMD_ATTR_SERVICE,
    name: "IPVS_CMD_ATTR_SERVICE",
};

const DESTINATION: Nest = Nest {
    kind: IPVS_CMD_ATTR_DEST,
    name: "IPVS_CMD_ATTR_DEST",
};

/// The attributes inside a nest, `None` when the message is of another command.
fn inside<'a>(
    nest: &Nest,
    payload: &'a [u8],
    command: CommandNumber,
) -> Result<Option<&'a [u8]>, IpvsError> {
    let Some((header, attributes)) = payload.split_at_checked(GENL_HDRLEN) else {
        return Err(DecodeError::from("a message is shorter than its header").into());
    };
    if header[0] != command.0 {
        return Ok(None);
    }
    for attribute in each(attributes) {
        let (found, value) = attribute?;
        if found == nest.kind {
            return Ok(Some(value));
        }
    }
    Err(missing(nest.name))
}

/// The service of `IPVS_CMD_NEW_SERVICE`, without destinations. `None` for anything else, and for a service
/// of a family or protocol that this client does not know.
pub(in crate::ipvs) fn read_service(payload: &[u8]) -> Result<Option<ServiceStatus>, IpvsError> {
    let Some(attributes) = inside(&SERVICE, payload, CommandNumber::NEW_SERVICE)? else {
        return Ok(None);
    };
    let (mut family, mut protocol, mut address, mut port, mut mark) =
        (None, None, None, None, None);
    let (mut scheduler, mut engine, mut netmask) = (None, None, None);
    let (mut flags, mut timeout) = (0, 0);
    let (mut stats, mut stats64) = (None, None);
    for attribute in each(attributes) {
        let (kind, value) = attribute?;
        match kind {
            IPVS_SVC_ATTR_STATS => stats = Some(value),
            IPVS_SVC_ATTR_STATS64 => stats64 = Some(value),
            IPVS_SVC_ATTR_AF => family = Some(u16_host(value, "IPVS_SVC_ATTR_AF")?),
            IPVS_SVC_ATTR_PROTOCOL => {
                protocol = Some(u16_host(value, "IPVS_SVC_ATTR_PROTOCOL")?);
            }
            IPVS_SVC_ATTR_ADDR => address = Some(bytes(value, "IPVS_SVC_ATTR_ADDR")?),
            IPVS_SVC_ATTR_PORT => port = Some(u16_network(value, "IPVS_SVC_ATTR_PORT")?),
            IPVS_SVC_ATTR_FWMARK => {
                mark = NonZeroU32::new(u32_host(value, "IPVS_SVC_ATTR_FWMARK")?);
            }
            IPVS_SVC_ATTR_SCHED_NAME => scheduler = Some(text(value)),
            IPVS_SVC_ATTR_FLAGS => {
                let [a, b, c, d, ..] = bytes::<8>(value, "IPVS_SVC_ATTR_FLAGS")?;
                flags = u32::from_ne_bytes([a, b, c, d]);
            }
            IPVS_SVC_ATTR_TIMEOUT => timeout = u32_host(value, "IPVS_SVC_ATTR_TIMEOUT")?,
            IPVS_SVC_ATTR_NETMASK => netmask = Some(bytes(value, "IPVS_SVC_ATTR_NETMASK")?),
            IPVS_SVC_ATTR_PE_NAME => engine = Some(text(value)).filter(|name| !name.is_empty()),
            _ => {}
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
    let Some(attributes) = inside(&DESTINATION, payload, CommandNumber::NEW_DEST)? else {
        return Ok(None);
    };
    let (mut family, mut address, mut port, mut method) = (None, None, None, 0);
    let (mut weight, mut upper_threshold, mut lower_threshold) = (0, 0, 0);
    let (mut active, mut inactive, mut persistent) = (0, 0, 0);
    let (mut tunnel_type, mut tunnel_port, mut tunnel_flags) = (0, 0, 0);
    let (mut stats, mut stats64) = (None, None);
    for attribute in each(attributes) {
        let (kind, value) = attribute?;
        match kind {
            IPVS_DEST_ATTR_STATS => stats = Some(value),
            IPVS_DEST_ATTR_STATS64 => stats64 = Some(value),
            IPVS_DEST_ATTR_ADDR_FAMILY => {
                family = Some(u16_host(value, "IPVS_DEST_ATTR_ADDR_FAMILY")?);
            }
            IPVS_DEST_ATTR_ADDR => address = Some(bytes(value, "IPVS_DEST_ATTR_ADDR")?),
            IPVS_DEST_ATTR_PORT => port = Some(u16_network(value, "IPVS_DEST_ATTR_PORT")?),
            IPVS_DEST_ATTR_FWD_METHOD => method = u32_host(value, "IPVS_DEST_ATTR_FWD_METHOD")?,
            IPVS_DEST_ATTR_WEIGHT => weight = u32_host(value, "IPVS_DEST_ATTR_WEIGHT")?,
            IPVS_DEST_ATTR_U_THRESH => {
                upper_threshold = u32_host(value, "IPVS_DEST_ATTR_U_THRESH")?;
            }
            IPVS_DEST_ATTR_L_THRESH => {
                lower_threshold = u32_host(value, "IPVS_DEST_ATTR_L_THRESH")?;
            }
            IPVS_DEST_ATTR_ACTIVE_CONNS => {
                active = u32_host(value, "IPVS_DEST_ATTR_ACTIVE_CONNS")?;
            }
            IPVS_DEST_ATTR_INACT_CONNS => {
                inactive = u32_host(value, "IPVS_DEST_ATTR_INACT_CONNS")?;
            }
            IPVS_DEST_ATTR_PERSIST_CONNS => {
                persistent = u32_host(value, "IPVS_DEST_ATTR_PERSIST_CONNS")?;
            }
            IPVS_DEST_ATTR_TUN_TYPE => tunnel_type = u8_value(value, "IPVS_DEST_ATTR_TUN_TYPE")?,
            IPVS_DEST_ATTR_TUN_PORT => {
                tunnel_port = u16_network(value, "IPVS_DEST_ATTR_TUN_PORT")?;
            }
            IPVS_DEST_ATTR_TUN_FLAGS => {
                tunnel_flags = u16_host(value, "IPVS_DEST_ATTR_TUN_FLAGS")?;
            }
            _ => {}
        }
    }
    // Linux before 3.18 does not send it.
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

/// The timeouts of `IPVS_CMD_SET_CONFIG`, the reply to `IPVS_CMD_GET_CONFIG`. A protocol that the kernel was
/// built without has none and stays 0.
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

/// The facts of `IPVS_CMD_SET_INFO`, the reply to `IPVS_CMD_GET_INFO`.
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

/// The statistics, 32 or 64 bits wide depending on the statistic and on the kernel.
fn counters(stats: Option<&[u8]>) -> Result<Counters, IpvsError> {
    let mut counters = Counters::default();
    for attribute in each(stats.unwrap_or_default()) {
        let (kind, value) = attribute?;
        let field = match kind {
            1 => &mut counters.connections,
            2 => &mut counters.packets_in,
            3 => &mut counters.packets_out,
            4 => &mut counters.bytes_in,
            5 => &mut counters.bytes_out,
            6 => &mut counters.connections_per_second,
            7 => &mut counters.packets_in_per_second,
            8 => &mut counters.packets_out_per_second,
            9 => &mut counters.bytes_in_per_second,
            10 => &mut counters.bytes_out_per_second,
            _ => continue,
        };
        *field = statistic(value)?;
    }
    Ok(counters)
}
