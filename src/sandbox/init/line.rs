//! What PID 1 of the machine and the first process of a host say to each other.
//!
//! Our own init exchanges the messages below over a socket pair. Before it becomes systemd it hands over the socket on
//! which systemd will report (sd_notify(3)); from then on that socket is the line.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr,
    recv, recvmsg, send, sendmsg, socketpair,
};
use nix::unistd::Pid;

use super::{Failure, While};

/// From PID 1: the management cable is in. An assignment as JSON follows.
pub const PLUGGED: &[u8] = b"plugged";
/// From PID 1: shut down.
pub const SHUT_DOWN: &[u8] = b"shut down";
/// From a host's init: waiting for its assignment.
pub const WAITING: &[u8] = b"waiting";
/// From a host's init: logins are accepted.
pub const UP: &[u8] = b"up";
/// From a host's init, with a reason after it: the host cannot come up.
pub const FAILED: &[u8] = b"failed: ";
/// From a host's init, with a descriptor: systemd takes over and reports there.
pub const HANDED_OVER: &[u8] = b"handed over";

/// How systemd says that all units of its boot are started.
const READY: &str = "READY=1";

/// PID 1's end.
#[derive(Debug)]
pub enum Line {
    /// To our own init.
    Init(OwnedFd),
    /// From systemd, which takes signals instead of messages.
    Systemd(OwnedFd),
}

/// What came from a host.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It waits for its assignment.
    Waiting,
    /// It accepts logins.
    Up,
    /// It cannot come up.
    Failed(String),
    /// The line leads to systemd now and is another descriptor.
    HandedOver,
    /// Nothing of interest.
    Nothing,
}

impl Line {
    /// A line to our own init, and the init's end of it.
    pub fn pair() -> Result<(Self, OwnedFd), Failure> {
        let (here, there) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .during("make a socket pair")?;
        Ok((Self::Init(here), there))
    }

    /// Says something to our own init; systemd would not hear it.
    pub fn tell(&self, message: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Init(line) => tell(line, message),
            Self::Systemd(_) => Ok(()),
        }
    }

    /// Asks the host, whose first process is `init`, to shut down and end.
    pub fn shut_down(&self, init: Pid) -> Result<(), Failure> {
        match self {
            Self::Init(line) => tell(line, SHUT_DOWN),
            Self::Systemd(_) => signal_reboot(init),
        }
    }

    /// The next message, if there is one.
    pub fn listen(&mut self) -> Heard {
        match self {
            Self::Systemd(socket) => {
                let mut message = [0; 2048];
                match recv(socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                    Ok(length) if is_ready(&message[..length]) => Heard::Up,
                    _ => Heard::Nothing,
                }
            }
            Self::Init(line) => match receive(line) {
                Ok((message, Some(socket))) if message == HANDED_OVER => {
                    *self = Self::Systemd(socket);
                    Heard::HandedOver
                }
                Ok((message, _)) => understand(&message),
                Err(_) => Heard::Nothing,
            },
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Init(line) | Self::Systemd(line) => line.as_fd(),
        }
    }
}

/// Sends one message.
pub fn tell(line: &OwnedFd, message: &[u8]) -> Result<(), Failure> {
    send(line.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)
        .during("talk over a host's line")
        .map(drop)
}

/// Sends PID 1 the socket that systemd will report on.
pub fn hand_over(line: &OwnedFd, socket: &OwnedFd) -> Result<(), Failure> {
    sendmsg::<UnixAddr>(
        line.as_raw_fd(),
        &[IoSlice::new(HANDED_OVER)],
        &[ControlMessage::ScmRights(&[socket.as_raw_fd()])],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .during("hand a socket over")
    .map(drop)
}

fn receive(line: &OwnedFd) -> nix::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = [0; 2048];
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!(RawFd);
    let received = recvmsg::<UnixAddr>(
        line.as_raw_fd(),
        &mut buffers,
        Some(&mut space),
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let length = received.bytes;
    let descriptor = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    #[expect(
        unsafe_code,
        reason = "recvmsg(2) made the descriptor for this process, and nothing else has it"
    )]
    let descriptor = descriptor.map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok((bytes[..length].to_vec(), descriptor))
}

fn understand(message: &[u8]) -> Heard {
    match message {
        WAITING => Heard::Waiting,
        UP => Heard::Up,
        _ => match message.strip_prefix(FAILED) {
            Some(cause) => Heard::Failed(String::from_utf8_lossy(cause).into_owned()),
            None => Heard::Nothing,
        },
    }
}

/// Whether a datagram of sd_notify(3), one assignment a line, says so.
fn is_ready(message: &[u8]) -> bool {
    String::from_utf8_lossy(message)
        .lines()
        .any(|line| line == READY)
}

/// `SIGRTMIN+5` makes systemd(1) reboot, which in a pid namespace ends the host.
fn signal_reboot(init: Pid) -> Result<(), Failure> {
    let signal = libc::SIGRTMIN() + 5;
    #[expect(unsafe_code, reason = "nix's kill has no real-time signals")]
    let result = unsafe { libc::kill(init.as_raw(), signal) };
    nix::errno::Errno::result(result)
        .during("ask systemd to reboot")
        .map(drop)
}

/// Ends the host at once.
pub fn cut_power(init: Pid) {
    let _ = kill(init, Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn messages_of_our_init_are_told_apart() {
        let (mut line, init) = Line::pair().unwrap();
        assert_eq!(line.listen(), Heard::Nothing);
        for (message, heard) in [
            (WAITING, Heard::Waiting),
            (UP, Heard::Up),
            (b"failed: no disk", Heard::Failed("no disk".to_owned())),
            (b"hello", Heard::Nothing),
        ] {
            tell(&init, message).unwrap();
            assert_eq!(line.listen(), heard);
        }
        line.tell(PLUGGED).unwrap();
        assert_eq!(receive(&init).unwrap().0, PLUGGED);
    }

    #[test]
    fn after_the_handover_systemds_report_counts() {
        let (mut line, init) = Line::pair().unwrap();
        let (reports, systemd) = UnixDatagram::pair().unwrap();
        hand_over(&init, &OwnedFd::from(reports)).unwrap();
        assert_eq!(line.listen(), Heard::HandedOver);
        systemd.send(b"STATUS=Starting").unwrap();
        assert_eq!(line.listen(), Heard::Nothing);
        systemd.send(b"READY=1\nSTATUS=Startup finished").unwrap();
        assert_eq!(line.listen(), Heard::Up);
        assert_eq!(line.listen(), Heard::Nothing);
    }
}
