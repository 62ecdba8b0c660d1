//! A service, inside `IPVS_CMD_ATTR_SERVICE`.

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, Nla, NlaBuffer, Parseable};

use super::stats::StatsAttr;
use super::value::{attributes, bytes, emit_text, text, u16_host, u16_network, u32_host};

pub(super) const IPVS_SVC_ATTR_AF: u16 = 1;
pub(super) const IPVS_SVC_ATTR_PROTOCOL: u16 = 2;
pub(super) const IPVS_SVC_ATTR_ADDR: u16 = 3;
pub(super) const IPVS_SVC_ATTR_PORT: u16 = 4;
pub(super) const IPVS_SVC_ATTR_FWMARK: u16 = 5;
pub(super) const IPVS_SVC_ATTR_SCHED_NAME: u16 = 6;
pub(super) const IPVS_SVC_ATTR_FLAGS: u16 = 7;
pub(super) const IPVS_SVC_ATTR_TIMEOUT: u16 = 8;
pub(super) const IPVS_SVC_ATTR_NETMASK: u16 = 9;
pub(super) const IPVS_SVC_ATTR_STATS: u16 = 10;
pub(super) const IPVS_SVC_ATTR_PE_NAME: u16 = 11;
pub(super) const IPVS_SVC_ATTR_STATS64: u16 = 12;

/// `struct ip_vs_flags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceFlags {
    /// Bits, `IP_VS_SVC_F_*`.
    pub flags: u32,
    /// Which of them are meant; all ones in replies.
    pub mask: u32,
}

impl ServiceFlags {
    /// `IP_VS_SVC_F_PERSISTENT`
    pub const PERSISTENT: u32 = 0x1;
    /// `IP_VS_SVC_F_HASHED`: in every reply, of no meaning outside the kernel.
    pub const HASHED: u32 = 0x2;
}

/// One attribute of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAttr {
    /// u16, host order: `AF_INET` or `AF_INET6`; `IPVS_SVC_ATTR_AF`.
    Family(u16),
    /// u16, host order: `IPPROTO_*`; `IPVS_SVC_ATTR_PROTOCOL`.
    Protocol(u16),
    /// `union nf_inet_addr`, 16 bytes, an IPv4 address in the first 4; `IPVS_SVC_ATTR_ADDR`.
    Address([u8; 16]),
    /// u16, big-endian; `IPVS_SVC_ATTR_PORT`.
    Port(u16),
    /// u32, host order, instead of protocol, address and port; `IPVS_SVC_ATTR_FWMARK`.
    Fwmark(u32),
    /// NUL-terminated, at most 15 bytes; `IPVS_SVC_ATTR_SCHED_NAME`.
    Scheduler(String),
    /// Two u32, host order; `IPVS_SVC_ATTR_FLAGS`.
    Flags(ServiceFlags),
    /// u32, host order, seconds of persistence; `IPVS_SVC_ATTR_TIMEOUT`.
    Timeout(u32),
    /// IPv4: mask, big-endian. IPv6: prefix length as u32 in host order. `IPVS_SVC_ATTR_NETMASK`.
    Netmask([u8; 4]),
    /// Nested; `IPVS_SVC_ATTR_STATS`.
    Stats(Vec<StatsAttr>),
    /// NUL-terminated, at most 15 bytes; `IPVS_SVC_ATTR_PE_NAME`.
    Engine(String),
    /// Nested, Linux 4.1; `IPVS_SVC_ATTR_STATS64`.
    Stats64(Vec<StatsAttr>),
    /// Not known.
    Other(DefaultNla),
}

impl Nla for ServiceAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Family(_) | Self::Protocol(_) | Self::Port(_) => 2,
            Self::Fwmark(_) | Self::Timeout(_) | Self::Netmask(_) => 4,
            Self::Flags(_) => 8,
            Self::Address(_) => 16,
            Self::Scheduler(name) | Self::Engine(name) => name.len() + 1,
            Self::Stats(stats) | Self::Stats64(stats) => stats.as_slice().buffer_len(),
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Family(_) => IPVS_SVC_ATTR_AF,
            Self::Protocol(_) => IPVS_SVC_ATTR_PROTOCOL,
            Self::Address(_) => IPVS_SVC_ATTR_ADDR,
            Self::Port(_) => IPVS_SVC_ATTR_PORT,
            Self::Fwmark(_) => IPVS_SVC_ATTR_FWMARK,
            Self::Scheduler(_) => IPVS_SVC_ATTR_SCHED_NAME,
            Self::Flags(_) => IPVS_SVC_ATTR_FLAGS,
            Self::Timeout(_) => IPVS_SVC_ATTR_TIMEOUT,
            Self::Netmask(_) => IPVS_SVC_ATTR_NETMASK,
            Self::Stats(_) => IPVS_SVC_ATTR_STATS,
            Self::Engine(_) => IPVS_SVC_ATTR_PE_NAME,
            Self::Stats64(_) => IPVS_SVC_ATTR_STATS64,
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Family(value) | Self::Protocol(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Port(port) => buffer.copy_from_slice(&port.to_be_bytes()),
            Self::Fwmark(value) | Self::Timeout(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Netmask(value) => buffer.copy_from_slice(value),
            Self::Flags(ServiceFlags { flags, mask }) => {
                buffer[..4].copy_from_slice(&flags.to_ne_bytes());
                buffer[4..].copy_from_slice(&mask.to_ne_bytes());
            }
            Self::Address(address) => buffer.copy_from_slice(address),
            Self::Scheduler(name) | Self::Engine(name) => emit_text(name, buffer),
            Self::Stats(stats) | Self::Stats64(stats) => stats.as_slice().emit(buffer),
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for ServiceAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            IPVS_SVC_ATTR_AF => Self::Family(u16_host(value, "IPVS_SVC_ATTR_AF")?),
            IPVS_SVC_ATTR_PROTOCOL => Self::Protocol(u16_host(value, "IPVS_SVC_ATTR_PROTOCOL")?),
            IPVS_SVC_ATTR_ADDR => Self::Address(bytes(value, "IPVS_SVC_ATTR_ADDR")?),
            IPVS_SVC_ATTR_PORT => Self::Port(u16_network(value, "IPVS_SVC_ATTR_PORT")?),
            IPVS_SVC_ATTR_FWMARK => Self::Fwmark(u32_host(value, "IPVS_SVC_ATTR_FWMARK")?),
            IPVS_SVC_ATTR_SCHED_NAME => Self::Scheduler(text(value)),
            IPVS_SVC_ATTR_FLAGS => {
                let [a, b, c, d, e, f, g, h] = bytes(value, "IPVS_SVC_ATTR_FLAGS")?;
                Self::Flags(ServiceFlags {
                    flags: u32::from_ne_bytes([a, b, c, d]),
                    mask: u32::from_ne_bytes([e, f, g, h]),
                })
            }
            IPVS_SVC_ATTR_TIMEOUT => Self::Timeout(u32_host(value, "IPVS_SVC_ATTR_TIMEOUT")?),
            IPVS_SVC_ATTR_NETMASK => Self::Netmask(bytes(value, "IPVS_SVC_ATTR_NETMASK")?),
            IPVS_SVC_ATTR_STATS => Self::Stats(attributes(value)?),
            IPVS_SVC_ATTR_PE_NAME => Self::Engine(text(value)),
            IPVS_SVC_ATTR_STATS64 => Self::Stats64(attributes(value)?),
            _ => Self::Other(DefaultNla::parse(attribute)?),
        })
    }
}
