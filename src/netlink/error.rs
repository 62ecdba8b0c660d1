//! What can go wrong between a netlink socket and the kernel.

use std::fmt;
use std::io;

use netlink_packet_core::{DecodeError, NlasIterator};

/// `NLMSGERR_ATTR_MSG`: text of an extended acknowledgement (`netlink.h`).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// `sizeof(struct nlmsghdr)`.
const HEADER_BYTES: usize = 16;

/// A request that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// errno(3), positive.
    pub errno: i32,
    /// The extended acknowledgement's text, where the kernel gave one.
    pub text: Option<String>,
}

impl KernelError {
    /// The bytes of an `NLMSG_ERROR` message after its header: `None` is an acknowledgement.
    pub(super) fn from_error_message(
        payload: &[u8],
        flags: u16,
    ) -> Result<Option<Self>, NetlinkError> {
        let (code, rest) = split_code(payload)?;
        if code == 0 {
            return Ok(None);
        }
        // The refused request follows: its header alone when it is capped, all of it otherwise.
        let request = if flags & netlink_packet_core::NLM_F_CAPPED != 0 {
            HEADER_BYTES
        } else {
            rest.first_chunk::<4>()
                .map_or(rest.len(), |length| u32::from_ne_bytes(*length) as usize)
                .next_multiple_of(4)
        };
        Ok(Some(Self::new(code, rest.get(request..), flags)))
    }

    /// The bytes of an `NLMSG_DONE` message after its header: `None` is a dump that ended well.
    pub(super) fn from_done_message(
        payload: &[u8],
        flags: u16,
    ) -> Result<Option<Self>, NetlinkError> {
        if payload.is_empty() {
            return Ok(None);
        }
        let (code, rest) = split_code(payload)?;
        // Families may end a dump with a positive length there; only negative numbers are errors.
        Ok((code < 0).then(|| Self::new(code, Some(rest), flags)))
    }

    fn new(code: i32, attributes: Option<&[u8]>, flags: u16) -> Self {
        let text = attributes
            .filter(|_| flags & netlink_packet_core::NLM_F_ACK_TLVS != 0)
            .and_then(|bytes| {
                NlasIterator::new(bytes)
                    .map_while(Result::ok)
                    .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
                    .map(|attribute| text_of(attribute.value()))
            });
        Self {
            errno: code.saturating_neg(),
            text,
        }
    }
}

fn split_code(payload: &[u8]) -> Result<(i32, &[u8]), NetlinkError> {
    payload
        .split_first_chunk::<4>()
        .map(|(code, rest)| (i32::from_ne_bytes(*code), rest))
        .ok_or(NetlinkError::Truncated)
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = io::Error::from_raw_os_error(self.errno);
        match &self.text {
            Some(text) => write!(f, "{system}: {text}"),
            None => write!(f, "{system}"),
        }
    }
}

impl std::error::Error for KernelError {}

/// Why an exchange with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The request was understood and refused.
    #[error(transparent)]
    Kernel(KernelError),
    /// The socket itself failed.
    #[error("cannot talk to the kernel over netlink")]
    Socket(#[source] io::Error),
    /// There is no reply, and none will come. The kernel works a request off before `sendmsg` returns, and
    /// one that a signal or an early end of a kernel thread interrupts (`EINTR`) it does not acknowledge
    /// (`netlink_rcv_skb`).
    #[error("the kernel did not answer over netlink")]
    NoAnswer,
    /// A reply that does not follow the protocol.
    #[error("the kernel's netlink reply cannot be read")]
    Decode(#[source] DecodeError),
    /// A reply shorter than its header says.
    #[error("the kernel's netlink reply is cut off")]
    Truncated,
    /// What was being listed changed during every attempt (`NLM_F_DUMP_INTR`).
    #[error("the kernel's table changed during each of {attempts} attempts to read it")]
    Interrupted {
        /// How often it was tried.
        attempts: u32,
    },
    /// A request larger than the socket takes in one piece.
    #[error("a netlink request of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl From<DecodeError> for NetlinkError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<NetlinkError> for io::Error {
    /// Keeps errno's [`io::ErrorKind`]; use [`errno`] to get the number back.
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::Socket(error) => error,
            NetlinkError::Kernel(KernelError { errno, text: None }) => {
                Self::from_raw_os_error(errno)
            }
            NetlinkError::Kernel(error) => {
                Self::new(Self::from_raw_os_error(error.errno).kind(), error)
            }
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// errno(3) of an error that came from this module, with or without the kernel's text.
#[must_use]
pub fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<KernelError>())
            .map(|kernel| kernel.errno)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};

    /// `ip link set lo name eth0` while lo is up, as the kernel answered with capped acknowledgements.
    fn busy() -> Vec<u8> {
        let mut bytes = (-16_i32).to_ne_bytes().to_vec();
        bytes.extend([0x2c, 0, 0, 0, 0x10, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([9, 0, 1, 0]);
        bytes.extend(b"busy\0\0\0\0");
        bytes
    }

    #[test]
    fn the_text_of_an_extended_acknowledgement_is_kept() {
        let error = KernelError::from_error_message(&busy(), NLM_F_CAPPED | NLM_F_ACK_TLVS)
            .unwrap()
            .unwrap();
        assert_eq!(error.errno, libc::EBUSY);
        assert_eq!(error.text.as_deref(), Some("busy"));
        assert_eq!(
            error.to_string(),
            "Device or resource busy (os error 16): busy"
        );
        let as_io = io::Error::from(NetlinkError::Kernel(error));
        assert_eq!(errno(&as_io), Some(libc::EBUSY));
        assert_eq!(as_io.kind(), io::ErrorKind::ResourceBusy);
    }

    #[test]
    fn an_error_cut_off_anywhere_is_an_error_and_not_a_panic() {
        let whole = busy();
        for length in 0..whole.len() {
            for flags in [
                0,
                NLM_F_CAPPED,
                NLM_F_ACK_TLVS,
                NLM_F_CAPPED | NLM_F_ACK_TLVS,
            ] {
                let result = KernelError::from_error_message(&whole[..length], flags);
                assert_eq!(result.is_err(), length < 4);
                let done = KernelError::from_done_message(&whole[..length], flags);
                assert_eq!(done.is_err(), (1..4).contains(&length));
            }
        }
    }

    #[test]
    fn code_zero_is_an_acknowledgement() {
        assert_eq!(
            KernelError::from_error_message(&[0; 20], NLM_F_CAPPED).unwrap(),
            None
        );
    }
}
