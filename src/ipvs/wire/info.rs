//! Facts about IPVS: attributes of `IPVS_CMD_SET_INFO`, which are numbered separately.

use netlink_packet_core::{DecodeError, DefaultNla, Nla, NlaBuffer, Parseable};

use super::value::u32_host;

const IPVS_INFO_ATTR_VERSION: u16 = 1;
const IPVS_INFO_ATTR_CONN_TAB_SIZE: u16 = 2;

/// One attribute of the reply to `IPVS_CMD_GET_INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InfoAttr {
    /// u32, host order, `0x010201` is 1.2.1; `IPVS_INFO_ATTR_VERSION`.
    Version(u32),
    /// u32, host order, buckets; `IPVS_INFO_ATTR_CONN_TAB_SIZE`.
    ConnectionTableSize(u32),
    /// Not known.
    Other(DefaultNla),
}

impl Nla for InfoAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Version(_) | Self::ConnectionTableSize(_) => 4,
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Version(_) => IPVS_INFO_ATTR_VERSION,
            Self::ConnectionTableSize(_) => IPVS_INFO_ATTR_CONN_TAB_SIZE,
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Version(value) | Self::ConnectionTableSize(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for InfoAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            IPVS_INFO_ATTR_VERSION => Self::Version(u32_host(value, "IPVS_INFO_ATTR_VERSION")?),
            IPVS_INFO_ATTR_CONN_TAB_SIZE => {
                Self::ConnectionTableSize(u32_host(value, "IPVS_INFO_ATTR_CONN_TAB_SIZE")?)
            }
            _ => Self::Other(DefaultNla::parse(attribute)?),
        })
    }
}
