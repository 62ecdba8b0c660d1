//! One lab host as PID 1 of the machine sees it: a disk that stays, and a running system that comes and goes.
//!
//! What is the same for every host (namespaces, mounts, the management interface) is done before it is known
//! which host it will be: the saved machine has a few such spare hosts, and a start only has to tell them who
//! they are.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::wires::{Bridges, Cables};
use super::{Failure, While, inside, log, login_keys, namespaces};
use crate::netlink::route::RouteSocket;
use crate::sandbox::control::{GuestState, GuestStatus};
use crate::sandbox::description::GuestHost;
use crate::sandbox::layout::management_address;

/// How long a host may take to shut down before it is switched off.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// What PID 1 tells a host's init: the management cable is in. Then comes an [`Assignment`] as JSON.
pub const PLUGGED: &[u8] = b"plugged";
/// What PID 1 tells a host's init: shut down.
pub const SHUT_DOWN: &[u8] = b"shut down";
/// What a host's init tells PID 1: waiting for its assignment.
pub const WAITING: &[u8] = b"waiting";
/// What a host's init tells PID 1: logins are accepted.
pub const UP: &[u8] = b"up";
/// How a host's init starts telling PID 1 why it gives up.
pub const FAILED: &[u8] = b"failed: ";

/// Who a host is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Description.
    pub host: GuestHost,
    /// Who may log in: one line of `authorized_keys`.
    pub authorized_key: String,
    /// Whether its disk knows nothing of this yet.
    pub factory_new: bool,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    number: usize,
    httpd: bool,
    disk: Disk,
    /// `None`: a spare.
    assignment: Option<Assignment>,
    /// How often it was switched on.
    boots: u32,
    running: Option<Running>,
}

/// A host that is switched on.
#[derive(Debug)]
struct Running {
    init: Pid,
    /// To its init; see the messages above.
    line: OwnedFd,
    network: File,
    cables: Cables,
    since: Instant,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Booting,
    Waiting,
    Up,
    Stopping { since: Instant },
}

/// What a host has to say.
#[derive(Debug, PartialEq)]
pub enum News {
    /// It waits for its assignment.
    Waiting,
    /// It accepts logins.
    Up,
    /// It cannot come up.
    Failed(String),
    /// Nothing, or nothing new.
    Nothing,
}

impl Host {
    /// A spare host with a factory-new disk, switched off.
    pub fn spare(number: usize, httpd: bool) -> Result<Self, Failure> {
        Ok(Self {
            number,
            httpd,
            disk: Disk::new(number, httpd)?,
            assignment: None,
            boots: 0,
            running: None,
        })
    }

    /// Its name; a spare has none.
    pub fn name(&self) -> &str {
        self.assignment
            .as_ref()
            .map_or("a spare host", |assignment| assignment.host.name.as_str())
    }

    /// Whether this spare can become `host`.
    pub fn can_become(&self, host: &GuestHost) -> bool {
        self.assignment.is_none()
            && self.httpd != host.without_httpd
            && host.management == management_address(self.number)
    }

    /// Whether it is a spare that has come as far as a spare can.
    pub fn is_waiting(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.stage == Stage::Waiting)
    }

    /// Its init, when it is switched on.
    pub fn init(&self) -> Option<Pid> {
        self.running.as_ref().map(|running| running.init)
    }

    /// The line to its init, when it is switched on.
    pub fn line(&self) -> Option<&OwnedFd> {
        self.running.as_ref().map(|running| &running.line)
    }

    /// What it is doing; `None` for a spare.
    pub fn status(&self) -> Option<GuestStatus> {
        let name = self.assignment.as_ref()?.host.name.clone();
        let (state, uptime_seconds) = match &self.running {
            None => (GuestState::Off, 0),
            Some(running) => match running.stage {
                Stage::Booting | Stage::Waiting => (GuestState::Booting, 0),
                Stage::Up => (GuestState::Up, running.since.elapsed().as_secs()),
                Stage::Stopping { .. } => (GuestState::Stopping, 0),
            },
        };
        Some(GuestStatus {
            name,
            state,
            uptime_seconds,
        })
    }

    /// Switches it on: fresh namespaces, its own disk, its cables. One that has been assigned boots all the
    /// way, a spare waits for its assignment.
    pub fn switch_on(&mut self, route: &RouteSocket, bridges: &Bridges) -> Result<(), Failure> {
        let (line, inner_line) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .during("make a socket pair")?;
        self.boots += 1;
        let Some(init) = namespaces::clone_into()? else {
            inside::run(inside::Start {
                management: management_address(self.number),
                root: &self.disk.root(),
                line: inner_line,
            })
        };
        drop(inner_line);
        let tag = format!("h{}.{}", self.number, self.boots);
        let plugged = File::open(format!("/proc/{init}/ns/net"))
            .during("open the host's network namespace")
            .and_then(|network| {
                let address = management_address(self.number);
                let cables =
                    Cables::plug_management(route, bridges, address, network.as_fd(), tag)?;
                tell(&line, PLUGGED)?;
                Ok((network, cables))
            });
        let (network, cables) = plugged.inspect_err(|_| {
            let _ = kill(init, Signal::SIGKILL);
        })?;
        self.running = Some(Running {
            init,
            line,
            network,
            cables,
            since: Instant::now(),
            stage: Stage::Booting,
        });
        self.tell_assignment(route, bridges)
    }

    /// Makes a running spare the host it will be from now on.
    pub fn assign(
        &mut self,
        host: GuestHost,
        authorized_key: &str,
        route: &RouteSocket,
        bridges: &Bridges,
    ) -> Result<(), Failure> {
        self.assignment = Some(Assignment {
            host,
            authorized_key: authorized_key.to_owned(),
            factory_new: true,
        });
        if let Some(running) = &mut self.running {
            running.since = Instant::now();
            running.stage = Stage::Booting;
        }
        self.tell_assignment(route, bridges)
    }

    /// Changes its keys; what is logged in stays so.
    pub fn change_keys(&mut self, host_key: &str, authorized_key: &str) -> Result<(), Failure> {
        let Some(assignment) = &mut self.assignment else {
            return Ok(());
        };
        let before = &assignment.authorized_key;
        login_keys::write(&self.disk.root(), host_key, authorized_key, before)?;
        host_key.clone_into(&mut assignment.host.host_key);
        authorized_key.clone_into(&mut assignment.authorized_key);
        Ok(())
    }

    fn tell_assignment(&mut self, route: &RouteSocket, bridges: &Bridges) -> Result<(), Failure> {
        let (Some(assignment), Some(running)) = (&mut self.assignment, &mut self.running) else {
            return Ok(());
        };
        running.cables.plug_lab(
            route,
            bridges,
            &assignment.host.interfaces,
            running.network.as_fd(),
        )?;
        let message = serde_json::to_vec(assignment)
            .map_err(std::io::Error::other)
            .during("write down an assignment")?;
        tell(&running.line, &message)?;
        assignment.factory_new = false;
        Ok(())
    }

    /// Reads what its init says.
    pub fn listen(&mut self) -> News {
        let Some(running) = &mut self.running else {
            return News::Nothing;
        };
        let mut message = [0; 2048];
        let length = recv(
            running.line.as_raw_fd(),
            &mut message,
            MsgFlags::MSG_DONTWAIT,
        );
        match length.map(|length| &message[..length]) {
            Ok(WAITING) => {
                if self.assignment.is_none() {
                    running.stage = Stage::Waiting;
                }
                News::Waiting
            }
            // One that has been told to shut down since is not up for long.
            Ok(UP) if running.stage == Stage::Booting => {
                running.stage = Stage::Up;
                News::Up
            }
            Ok(message) if message.starts_with(FAILED) => {
                News::Failed(String::from_utf8_lossy(&message[FAILED.len()..]).into_owned())
            }
            _ => News::Nothing,
        }
    }

    /// Asks it to shut down; [`Host::exited`] is called when it has.
    pub fn shut_down(&mut self) -> Result<(), Failure> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        running.stage = Stage::Stopping {
            since: Instant::now(),
        };
        tell(&running.line, SHUT_DOWN)
    }

    /// Switches it off if its shutdown takes too long.
    pub fn insist(&self, now: Instant) {
        if let Some(Running {
            init,
            stage: Stage::Stopping { since },
            ..
        }) = &self.running
            && now.duration_since(*since) > SHUTDOWN_LIMIT
        {
            log(&format!(
                "{} does not shut down, switching it off",
                self.name()
            ));
            let _ = kill(*init, Signal::SIGKILL);
        }
    }

    /// Its init ended; takes the cables out and tells whether it was being stopped for a reboot.
    pub fn exited(&mut self, route: &RouteSocket) -> bool {
        let Some(running) = self.running.take() else {
            return false;
        };
        running.cables.pull(route);
        matches!(running.stage, Stage::Stopping { .. })
    }

    /// Switches a spare nobody needs off for good.
    pub fn discard(mut self, route: &RouteSocket) {
        if let Some(running) = self.running.take() {
            let _ = kill(running.init, Signal::SIGKILL);
            running.cables.pull(route);
        }
        self.disk.discard();
    }
}

fn tell(line: &OwnedFd, message: &[u8]) -> Result<(), Failure> {
    send(line.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)
        .during("talk to a host's init")
        .map(drop)
}
