//! Many requests in one `sendmsg`: the kernel works them off in order and speaks only of failures.

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};

use super::error::{KernelError, NetlinkError};
use super::socket::{Socket, append_with};

/// Room for every message's refusal: an error's skb is accounted with less than 1 KiB.
const REPLY_BYTES: usize = Batch::MAX_MESSAGES * 1024;

/// Requests collected for one `sendmsg`.
///
/// Only the last one asks for an acknowledgement; refusals are reported for each all the same
/// (`netlink_rcv_skb` in `net/netlink/af_netlink.c`), so the end of the batch is the last one's answer.
#[derive(Debug)]
pub struct Batch<'a> {
    socket: &'a Socket,
    bytes: Vec<u8>,
    /// Most bytes that one `sendmsg` takes.
    room: usize,
    last_at: usize,
    first: u32,
    count: u32,
}

impl<'a> Batch<'a> {
    /// Largest number of bytes in one `sendmsg` that is asked for; the kernel's limit is the socket's
    /// send buffer less 32 (`netlink_sendmsg`).
    pub const MAX_BYTES: usize = 2 * 1024 * 1024;

    /// Largest number of messages in one `sendmsg`, so that as many refusals fit the receive buffer.
    pub const MAX_MESSAGES: usize = 16 * 1024;

    /// Largest payload of one message.
    pub const MAX_PAYLOAD: usize = 8 * 1024;

    /// An empty batch.
    #[must_use]
    pub fn new(socket: &'a Socket) -> Self {
        socket.reserve_replies(REPLY_BYTES);
        let room = socket.reserve_requests(Self::MAX_BYTES + 32) - 32;
        Self {
            socket,
            bytes: Vec::new(),
            room: room.min(Self::MAX_BYTES),
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

    /// Whether one more request might be too much for one `sendmsg`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= Self::MAX_MESSAGES || self.bytes.len() + Self::MAX_PAYLOAD + 32 > self.room
    }

    /// Appends a request whose payload `write` appends; `flags` are added to `NLM_F_REQUEST`.
    ///
    /// # Errors
    /// [`NetlinkError::TooLarge`] for a payload of more than [`Self::MAX_PAYLOAD`] bytes.
    pub fn push(
        &mut self,
        message_type: u16,
        flags: u16,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), NetlinkError> {
        let sequence = self.socket.take_sequences(1);
        if self.count == 0 {
            self.first = sequence;
        }
        self.last_at = self.bytes.len();
        append_with(
            &mut self.bytes,
            message_type,
            NLM_F_REQUEST | flags,
            sequence,
            write,
        )?;
        self.count += 1;
        let bytes = self.bytes.len() - self.last_at;
        if bytes > Self::MAX_PAYLOAD + 32 {
            return Err(NetlinkError::TooLarge { bytes });
        }
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
