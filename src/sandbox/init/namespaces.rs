//! A child in new namespaces, whose uptime begins now.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::{Failure, While};

/// Clones this process into new mount, pid, network, uts and ipc namespaces. Returns the child's pid, `None` in the child.
///
/// fork and unshare would need a second process, because unshare moves only *later* children into the pid namespace.
pub fn clone_into() -> Result<Option<Pid>, Failure> {
    restart_uptime();
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
    let child = nix::errno::Errno::result(child).during("clone a host's init")?;
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
    if let Ok(uptime) = clock_gettime(ClockId::CLOCK_BOOTTIME) {
        let offset = format!("boottime -{} 0\n", uptime.tv_sec());
        let _ = std::fs::write("/proc/self/timens_offsets", offset);
    }
}
