//! A host whose first process is systemd: this init prepares what a container manager does and becomes it
//! (<https://systemd.io/CONTAINER_INTERFACE>).

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::SigSet;
use nix::unistd::execve;

use super::super::line;
use super::super::{Failure, While};

const INIT: &CStr = c"/sbin/init";

/// Where container managers put what they have for their container.
const DIRECTORY: &str = "/run/host";
/// Where systemd reports that it is up.
const NOTIFY: &str = "/run/host/notify";

/// Becomes systemd, and gives PID 1 of the machine the socket on which systemd reports that the host is up.
pub fn become_it(line: &OwnedFd) -> Result<Infallible, Failure> {
    fs::create_dir(DIRECTORY).during(format_args!("create {DIRECTORY}"))?;
    let socket = UnixDatagram::bind(NOTIFY).during(format_args!("listen on {NOTIFY}"))?;
    line::hand_over(line, &OwnedFd::from(socket))?;
    // The mask outlives execve(2).
    SigSet::all().thread_unblock().during("unblock signals")?;
    let environment = [
        // Tells systemd that it does not manage the hardware. The value is only displayed.
        c"container=lvslab",
        c"NOTIFY_SOCKET=/run/host/notify",
    ];
    // The machine's console is slow, and the journal has every message.
    let arguments = [INIT, c"--show-status=error"];
    execve(INIT, &arguments, &environment).during("start /sbin/init")
}
