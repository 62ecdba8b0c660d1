//! An AF_PACKET socket on one interface (packet(7)): whole frames in, whole frames out.
//!
//! The kernel keeps the frames that pass the filter until they are read, up to the socket's buffer; so listening
//! costs no thread and no process.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};

use crate::packet::filter::Instruction;

/// One frame as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) struct Received {
    /// Octets it has, of which the buffer holds at most its own length.
    pub length: usize,
    /// Nanoseconds since 1970 UTC.
    pub at: u64,
    /// `PACKET_OUTGOING`: it left this host.
    pub outgoing: bool,
}

/// See the module.
#[derive(Debug)]
pub(in crate::agent) struct PacketSocket {
    fd: OwnedFd,
    index: i32,
}

impl PacketSocket {
    /// Listens on the interface with this index for what `filter` lets through, keeping about `room_bytes` of it
    /// until it is read.
    pub(in crate::agent) fn listen(
        index: u32,
        filter: &[Instruction],
        room_bytes: usize,
    ) -> io::Result<Self> {
        let this = Self::closed(index)?;
        this.attach(filter)?;
        setsockopt(&this.fd, sockopt::ReceiveTimestampns, &true)?;
        // Needs CAP_NET_ADMIN; without it the system's limit holds, which is enough for a few hundred frames.
        if setsockopt(&this.fd, sockopt::RcvBufForce, &room_bytes).is_err() {
            setsockopt(&this.fd, sockopt::RcvBuf, &room_bytes)?;
        }
        // Nothing is received before this, so nothing passes the filter by.
        this.bind(libc::ETH_P_ALL)?;
        Ok(this)
    }

    /// For sending only.
    pub(in crate::agent) fn for_sending(index: u32) -> io::Result<Self> {
        let this = Self::closed(index)?;
        this.bind(0)?;
        Ok(this)
    }

    /// Protocol 0: the socket receives nothing yet.
    fn closed(index: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        let index =
            i32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self { fd, index })
    }

    fn attach(&self, filter: &[Instruction]) -> io::Result<()> {
        let mut program: Vec<libc::sock_filter> = filter
            .iter()
            .map(|instruction| libc::sock_filter {
                code: instruction.code,
                jt: instruction.then,
                jf: instruction.otherwise,
                k: instruction.operand,
            })
            .collect();
        let program = libc::sock_fprog {
            len: u16::try_from(program.len())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
            filter: program.as_mut_ptr(),
        };
        #[expect(
            unsafe_code,
            reason = "setsockopt(2) with a structure nix does not have"
        )]
        // SAFETY: the kernel copies the structure and the instructions it points to, both alive here.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                mem::size_of_val(&program) as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(result)?;
        Ok(())
    }

    fn bind(&self, protocol: i32) -> io::Result<()> {
        #[expect(unsafe_code, reason = "a sockaddr_ll of zeros is one")]
        // SAFETY: all its fields are integers.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (protocol as u16).to_be();
        address.sll_ifindex = self.index;
        #[expect(unsafe_code, reason = "bind(2) with an address nix cannot make")]
        // SAFETY: the address is alive and its length is the one given.
        let result = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(result)?;
        Ok(())
    }

    /// The next frame that is there, `None` when there is none; its first octets in `buffer`.
    pub(in crate::agent) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        loop {
            return match self.try_receive(buffer) {
                Ok(received) => Ok(Some(received)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Said once when the interface is or goes down; what came before stays readable.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => continue,
                Err(error) => Err(error),
            };
        }
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        /// Room for control messages, in words so that it is aligned as they have to be.
        const CONTROL_WORDS: usize = 16;
        let mut control = [0_u64; CONTROL_WORDS];
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        #[expect(
            unsafe_code,
            reason = "both are plain structures for the kernel to fill"
        )]
        // SAFETY: zeros are valid for integers and for pointers that are set below.
        let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = mem::size_of_val(&from) as libc::socklen_t;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = mem::size_of_val(&control);
        #[expect(
            unsafe_code,
            reason = "recvmsg(2): nix refuses the short addresses of older kernels"
        )]
        // SAFETY: every pointer in the header is to something alive of the length given.
        let result =
            unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
        let length = usize::try_from(nix::errno::Errno::result(result)?).unwrap_or(0);
        Ok(Received {
            length,
            at: timestamp(&message).unwrap_or(0),
            outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
        })
    }

    /// Frames that passed the filter and found the buffer full, since the last time this was asked.
    pub(in crate::agent) fn dropped(&self) -> io::Result<u32> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = mem::size_of_val(&statistics) as libc::socklen_t;
        #[expect(
            unsafe_code,
            reason = "getsockopt(2) with a structure nix does not have"
        )]
        // SAFETY: the kernel writes at most `length` bytes into it.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        nix::errno::Errno::result(result)?;
        Ok(statistics.tp_drops)
    }

    /// Sends a frame that begins with its Ethernet header.
    pub(in crate::agent) fn send(&self, frame: &[u8]) -> io::Result<()> {
        nix::unistd::write(&self.fd, frame)?;
        Ok(())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The `SCM_TIMESTAMPNS` of a received message.
fn timestamp(message: &libc::msghdr) -> Option<u64> {
    #[expect(unsafe_code, reason = "control messages are walked as cmsg(3) says")]
    // SAFETY: the kernel has filled the header's buffer, which its owner keeps alive.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(message);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_TIMESTAMPNS {
                let time: libc::timespec = libc::CMSG_DATA(at)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                let seconds = u64::try_from(time.tv_sec).ok()?;
                let nanoseconds = u64::try_from(time.tv_nsec).ok()?;
                return seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds);
            }
            at = libc::CMSG_NXTHDR(message, at);
        }
    }
    None
}
