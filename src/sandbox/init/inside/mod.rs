//! The init of one lab host: runs in the host's own namespaces, boots it, lets people in, shuts it down.
//!
//! In: the host's description, its mounted disk, a line to PID 1 of the machine. Out: a host that accepts
//! logins, until it is told to shut down.

mod disk;
mod login;
mod network;
mod root;
mod services;
mod systemd;

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{MsgFlags, recv};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, sethostname};

use super::assignment::Assignment;
use super::line::{FAILED, PLUGGED, SHUT_DOWN, UP, WAITING, tell};
use super::{Failure, While, cgroups, log};
use crate::sandbox::system::System;

/// How long processes may take to end when asked, before they are killed.
const TERM_LIMIT: Duration = Duration::from_secs(5);

/// What a host's init starts from.
#[derive(Debug)]
pub struct Start<'a> {
    /// Address of `mgmt0`.
    pub management: Ipv4Addr,
    /// Where its disk is mounted.
    pub root: &'a Path,
    /// What it runs.
    pub system: System,
    /// Different for every boot of every host.
    pub tag: &'a str,
    /// To PID 1 of the machine.
    pub line: OwnedFd,
}

/// The host, from power-on to power-off. Called in the child of clone(2).
pub fn run(start: Start<'_>) -> ! {
    close_all_but(start.line.as_raw_fd());
    match live(&start) {
        Ok(()) => std::process::exit(0),
        Err(failure) => {
            let message = [FAILED, failure.0.as_bytes()].concat();
            let end = message.len().min(2000);
            let _ = tell(&start.line, &message[..end]);
            std::process::exit(1);
        }
    }
}

fn live(start: &Start<'_>) -> Result<(), Failure> {
    name_this_process();
    if start.system == System::Debian {
        cgroups::enter(start.tag)?;
    }
    root::enter(start.root, start.system)?;
    let signals = child_signals()?;
    if hear(&start.line)? != PLUGGED {
        return Err(Failure("the machine gave up on this host".to_owned()));
    }
    network::bring_up_management(start.management)?;
    tell(&start.line, WAITING)?;
    let assignment = hear(&start.line)?;
    let assignment: Assignment = serde_json::from_slice(&assignment)
        .map_err(std::io::Error::other)
        .during("understand the assignment")?;
    root::renew_boot_id()?;
    sethostname(assignment.host.name.as_str()).during("set the host's name")?;
    if assignment.factory_new {
        disk::write_what_is_this_hosts_own(&assignment, start.system)?;
    }
    match start.system {
        System::Plain => {
            let logins = boot(assignment.host.name.as_str())?;
            tell(&start.line, UP)?;
            serve(&start.line, &signals, &logins)
        }
        System::Debian => match systemd::become_it(&start.line)? {},
    }
}

fn boot(name: &str) -> Result<login::Logins, Failure> {
    let began = Instant::now();
    set_kernel_settings();
    bring_up_saved_configuration(name);
    services::start_enabled();
    let logins = login::Logins::open()?;
    log(&format!("{name} up in {} ms", began.elapsed().as_millis()));
    Ok(logins)
}

/// What `sysctl --system` does on other machines.
fn set_kernel_settings() {
    for (setting, error) in crate::agent::system::sysctl_files::apply(Path::new("/")) {
        log(&format!("set {}: {error}", setting.key));
    }
}

/// What `lvslab boot` does on other machines. An unusable file is logged; the host still accepts logins, so that a person
/// can repair it.
fn bring_up_saved_configuration(host: &str) {
    if let Err(error) = crate::agent::boot::run() {
        log(&format!("{host}: {error}"));
    }
}

fn serve(line: &OwnedFd, signals: &SignalFd, logins: &login::Logins) -> Result<(), Failure> {
    loop {
        let mut sources = [
            PollFd::new(line.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(logins.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut sources, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(Failure(format!("wait for events: {errno}"))),
        }
        let [line_events, signal_events, login_events] =
            sources.map(|source| source.revents().is_some_and(|events| !events.is_empty()));
        if signal_events {
            while let Ok(Some(_)) = signals.read_signal() {}
        }
        if login_events {
            logins.accept();
        }
        if line_events && asked_to_shut_down(line) {
            shut_down();
            return Ok(());
        }
        reap();
    }
}

fn asked_to_shut_down(line: &OwnedFd) -> bool {
    let mut message = [0; 64];
    matches!(
        recv(line.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT),
        Ok(length) if &message[..length] == SHUT_DOWN
    )
}

/// Stops services, then all other processes: SIGTERM, then SIGKILL. The pid namespace ends with this process.
fn shut_down() {
    services::stop_all();
    let everybody = Pid::from_raw(-1);
    let _ = kill(everybody, Signal::SIGTERM);
    let deadline = Instant::now() + TERM_LIMIT;
    while reap() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = kill(everybody, Signal::SIGKILL);
}

/// Reaps children that have ended. Returns whether any are left.
fn reap() -> bool {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// The next message of PID 1; an assignment with many neighbours may be long.
fn hear(line: &OwnedFd) -> Result<Vec<u8>, Failure> {
    let mut message = vec![0; 256 * 1024];
    let length =
        recv(line.as_raw_fd(), &mut message, MsgFlags::empty()).during("listen to the machine")?;
    message.truncate(length);
    Ok(message)
}

fn child_signals() -> Result<SignalFd, Failure> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block().during("block SIGCHLD")?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&mask, flags).during("make a signal descriptor")
}

/// Starts a program without blocked signals. It would inherit the mask, and a shell or sshd with SIGCHLD blocked waits
/// for ever.
fn spawn(command: &mut Command) -> std::io::Result<std::process::Child> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_unblock()?;
    let child = command.spawn();
    mask.thread_block()?;
    child
}

/// Closes the machine's descriptors, which clone(2) copied.
fn close_all_but(keep: i32) {
    let Ok(keep) = libc::c_uint::try_from(keep) else {
        return;
    };
    let ranges = [(3, keep.saturating_sub(1)), (keep + 1, libc::c_uint::MAX)];
    for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
        #[expect(
            unsafe_code,
            reason = "their owners are in frames of the parent this process never returns to"
        )]
        let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

/// `init` in `ps`.
fn name_this_process() {
    let _ = std::fs::write("/proc/self/comm", "init");
}
