//! Port 22. Each login starts one `sshd -i`, as socket activation does, so a boot starts no sshd. One start takes a fifth
//! of a second under emulation, and a machine may have a hundred hosts.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use super::super::{Failure, While, log};
use super::spawn;
use crate::sandbox::addresses::SSH_PORT;

const SSHD: &str = "/usr/sbin/sshd";

/// Where logins arrive.
#[derive(Debug)]
pub struct Logins(TcpListener);

impl Logins {
    /// Listens on every address of the host.
    pub fn open() -> Result<Self, Failure> {
        let listener =
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, SSH_PORT)).during("listen for logins")?;
        listener.set_nonblocking(true).during("listen for logins")?;
        Ok(Self(listener))
    }

    /// Starts one sshd for each waiting connection.
    pub fn accept(&self) {
        while let Ok((connection, _)) = self.0.accept() {
            let result = connection.set_nonblocking(false).and_then(|()| {
                let output = connection.try_clone()?;
                spawn(
                    Command::new(SSHD)
                        .args(["-i", "-E", "/var/log/sshd.log"])
                        .env_clear()
                        .env("PATH", super::services::PATH)
                        .current_dir("/")
                        .stdin(Stdio::from(OwnedFd::from(connection)))
                        .stdout(Stdio::from(OwnedFd::from(output)))
                        .stderr(Stdio::null()),
                )
            });
            if let Err(error) = result {
                log(&format!("start {SSHD}: {error}"));
            }
        }
    }
}

impl AsFd for Logins {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
