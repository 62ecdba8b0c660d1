//! Keeps packet timestamps switched on in the machine's kernel, whether or not a host captures packets.
//!
//! The kernel switches timestamps on and off by rewriting an instruction of its receive path while packets pass through
//! it (a static key, `netstamp_needed_key`; Linux `net/core/dev.c`, `net_enable_timestamp`). Under the emulation of QEMU
//! 7.2 a processor was seen to execute the temporary breakpoint of such a rewriting for ever, after which no host of the
//! machine answered any more. Every capture of the agent would be such a switch. With timestamps on from the start,
//! captures rewrite nothing.

use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};

use super::{Failure, While};

/// Timestamps are on while it lives.
#[derive(Debug)]
pub struct Timestamps {
    _socket: OwnedFd,
}

impl Timestamps {
    /// Switches them on, by a socket that asks for them and never receives a packet.
    pub fn keep_on() -> Result<Self, Failure> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)
            .during("open a socket for packet timestamps")?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)
            .during("switch packet timestamps on")?;
        Ok(Self { _socket: socket })
    }
}
