//! A synchronisation daemon, inside `IPVS_CMD_ATTR_DAEMON`.

use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{DecodeError, DefaultNla, Nla, NlaBuffer, Parseable};

use super::value::{bytes, emit_text, text, u8_value, u16_host, u32_host};

const IPVS_DAEMON_ATTR_STATE: u16 = 1;
const IPVS_DAEMON_ATTR_MCAST_IFN: u16 = 2;
const IPVS_DAEMON_ATTR_SYNC_ID: u16 = 3;
const IPVS_DAEMON_ATTR_SYNC_MAXLEN: u16 = 4;
const IPVS_DAEMON_ATTR_MCAST_GROUP: u16 = 5;
const IPVS_DAEMON_ATTR_MCAST_GROUP6: u16 = 6;
const IPVS_DAEMON_ATTR_MCAST_PORT: u16 = 7;
const IPVS_DAEMON_ATTR_MCAST_TTL: u16 = 8;

/// One attribute of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonAttr {
    /// u32, host order: 1 master, 2 backup; `IPVS_DAEMON_ATTR_STATE`.
    State(u32),
    /// NUL-terminated, at most 15 bytes; `IPVS_DAEMON_ATTR_MCAST_IFN`.
    Interface(String),
    /// u32, host order; `IPVS_DAEMON_ATTR_SYNC_ID`.
    SyncId(u32),
    /// u16, host order, bytes, Linux 4.3; `IPVS_DAEMON_ATTR_SYNC_MAXLEN`.
    MaxLength(u16),
    /// 4 bytes, Linux 4.3; `IPVS_DAEMON_ATTR_MCAST_GROUP`.
    Group(Ipv4Addr),
    /// 16 bytes, Linux 4.3; `IPVS_DAEMON_ATTR_MCAST_GROUP6`.
    Group6(Ipv6Addr),
    /// u16, host order (unlike every other port), Linux 4.3; `IPVS_DAEMON_ATTR_MCAST_PORT`.
    Port(u16),
    /// u8, Linux 4.3; `IPVS_DAEMON_ATTR_MCAST_TTL`.
    Ttl(u8),
    /// Not known.
    Other(DefaultNla),
}

impl Nla for DaemonAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::State(_) | Self::SyncId(_) | Self::Group(_) => 4,
            Self::Interface(name) => name.len() + 1,
            Self::MaxLength(_) | Self::Port(_) => 2,
            Self::Group6(_) => 16,
            Self::Ttl(_) => 1,
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::State(_) => IPVS_DAEMON_ATTR_STATE,
            Self::Interface(_) => IPVS_DAEMON_ATTR_MCAST_IFN,
            Self::SyncId(_) => IPVS_DAEMON_ATTR_SYNC_ID,
            Self::MaxLength(_) => IPVS_DAEMON_ATTR_SYNC_MAXLEN,
            Self::Group(_) => IPVS_DAEMON_ATTR_MCAST_GROUP,
            Self::Group6(_) => IPVS_DAEMON_ATTR_MCAST_GROUP6,
            Self::Port(_) => IPVS_DAEMON_ATTR_MCAST_PORT,
            Self::Ttl(_) => IPVS_DAEMON_ATTR_MCAST_TTL,
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::State(value) | Self::SyncId(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Interface(name) => emit_text(name, buffer),
            Self::MaxLength(value) | Self::Port(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Group(address) => buffer.copy_from_slice(&address.octets()),
            Self::Group6(address) => buffer.copy_from_slice(&address.octets()),
            Self::Ttl(value) => buffer.copy_from_slice(&[*value]),
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for DaemonAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            IPVS_DAEMON_ATTR_STATE => Self::State(u32_host(value, "IPVS_DAEMON_ATTR_STATE")?),
            IPVS_DAEMON_ATTR_MCAST_IFN => Self::Interface(text(value)),
            IPVS_DAEMON_ATTR_SYNC_ID => Self::SyncId(u32_host(value, "IPVS_DAEMON_ATTR_SYNC_ID")?),
            IPVS_DAEMON_ATTR_SYNC_MAXLEN => {
                Self::MaxLength(u16_host(value, "IPVS_DAEMON_ATTR_SYNC_MAXLEN")?)
            }
            IPVS_DAEMON_ATTR_MCAST_GROUP => {
                Self::Group(bytes::<4>(value, "IPVS_DAEMON_ATTR_MCAST_GROUP")?.into())
            }
            IPVS_DAEMON_ATTR_MCAST_GROUP6 => {
                Self::Group6(bytes::<16>(value, "IPVS_DAEMON_ATTR_MCAST_GROUP6")?.into())
            }
            IPVS_DAEMON_ATTR_MCAST_PORT => {
                Self::Port(u16_host(value, "IPVS_DAEMON_ATTR_MCAST_PORT")?)
            }
            IPVS_DAEMON_ATTR_MCAST_TTL => Self::Ttl(u8_value(value, "IPVS_DAEMON_ATTR_MCAST_TTL")?),
            _ => Self::Other(DefaultNla::parse(attribute)?),
        })
    }
}
