//! A destination, inside `IPVS_CMD_ATTR_DEST`.

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, Nla, NlaBuffer, Parseable};

use super::stats::StatsAttr;
use super::value::{attributes, bytes, u8_value, u16_host, u16_network, u32_host};

pub(super) const IPVS_DEST_ATTR_ADDR: u16 = 1;
pub(super) const IPVS_DEST_ATTR_PORT: u16 = 2;
pub(super) const IPVS_DEST_ATTR_FWD_METHOD: u16 = 3;
pub(super) const IPVS_DEST_ATTR_WEIGHT: u16 = 4;
pub(super) const IPVS_DEST_ATTR_U_THRESH: u16 = 5;
pub(super) const IPVS_DEST_ATTR_L_THRESH: u16 = 6;
pub(super) const IPVS_DEST_ATTR_ACTIVE_CONNS: u16 = 7;
pub(super) const IPVS_DEST_ATTR_INACT_CONNS: u16 = 8;
pub(super) const IPVS_DEST_ATTR_PERSIST_CONNS: u16 = 9;
pub(super) const IPVS_DEST_ATTR_STATS: u16 = 10;
pub(super) const IPVS_DEST_ATTR_ADDR_FAMILY: u16 = 11;
pub(super) const IPVS_DEST_ATTR_STATS64: u16 = 12;
pub(super) const IPVS_DEST_ATTR_TUN_TYPE: u16 = 13;
pub(super) const IPVS_DEST_ATTR_TUN_PORT: u16 = 14;
pub(super) const IPVS_DEST_ATTR_TUN_FLAGS: u16 = 15;

/// One attribute of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationAttr {
    /// `union nf_inet_addr`, 16 bytes, an IPv4 address in the first 4; `IPVS_DEST_ATTR_ADDR`.
    Address([u8; 16]),
    /// u16, big-endian; `IPVS_DEST_ATTR_PORT`.
    Port(u16),
    /// u32, host order: `IP_VS_CONN_F_*` under `IP_VS_CONN_F_FWD_MASK`; `IPVS_DEST_ATTR_FWD_METHOD`.
    ForwardingMethod(u32),
    /// u32, host order; `IPVS_DEST_ATTR_WEIGHT`.
    Weight(u32),
    /// u32, host order, connections; `IPVS_DEST_ATTR_U_THRESH`.
    UpperThreshold(u32),
    /// u32, host order, connections; `IPVS_DEST_ATTR_L_THRESH`.
    LowerThreshold(u32),
    /// u32, host order; `IPVS_DEST_ATTR_ACTIVE_CONNS`.
    ActiveConnections(u32),
    /// u32, host order; `IPVS_DEST_ATTR_INACT_CONNS`.
    InactiveConnections(u32),
    /// u32, host order; `IPVS_DEST_ATTR_PERSIST_CONNS`.
    PersistentConnections(u32),
    /// Nested; `IPVS_DEST_ATTR_STATS`.
    Stats(Vec<StatsAttr>),
    /// u16, host order, Linux 3.18: absent means the service's; `IPVS_DEST_ATTR_ADDR_FAMILY`.
    AddressFamily(u16),
    /// Nested, Linux 4.1; `IPVS_DEST_ATTR_STATS64`.
    Stats64(Vec<StatsAttr>),
    /// u8, `IP_VS_CONN_F_TUNNEL_TYPE_*`, Linux 5.2; `IPVS_DEST_ATTR_TUN_TYPE`.
    TunnelType(u8),
    /// u16, big-endian, Linux 5.2; `IPVS_DEST_ATTR_TUN_PORT`.
    TunnelPort(u16),
    /// u16, host order, `IP_VS_TUNNEL_ENCAP_FLAG_*`, Linux 5.3; `IPVS_DEST_ATTR_TUN_FLAGS`.
    TunnelFlags(u16),
    /// Not known.
    Other(DefaultNla),
}

impl Nla for DestinationAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Address(_) => 16,
            Self::Port(_) | Self::AddressFamily(_) | Self::TunnelPort(_) | Self::TunnelFlags(_) => {
                2
            }
            Self::ForwardingMethod(_)
            | Self::Weight(_)
            | Self::UpperThreshold(_)
            | Self::LowerThreshold(_)
            | Self::ActiveConnections(_)
            | Self::InactiveConnections(_)
            | Self::PersistentConnections(_) => 4,
            Self::Stats(stats) | Self::Stats64(stats) => stats.as_slice().buffer_len(),
            Self::TunnelType(_) => 1,
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Address(_) => IPVS_DEST_ATTR_ADDR,
            Self::Port(_) => IPVS_DEST_ATTR_PORT,
            Self::ForwardingMethod(_) => IPVS_DEST_ATTR_FWD_METHOD,
            Self::Weight(_) => IPVS_DEST_ATTR_WEIGHT,
            Self::UpperThreshold(_) => IPVS_DEST_ATTR_U_THRESH,
            Self::LowerThreshold(_) => IPVS_DEST_ATTR_L_THRESH,
            Self::ActiveConnections(_) => IPVS_DEST_ATTR_ACTIVE_CONNS,
            Self::InactiveConnections(_) => IPVS_DEST_ATTR_INACT_CONNS,
            Self::PersistentConnections(_) => IPVS_DEST_ATTR_PERSIST_CONNS,
            Self::Stats(_) => IPVS_DEST_ATTR_STATS,
            Self::AddressFamily(_) => IPVS_DEST_ATTR_ADDR_FAMILY,
            Self::Stats64(_) => IPVS_DEST_ATTR_STATS64,
            Self::TunnelType(_) => IPVS_DEST_ATTR_TUN_TYPE,
            Self::TunnelPort(_) => IPVS_DEST_ATTR_TUN_PORT,
            Self::TunnelFlags(_) => IPVS_DEST_ATTR_TUN_FLAGS,
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Address(address) => buffer.copy_from_slice(address),
            Self::Port(port) | Self::TunnelPort(port) => {
                buffer.copy_from_slice(&port.to_be_bytes());
            }
            Self::AddressFamily(value) | Self::TunnelFlags(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::ForwardingMethod(value)
            | Self::Weight(value)
            | Self::UpperThreshold(value)
            | Self::LowerThreshold(value)
            | Self::ActiveConnections(value)
            | Self::InactiveConnections(value)
            | Self::PersistentConnections(value) => buffer.copy_from_slice(&value.to_ne_bytes()),
            Self::Stats(stats) | Self::Stats64(stats) => stats.as_slice().emit(buffer),
            Self::TunnelType(value) => buffer.copy_from_slice(&[*value]),
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for DestinationAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        let u32_named = |name| u32_host(value, name);
        Ok(match attribute.kind() {
            IPVS_DEST_ATTR_ADDR => Self::Address(bytes(value, "IPVS_DEST_ATTR_ADDR")?),
            IPVS_DEST_ATTR_PORT => Self::Port(u16_network(value, "IPVS_DEST_ATTR_PORT")?),
            IPVS_DEST_ATTR_FWD_METHOD => {
                Self::ForwardingMethod(u32_named("IPVS_DEST_ATTR_FWD_METHOD")?)
            }
            IPVS_DEST_ATTR_WEIGHT => Self::Weight(u32_named("IPVS_DEST_ATTR_WEIGHT")?),
            IPVS_DEST_ATTR_U_THRESH => Self::UpperThreshold(u32_named("IPVS_DEST_ATTR_U_THRESH")?),
            IPVS_DEST_ATTR_L_THRESH => Self::LowerThreshold(u32_named("IPVS_DEST_ATTR_L_THRESH")?),
            IPVS_DEST_ATTR_ACTIVE_CONNS => {
                Self::ActiveConnections(u32_named("IPVS_DEST_ATTR_ACTIVE_CONNS")?)
            }
            IPVS_DEST_ATTR_INACT_CONNS => {
                Self::InactiveConnections(u32_named("IPVS_DEST_ATTR_INACT_CONNS")?)
            }
            IPVS_DEST_ATTR_PERSIST_CONNS => {
                Self::PersistentConnections(u32_named("IPVS_DEST_ATTR_PERSIST_CONNS")?)
            }
            IPVS_DEST_ATTR_STATS => Self::Stats(attributes(value)?),
            IPVS_DEST_ATTR_ADDR_FAMILY => {
                Self::AddressFamily(u16_host(value, "IPVS_DEST_ATTR_ADDR_FAMILY")?)
            }
            IPVS_DEST_ATTR_STATS64 => Self::Stats64(attributes(value)?),
            IPVS_DEST_ATTR_TUN_TYPE => {
                Self::TunnelType(u8_value(value, "IPVS_DEST_ATTR_TUN_TYPE")?)
            }
            IPVS_DEST_ATTR_TUN_PORT => {
                Self::TunnelPort(u16_network(value, "IPVS_DEST_ATTR_TUN_PORT")?)
            }
            IPVS_DEST_ATTR_TUN_FLAGS => {
                Self::TunnelFlags(u16_host(value, "IPVS_DEST_ATTR_TUN_FLAGS")?)
            }
            _ => Self::Other(DefaultNla::parse(attribute)?),
        })
    }
}
