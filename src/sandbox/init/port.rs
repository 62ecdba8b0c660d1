//! The guest's end of the virtio-serial port: requests in, answers out.
//!
//! Controllers come and go. While none is connected, the kernel reports a hang-up and reads return nothing. That is not an
//! error: the next controller's bytes arrive on the same open file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Failure, While, log};
use crate::sandbox::control::{self, Envelope, Lines, PORT_NAME, Reply, Request};

/// How long an answer waits before it is dropped: its controller stopped reading, or is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Pause between two attempts while no controller is connected.
const LOOK: Duration = Duration::from_millis(10);

/// The open port.
#[derive(Debug)]
pub struct Port {
    file: File,
    lines: Lines,
}

impl Port {
    /// Finds the port by its name and opens it.
    pub fn open() -> Result<Self, Failure> {
        let path = find()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .during(format_args!("open {}", path.display()))?;
        Ok(Self {
            file,
            lines: Lines::default(),
        })
    }

    /// Everything that has arrived.
    pub fn requests(&mut self) -> Vec<Envelope<Request>> {
        let mut buffer = [0; 16 * 1024];
        let mut requests = Vec::new();
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => {
                    self.lines.clear();
                    return requests;
                }
                Ok(length) => {
                    self.lines.push(&buffer[..length]);
                    while let Some(request) = self.lines.next_message() {
                        requests.push(request);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return requests,
                Err(error) => {
                    log(&format!("read from the control port: {error}"));
                    return requests;
                }
            }
        }
    }

    /// Answers request `id`. Drops the answer when no controller takes it in time.
    ///
    /// A hang-up does not prove that no controller is there: the kernel may handle `VIRTIO_CONSOLE_PORT_OPEN`, which
    /// announces one, after the controller's first bytes.
    pub fn answer(&mut self, id: u64, body: Reply) {
        let bytes = control::encode(&Envelope { id, body });
        let deadline = Instant::now() + WRITE_LIMIT;
        let mut rest: &[u8] = &bytes;
        while !rest.is_empty() && Instant::now() < deadline {
            match self.file.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut waiting = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
                    let _ = poll(&mut waiting, PollTimeout::from(100u8));
                    let hung_up = waiting[0]
                        .revents()
                        .is_some_and(|events| events.contains(PollFlags::POLLHUP));
                    if hung_up {
                        // Which poll does not wait for.
                        std::thread::sleep(LOOK);
                    }
                }
                Err(error) => {
                    log(&format!("write to the control port: {error}"));
                    return;
                }
            }
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn find() -> Result<PathBuf, Failure> {
    let ports = std::fs::read_dir("/sys/class/virtio-ports").during("list virtio ports")?;
    for entry in ports.flatten() {
        let name = std::fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim() == PORT_NAME {
            return Ok(PathBuf::from("/dev").join(entry.file_name()));
        }
    }
    Err(Failure(format!(
        "the machine has no virtio port named {PORT_NAME}"
    )))
}
