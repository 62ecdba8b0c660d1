//! Many requests in one `sendmsg`: the kernel works them off in order and speaks only of failures.

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};

use super::error::{KernelError, NetlinkError};
use super::socket::{Socket, append};

/// Room for every message's refusal: an error's skb is accounted with about 1 KiB.
const REPLY_BYTES: usize = 4 * 1024 * 1024;

/// Requests collected for one `sendmsg`.
///
/// Only the last one asks for an acknowledgement; refusals are reported for each all the same
/// (`netlink_rcv_skb` in `net/netlink/af_netlink.c`), so the end of the batch is the last one's answer.
#[derive(Debug)]
pub struct Batch<'a> {
    socket: &'a Socket,
    bytes: Vec<u8>,
    last_at: usize,
    first: u32,
    count: u32,
}

impl<'a> Batch<'a> {
    /// Largest number of bytes in one `sendmsg`; the kernel's limit is the socket's send buffer
    /// (`net.core.wmem_default`, 208 KiB) less 32.
    pub const MAX_BYTES: usize = 160 * 1024;

    /// Largest number of messages in one `sendmsg`, so that as many refusals fit the receive buffer.
    pub const MAX_MESSAGES: usize = 2048;

    /// An empty batch.
    #[must_use]
    pub fn new(socket: &'a Socket) -> Self {
        socket.reserve_replies(REPLY_BYTES);
        Self {
            socket,
            bytes: Vec::new(),
            last_at: 0,
            first: 0,
            count: 0,
        }
    }

    /// Number of requests in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether one more request of `payload` bytes would be too much for one `sendmsg`.
    #[must_use]
    pub fn is_full_for(&self, payload: usize) -> bool {
        self.len() >= Self::MAX_MESSAGES
            || (self.count > 0 && self.bytes.len() + payload + 32 > Self::MAX_BYTES)
    }

    /// Appends a request; `flags` are added to `NLM_F_REQUEST`.
    ///
    /// # Errors
    /// [`NetlinkError::TooLarge`] for a payload of 4 GiB.
    pub fn push(
        &mut self,
        message_type: u16,
        flags: u16,
        payload: &[u8],
    ) -> Result<(), NetlinkError> {
        let sequence = self.socket.take_sequences(1);
        if self.count == 0 {
            self.first = sequence;
        }
        self.last_at = self.bytes.len();
        append(
            &mut self.bytes,
            message_type,
            NLM_F_REQUEST | flags,
            sequence,
            payload,
        )?;
        self.count += 1;
        Ok(())
    }

    /// Sends everything and waits for the kernel to be through; the batch is empty afterwards.
    /// Returns the refused requests by their index in the batch.
    ///
    /// # Errors
    /// When the socket fails; a refused request is not an error of the batch.
    pub fn send(&mut self) -> Result<Vec<(usize, KernelError)>, NetlinkError> {
        if self.count == 0 {
            return Ok(Vec::new());
        }
        let flags_at = self.last_at + 6;
        if let Some(flags) = self.bytes.get_mut(flags_at..flags_at + 2) {
            let old = u16::from_ne_bytes([flags[0], flags[1]]);
            flags.copy_from_slice(&(old | NLM_F_ACK).to_ne_bytes());
        }
        let sent = self.socket.send(&self.bytes);
        let (first, count) = (self.first, self.count);
        self.bytes.clear();
        self.count = 0;
        sent?;
        self.socket.receive_acknowledgements(first, count)
    }
}
