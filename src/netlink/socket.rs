//! The socket: requests out, replies in, nothing mistaken for somebody else's.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NLMSG_OVERRUN,
};

use nix::poll::{PollFd, PollFlags, poll};

use super::error::{KernelError, NetlinkError};

/// `sizeof(struct nlmsghdr)`.
pub(super) const HEADER_BYTES: usize = 16;

/// The kernel fills at most 32 KiB per dump skb (`netlink_dump`, `SKB_WITH_OVERHEAD(32768)`); one
/// message may be twice that.
const RECEIVE_BYTES: usize = 64 * 1024;

/// How long a reply may be late, milliseconds.
const PATIENCE_MS: u16 = 2000;

/// How often a dump that was overtaken by a change is tried again.
const DUMP_ATTEMPTS: u32 = 8;

/// One message from the kernel, without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub message_type: u16,
    /// Everything after `struct nlmsghdr`.
    pub payload: &'a [u8],
}

/// A netlink socket, bound to the network namespace of the thread that opened it.
///
/// Requests are answered before the next one is sent, so `&self` is enough, but only from one thread.
#[derive(Debug)]
pub struct Socket {
    socket: netlink_sys::Socket,
    port: u32,
    sequence: Cell<u32>,
    buffer: RefCell<Vec<u8>>,
}

/// Sees each message of an exchange.
type Receiver<'a> = dyn FnMut(Header, &[u8]) -> Result<Step, NetlinkError> + 'a;

/// What one message of an exchange means for it.
enum Step {
    /// Something else may follow.
    More,
    /// The exchange is over.
    End,
}

impl Socket {
    /// Opens a socket for one protocol (`netlink_sys::protocols`, `NETLINK_ROUTE`).
    ///
    /// # Errors
    /// Whatever the system says of `socket` or `bind`.
    pub fn open(protocol: isize) -> Result<Self, NetlinkError> {
        let mut socket = netlink_sys::Socket::new(protocol).map_err(NetlinkError::Socket)?;
        let address = socket.bind_auto().map_err(NetlinkError::Socket)?;
        socket
            .connect(&netlink_sys::SocketAddr::new(0, 0))
            .map_err(NetlinkError::Socket)?;
        // Older kernels have neither; errors then come without text or with the whole request.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self {
            socket,
            port: address.port_number(),
            sequence: Cell::new(0),
            buffer: RefCell::new(Vec::with_capacity(RECEIVE_BYTES)),
        })
    }

    /// Lets this many bytes of replies wait in the kernel; needs `CAP_NET_ADMIN` above
    /// `net.core.rmem_max`, so it is asked for and not insisted on.
    pub fn reserve_replies(&self, bytes: usize) {
        let fd = self.socket.as_fd();
        if nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::RcvBufForce, &bytes)
            .is_err()
        {
            let _ = nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::RcvBuf, &bytes);
        }
    }

    /// Lets one `sendmsg` be this large, where that is allowed (`CAP_NET_ADMIN` above
    /// `net.core.wmem_max`). Returns the bytes that it may have now.
    pub fn reserve_requests(&self, bytes: usize) -> usize {
        use nix::sys::socket::{getsockopt, setsockopt, sockopt};
        let fd = self.socket.as_fd();
        if setsockopt(&fd, sockopt::SndBufForce, &bytes).is_err() {
            let _ = setsockopt(&fd, sockopt::SndBuf, &bytes);
        }
        // `net.core.wmem_default` of every kernel is more than this.
        getsockopt(&fd, sockopt::SndBuf).unwrap_or(160 * 1024)
    }

    /// Sends one request and waits for its acknowledgement; `each` sees the replies before that.
    ///
    /// `flags` are added to `NLM_F_REQUEST | NLM_F_ACK`.
    ///
    /// # Errors
    /// [`NetlinkError::Kernel`] when the kernel refuses, and whatever `each` returns.
    pub fn request(
        &self,
        message_type: u16,
        flags: u16,
        payload: &[u8],
        each: &mut dyn FnMut(Message<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        let sequence = self.take_sequences(1);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + 3);
        append(
            &mut bytes,
            message_type,
            NLM_F_REQUEST | NLM_F_ACK | flags,
            sequence,
            payload,
        )?;
        self.send(&bytes)?;
        self.receive(&mut |header, payload| {
            if header.sequence != sequence {
                return Ok(Step::More);
            }
            match header.message_type {
                NLMSG_NOOP => Ok(Step::More),
                NLMSG_OVERRUN => Err(NetlinkError::Truncated),
                NLMSG_ERROR => match KernelError::from_error_message(payload, header.flags)? {
                    Some(error) => Err(NetlinkError::Kernel(error)),
                    None => Ok(Step::End),
                },
                message_type => {
                    each(Message {
                        message_type,
                        payload,
                    })?;
                    Ok(Step::More)
                }
            }
        })
    }

    /// Asks for a whole table. `read` turns each message into an item or passes over it.
    ///
    /// A dump that the kernel marks as overtaken by a change (`NLM_F_DUMP_INTR`) is read to its end,
    /// thrown away and asked for again, a bounded number of times.
    ///
    /// # Errors
    /// [`NetlinkError::Interrupted`] when it was overtaken every time, [`NetlinkError::Kernel`] when
    /// the kernel refuses, and whatever `read` returns.
    pub fn dump<T>(
        &self,
        message_type: u16,
        payload: &[u8],
        read: &mut dyn FnMut(Message<'_>) -> Result<Option<T>, NetlinkError>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            if let Some(items) = self.dump_once(message_type, payload, read)? {
                return Ok(items);
            }
        }
        Err(NetlinkError::Interrupted {
            attempts: DUMP_ATTEMPTS,
        })
    }

    /// `None` when the dump was overtaken by a change.
    fn dump_once<T>(
        &self,
        message_type: u16,
        payload: &[u8],
        read: &mut dyn FnMut(Message<'_>) -> Result<Option<T>, NetlinkError>,
    ) -> Result<Option<Vec<T>>, NetlinkError> {
        let sequence = self.take_sequences(1);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + 3);
        append(
            &mut bytes,
            message_type,
            NLM_F_REQUEST | NLM_F_DUMP,
            sequence,
            payload,
        )?;
        self.send(&bytes)?;
        let mut items = Vec::new();
        let mut overtaken = false;
        // After a reply that cannot be read the dump is still read to its end: the next exchange of this
        // socket would find EBUSY otherwise.
        let mut failure = None;
        self.receive(&mut |header, payload| {
            if header.sequence != sequence {
                return Ok(Step::More);
            }
            overtaken |= header.flags & NLM_F_DUMP_INTR != 0;
            match header.message_type {
                NLMSG_NOOP => {}
                NLMSG_OVERRUN => return Err(NetlinkError::Truncated),
                NLMSG_ERROR => {
                    if let Some(error) = KernelError::from_error_message(payload, header.flags)? {
                        return Err(NetlinkError::Kernel(error));
                    }
                }
                NLMSG_DONE => {
                    return match KernelError::from_done_message(payload, header.flags)? {
                        Some(error) => Err(NetlinkError::Kernel(error)),
                        None => Ok(Step::End),
                    };
                }
                message_type if failure.is_none() => {
                    match read(Message {
                        message_type,
                        payload,
                    }) {
                        Ok(item) => items.extend(item),
                        Err(error) => failure = Some(error),
                    }
                }
                _ => {}
            }
            Ok(Step::More)
        })?;
        match failure {
            Some(error) => Err(error),
            None => Ok((!overtaken).then_some(items)),
        }
    }

    /// The first of `count` sequence numbers that no other request of this socket uses.
    pub(super) fn take_sequences(&self, count: u32) -> u32 {
        let first = self.sequence.get().wrapping_add(1);
        self.sequence.set(self.sequence.get().wrapping_add(count));
        first
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), NetlinkError> {
        loop {
            match self.socket.send(bytes, 0) {
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(_) => return Err(NetlinkError::TooLarge { bytes: bytes.len() }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    return Err(NetlinkError::TooLarge { bytes: bytes.len() });
                }
                Err(error) => return Err(NetlinkError::Socket(error)),
            }
        }
    }

    /// Error messages with sequence numbers in `first..first + count`, until the last one of these is
    /// answered: by index, what the kernel said.
    pub(super) fn receive_acknowledgements(
        &self,
        first: u32,
        count: u32,
    ) -> Result<Vec<(usize, KernelError)>, NetlinkError> {
        let mut refused = Vec::new();
        self.receive(&mut |header, payload| {
            let index = header.sequence.wrapping_sub(first);
            if index >= count {
                return Ok(Step::More);
            }
            if header.message_type == NLMSG_ERROR {
                if let Some(error) = KernelError::from_error_message(payload, header.flags)? {
                    refused.push((index as usize, error));
                }
                if index == count - 1 {
                    return Ok(Step::End);
                }
            }
            Ok(Step::More)
        })?;
        Ok(refused)
    }

    /// Whether something arrives after all. Replies are there when `sendmsg` returns, so this is for
    /// kernels that one day do it otherwise.
    fn has_more(&self) -> Result<bool, NetlinkError> {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PATIENCE_MS) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(error) => Err(NetlinkError::Socket(error.into())),
        }
    }

    /// Reads datagrams and hands their messages to `each` until that ends the exchange or fails.
    fn receive(&self, each: &mut Receiver<'_>) -> Result<(), NetlinkError> {
        let mut buffer = self.buffer.borrow_mut();
        loop {
            buffer.clear();
            let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
            let (length, sender) = match self.socket.recv_from(&mut *buffer, flags) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.has_more()? {
                        continue;
                    }
                    return Err(NetlinkError::NoAnswer);
                }
                Err(error) => return Err(NetlinkError::Socket(error)),
            };
            if length > buffer.len() {
                return Err(NetlinkError::Truncated);
            }
            // Any process may send to our port; only the kernel's port is 0.
            if sender.port_number() != 0 {
                continue;
            }
            let mut rest: &[u8] = &buffer;
            while !rest.is_empty() {
                let (header, payload, next) = Header::split(rest)?;
                rest = next;
                // Notifications carry port 0 or somebody else's.
                if header.port != self.port {
                    continue;
                }
                if let Step::End = each(header, payload)? {
                    return Ok(());
                }
            }
        }
    }
}

/// `struct nlmsghdr` without the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    message_type: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

impl Header {
    /// The first message of a datagram: header, payload and what follows it.
    fn split(bytes: &[u8]) -> Result<(Self, &[u8], &[u8]), NetlinkError> {
        let header = bytes
            .first_chunk::<HEADER_BYTES>()
            .ok_or(NetlinkError::Truncated)?;
        let u32_at = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let u16_at = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let length = u32_at(0) as usize;
        let payload = bytes
            .get(HEADER_BYTES..length)
            .ok_or(NetlinkError::Truncated)?;
        let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let header = Self {
            message_type: u16_at(4),
            flags: u16_at(6),
            sequence: u32_at(8),
            port: u32_at(12),
        };
        Ok((header, payload, next))
    }
}

/// Appends one message with its header and padding.
pub(super) fn append(
    bytes: &mut Vec<u8>,
    message_type: u16,
    flags: u16,
    sequence: u32,
    payload: &[u8],
) -> Result<(), NetlinkError> {
    append_with(bytes, message_type, flags, sequence, |bytes| {
        bytes.extend_from_slice(payload);
    })
}

/// [`append`] with the payload that `write` appends.
pub(super) fn append_with(
    bytes: &mut Vec<u8>,
    message_type: u16,
    flags: u16,
    sequence: u32,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), NetlinkError> {
    let start = bytes.len();
    let mut header = [0; HEADER_BYTES];
    header[4..6].copy_from_slice(&message_type.to_ne_bytes());
    header[6..8].copy_from_slice(&flags.to_ne_bytes());
    header[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&header);
    write(bytes);
    let length = bytes.len() - start;
    let Ok(field) = u32::try_from(length) else {
        return Err(NetlinkError::TooLarge { bytes: length });
    };
    bytes[start..start + 4].copy_from_slice(&field.to_ne_bytes());
    if !length.is_multiple_of(4) {
        bytes.resize(start + length.next_multiple_of(4), 0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_split_where_its_length_says() {
        let mut bytes = Vec::new();
        append(&mut bytes, 16, 5, 7, b"abcde").unwrap();
        append(&mut bytes, 3, 0, 8, b"").unwrap();
        let (first, payload, rest) = Header::split(&bytes).unwrap();
        assert_eq!(
            (first.message_type, first.flags, first.sequence),
            (16, 5, 7)
        );
        assert_eq!(payload, b"abcde");
        let (second, payload, rest) = Header::split(rest).unwrap();
        assert_eq!((second.message_type, second.sequence), (3, 8));
        assert!(payload.is_empty() && rest.is_empty());
    }

    proptest! {
        #[test]
        fn splitting_any_bytes_ends_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest: &[u8] = &bytes;
            while let Ok((_, _, next)) = Header::split(rest) {
                prop_assert!(next.len() < rest.len());
                rest = next;
            }
        }
    }
}
