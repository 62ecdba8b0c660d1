//! One lab host as PID 1 of the machine sees it: a disk that stays, and a running system that comes and goes.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::unistd::Pid;

use super::early::{BASE, HOSTS, HTTPD};
use super::wires::{Bridges, Cables};
use super::{Failure, LAYER, While, inside, log};
use crate::netlink::route::RouteSocket;
use crate::sandbox::control::{GuestState, GuestStatus};
use crate::sandbox::description::GuestHost;

/// How much a host may write to its disk; it is memory of the machine.
const DISK_SIZE: &str = "384m";

/// How long a host may take to shut down before it is switched off.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// What PID 1 tells a host's init: its cables are in.
pub const PLUGGED: &[u8] = b"plugged";
/// What PID 1 tells a host's init: shut down.
pub const SHUT_DOWN: &[u8] = b"shut down";
/// What a host's init tells PID 1: logins are accepted.
pub const UP: &[u8] = b"up";
/// How a host's init starts telling PID 1 why it gives up.
pub const FAILED: &[u8] = b"failed: ";

/// One host.
#[derive(Debug)]
pub struct Host {
    description: GuestHost,
    /// Who may log in: one line of `authorized_keys`.
    authorized_key: String,
    number: usize,
    /// How often it was switched on; the first time it is factory-new.
    boots: u32,
    running: Option<Running>,
}

/// A host that is switched on.
#[derive(Debug)]
struct Running {
    init: Pid,
    /// To its init; see the messages above.
    line: OwnedFd,
    cables: Cables,
    since: Instant,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Booting,
    Up,
    Stopping { since: Instant },
}

/// What a host has to say.
#[derive(Debug, PartialEq)]
pub enum News {
    /// It accepts logins.
    Up,
    /// It cannot come up.
    Failed(String),
    /// Nothing, or nothing new.
    Nothing,
}

impl Host {
    /// Gives the host its factory-new disk.
    pub fn new(
        description: GuestHost,
        number: usize,
        authorized_key: &str,
    ) -> Result<Self, Failure> {
        let host = Self {
            description,
            authorized_key: authorized_key.to_owned(),
            number,
            boots: 0,
            running: None,
        };
        host.mount_disk()?;
        Ok(host)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.description.name.as_str()
    }

    /// Its init, when it is switched on.
    pub fn init(&self) -> Option<Pid> {
        self.running.as_ref().map(|running| running.init)
    }

    /// The line to its init, when it is switched on.
    pub fn line(&self) -> Option<&OwnedFd> {
        self.running.as_ref().map(|running| &running.line)
    }

    /// What it is doing.
    pub fn status(&self) -> GuestStatus {
        let (state, uptime_seconds) = match &self.running {
            None => (GuestState::Off, 0),
            Some(running) => match running.stage {
                Stage::Booting => (GuestState::Booting, 0),
                Stage::Up => (GuestState::Up, running.since.elapsed().as_secs()),
                Stage::Stopping { .. } => (GuestState::Stopping, 0),
            },
        };
        GuestStatus {
            name: self.description.name.clone(),
            state,
            uptime_seconds,
        }
    }

    /// Switches it on: fresh namespaces, its own disk, its cables.
    pub fn switch_on(&mut self, route: &RouteSocket, bridges: &Bridges) -> Result<(), Failure> {
        let (line, inner_line) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .during("make a socket pair")?;
        self.boots += 1;
        restart_uptime();
        let init = match clone_into_namespaces().during("clone a host's init")? {
            Some(init) => init,
            None => inside::run(inside::Start {
                host: &self.description,
                authorized_key: &self.authorized_key,
                root: &self.directory().join("root"),
                factory_new: self.boots == 1,
                line: inner_line,
            }),
        };
        drop(inner_line);
        let plugged = File::open(format!("/proc/{init}/ns/net"))
            .during("open the host's network namespace")
            .and_then(|network| {
                let tag = format!("h{}.{}", self.number, self.boots);
                Cables::plug(route, bridges, &self.description, network.as_fd(), &tag)
            });
        let cables = match plugged {
            Ok(cables) => cables,
            Err(failure) => {
                let _ = kill(init, Signal::SIGKILL);
                return Err(failure);
            }
        };
        tell(&line, PLUGGED)?;
        self.running = Some(Running {
            init,
            line,
            cables,
            since: Instant::now(),
            stage: Stage::Booting,
        });
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
            Ok(UP) => {
                if running.stage == Stage::Booting {
                    running.stage = Stage::Up;
                }
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

    fn directory(&self) -> PathBuf {
        PathBuf::from(HOSTS).join(self.name())
    }

    /// The overlay is mounted once and outlives the host's reboots, as a disk does.
    fn mount_disk(&self) -> Result<(), Failure> {
        let what = format!("make the disk of {}", self.name());
        let directory = self.directory();
        std::fs::create_dir(&directory).during(&what)?;
        mount(
            Some("disk"),
            &directory,
            Some("tmpfs"),
            MsFlags::MS_NODEV,
            Some(format!("size={DISK_SIZE},mode=0755").as_str()),
        )
        .during(&what)?;
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(directory.join(name)).during(&what)?;
        }
        let lower = if self.description.without_httpd {
            format!("{LAYER}:{BASE}")
        } else {
            format!("{LAYER}:{HTTPD}:{BASE}")
        };
        let options = format!(
            "lowerdir={lower},upperdir={0}/upper,workdir={0}/work",
            directory.display()
        );
        mount(
            Some("disk"),
            &directory.join("root"),
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .during(&what)
    }
}

fn tell(line: &OwnedFd, message: &[u8]) -> Result<(), Failure> {
    send(line.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)
        .during("talk to a host's init")
        .map(drop)
}

/// clone(2) into fresh mount, pid, network, uts and ipc namespaces; `None` in the child.
///
/// Not fork and unshare: a pid namespace begins with the *next* child, which would cost a second process.
fn clone_into_namespaces() -> nix::Result<Option<Pid>> {
    let flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::SIGCHLD;
    #[expect(
        unsafe_code,
        reason = "as fork(2): no memory is shared, and this process has one thread, so the child may go on"
    )]
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    let child = nix::errno::Errno::result(child)?;
    Ok(libc::pid_t::try_from(child)
        .ok()
        .filter(|&pid| pid != 0)
        .map(Pid::from_raw))
}

/// Makes the next child's uptime begin now (time_namespaces(7)). Without it `uptime` on a host would tell
/// the machine's, so a kernel without time namespaces is no reason to stop.
fn restart_uptime() {
    const CLONE_NEWTIME: libc::c_int = 0x80;
    #[expect(
        unsafe_code,
        reason = "the flag concerns the namespace of future children only"
    )]
    let result = unsafe { libc::unshare(CLONE_NEWTIME) };
    if result != 0 {
        return;
    }
    let uptime = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    if let Ok(uptime) = uptime {
        let offset = format!("boottime -{} 0\n", uptime.tv_sec());
        let _ = std::fs::write("/proc/self/timens_offsets", offset);
    }
}
