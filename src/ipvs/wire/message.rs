//! Messages of the generic netlink family `IPVS`.

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, Nla, NlaBuffer, Parseable, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};

use super::daemon::DaemonAttr;
use super::destination::DestinationAttr;
use super::info::InfoAttr;
use super::service::ServiceAttr;
use super::value::{attributes, u32_host};

pub(super) const IPVS_GENL_VERSION: u8 = 1;

pub(super) const IPVS_CMD_ATTR_SERVICE: u16 = 1;
pub(super) const IPVS_CMD_ATTR_DEST: u16 = 2;
pub(super) const IPVS_CMD_ATTR_DAEMON: u16 = 3;
const IPVS_CMD_ATTR_TIMEOUT_TCP: u16 = 4;
const IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: u16 = 5;
const IPVS_CMD_ATTR_TIMEOUT_UDP: u16 = 6;

/// `IPVS_CMD_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandNumber(pub u8);

impl CommandNumber {
    pub const NEW_SERVICE: Self = Self(1);
    pub const SET_SERVICE: Self = Self(2);
    pub const DEL_SERVICE: Self = Self(3);
    pub const GET_SERVICE: Self = Self(4);
    pub const NEW_DEST: Self = Self(5);
    pub const SET_DEST: Self = Self(6);
    pub const DEL_DEST: Self = Self(7);
    pub const GET_DEST: Self = Self(8);
    pub const NEW_DAEMON: Self = Self(9);
    pub const DEL_DAEMON: Self = Self(10);
    pub const GET_DAEMON: Self = Self(11);
    pub const SET_CONFIG: Self = Self(12);
    pub const GET_CONFIG: Self = Self(13);
    /// Only as the reply to [`Self::GET_INFO`].
    pub const SET_INFO: Self = Self(14);
    pub const GET_INFO: Self = Self(15);
    pub const ZERO: Self = Self(16);
    pub const FLUSH: Self = Self(17);
}

/// One attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandAttr {
    /// Nested; `IPVS_CMD_ATTR_SERVICE`.
    Service(Vec<ServiceAttr>),
    /// Nested; `IPVS_CMD_ATTR_DEST`.
    Destination(Vec<DestinationAttr>),
    /// Nested; `IPVS_CMD_ATTR_DAEMON`.
    Daemon(Vec<DaemonAttr>),
    /// u32, host order, seconds; `IPVS_CMD_ATTR_TIMEOUT_TCP`.
    TimeoutTcp(u32),
    /// u32, host order, seconds; `IPVS_CMD_ATTR_TIMEOUT_TCP_FIN`.
    TimeoutTcpFin(u32),
    /// u32, host order, seconds; `IPVS_CMD_ATTR_TIMEOUT_UDP`.
    TimeoutUdp(u32),
    /// Only in [`CommandNumber::SET_INFO`], whose attributes are numbered separately.
    Info(InfoAttr),
    /// Not known.
    Other(DefaultNla),
}

impl Nla for CommandAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Service(attributes) => attributes.as_slice().buffer_len(),
            Self::Destination(attributes) => attributes.as_slice().buffer_len(),
            Self::Daemon(attributes) => attributes.as_slice().buffer_len(),
            Self::TimeoutTcp(_) | Self::TimeoutTcpFin(_) | Self::TimeoutUdp(_) => 4,
            Self::Info(info) => info.value_len(),
            Self::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Service(_) => IPVS_CMD_ATTR_SERVICE,
            Self::Destination(_) => IPVS_CMD_ATTR_DEST,
            Self::Daemon(_) => IPVS_CMD_ATTR_DAEMON,
            Self::TimeoutTcp(_) => IPVS_CMD_ATTR_TIMEOUT_TCP,
            Self::TimeoutTcpFin(_) => IPVS_CMD_ATTR_TIMEOUT_TCP_FIN,
            Self::TimeoutUdp(_) => IPVS_CMD_ATTR_TIMEOUT_UDP,
            Self::Info(info) => info.kind(),
            Self::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Service(attributes) => attributes.as_slice().emit(buffer),
            Self::Destination(attributes) => attributes.as_slice().emit(buffer),
            Self::Daemon(attributes) => attributes.as_slice().emit(buffer),
            Self::TimeoutTcp(value) | Self::TimeoutTcpFin(value) | Self::TimeoutUdp(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Info(info) => info.emit_value(buffer),
            Self::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for CommandAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            IPVS_CMD_ATTR_SERVICE => Self::Service(attributes(value)?),
            IPVS_CMD_ATTR_DEST => Self::Destination(attributes(value)?),
            IPVS_CMD_ATTR_DAEMON => Self::Daemon(attributes(value)?),
            IPVS_CMD_ATTR_TIMEOUT_TCP => {
                Self::TimeoutTcp(u32_host(value, "IPVS_CMD_ATTR_TIMEOUT_TCP")?)
            }
            IPVS_CMD_ATTR_TIMEOUT_TCP_FIN => {
                Self::TimeoutTcpFin(u32_host(value, "IPVS_CMD_ATTR_TIMEOUT_TCP_FIN")?)
            }
            IPVS_CMD_ATTR_TIMEOUT_UDP => {
                Self::TimeoutUdp(u32_host(value, "IPVS_CMD_ATTR_TIMEOUT_UDP")?)
            }
            _ => Self::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// A request to IPVS, or a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpvsMessage {
    /// The command of a request; the kind of a reply.
    pub command: CommandNumber,
    /// Its arguments.
    pub attributes: Vec<CommandAttr>,
}

impl IpvsMessage {
    /// Decodes what follows the netlink header.
    ///
    /// # Errors
    /// When an attribute has the wrong width or is cut off.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        GenlMessage::<Self>::parse_with_param(payload, 0).map(|message| message.payload)
    }

    /// Encodes what follows the netlink header.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let message = GenlMessage::from_payload(self);
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }
}

impl GenlFamily for IpvsMessage {
    fn family_name() -> &'static str {
        "IPVS"
    }

    fn command(&self) -> u8 {
        self.command.0
    }

    fn version(&self) -> u8 {
        IPVS_GENL_VERSION
    }
}

impl Emitable for IpvsMessage {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for IpvsMessage {
    fn parse_with_param(payload: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let command = CommandNumber(header.cmd);
        let attributes = if command == CommandNumber::SET_INFO {
            attributes(payload)?
                .into_iter()
                .map(CommandAttr::Info)
                .collect()
        } else {
            attributes(payload)?
        };
        Ok(Self {
            command,
            attributes,
        })
    }
}
