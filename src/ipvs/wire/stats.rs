//! Statistics, inside `IPVS_*_ATTR_STATS` (partly 32-bit) and `IPVS_*_ATTR_STATS64`.

use netlink_packet_core::{DecodeError, DefaultNla, Nla, NlaBuffer, Parseable};

/// Which statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Counter {
    /// `IPVS_STATS_ATTR_CONNS`
    Connections = 1,
    /// `IPVS_STATS_ATTR_INPKTS`
    PacketsIn = 2,
    /// `IPVS_STATS_ATTR_OUTPKTS`
    PacketsOut = 3,
    /// `IPVS_STATS_ATTR_INBYTES`
    BytesIn = 4,
    /// `IPVS_STATS_ATTR_OUTBYTES`
    BytesOut = 5,
    /// `IPVS_STATS_ATTR_CPS`
    ConnectionsPerSecond = 6,
    /// `IPVS_STATS_ATTR_INPPS`
    PacketsInPerSecond = 7,
    /// `IPVS_STATS_ATTR_OUTPPS`
    PacketsOutPerSecond = 8,
    /// `IPVS_STATS_ATTR_INBPS`
    BytesInPerSecond = 9,
    /// `IPVS_STATS_ATTR_OUTBPS`
    BytesOutPerSecond = 10,
}

impl Counter {
    fn from_kind(kind: u16) -> Option<Self> {
        Some(match kind {
            1 => Self::Connections,
            2 => Self::PacketsIn,
            3 => Self::PacketsOut,
            4 => Self::BytesIn,
            5 => Self::BytesOut,
            6 => Self::ConnectionsPerSecond,
            7 => Self::PacketsInPerSecond,
            8 => Self::PacketsOutPerSecond,
            9 => Self::BytesInPerSecond,
            10 => Self::BytesOutPerSecond,
            _ => return None,
        })
    }
}

/// One statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsAttr {
    /// u32, host order.
    Narrow(Counter, u32),
    /// u64, host order.
    Wide(Counter, u64),
    /// Padding (`IPVS_STATS_ATTR_PAD`) and what is not known.
    Other(DefaultNla),
}

impl Nla for StatsAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Narrow(..) => 4,
            Self::Wide(..) => 8,
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Narrow(counter, _) | Self::Wide(counter, _) => *counter as u16,
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Narrow(_, value) => buffer.copy_from_slice(&value.to_ne_bytes()),
            Self::Wide(_, value) => buffer.copy_from_slice(&value.to_ne_bytes()),
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for StatsAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let Some(counter) = Counter::from_kind(attribute.kind()) else {
            return DefaultNla::parse(attribute).map(Self::Other);
        };
        let value = attribute.value();
        if let Ok(narrow) = value.try_into() {
            Ok(Self::Narrow(counter, u32::from_ne_bytes(narrow)))
        } else if let Ok(wide) = value.try_into() {
            Ok(Self::Wide(counter, u64::from_ne_bytes(wide)))
        } else {
            Err(width(value))
        }
    }
}

/// A statistic of either width, host order.
pub(super) fn statistic(value: &[u8]) -> Result<u64, DecodeError> {
    if let Ok(wide) = value.try_into() {
        Ok(u64::from_ne_bytes(wide))
    } else if let Ok(narrow) = value.try_into() {
        Ok(u32::from_ne_bytes(narrow).into())
    } else {
        Err(width(value))
    }
}

fn width(value: &[u8]) -> DecodeError {
    DecodeError::from(format!(
        "a statistic has {} bytes and not 4 or 8",
        value.len()
    ))
}
