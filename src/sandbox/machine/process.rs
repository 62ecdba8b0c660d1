//! Finds the machine of a pid file, and never takes another process for it.
//!
//! The kernel reuses pids. So a process counts only if its command line has `-pidfile` followed by that file, a path
//! that no other machine uses.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that was seen to be the machine of its pid file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineProcess {
    pid: Pid,
    /// Clock ticks after boot at which it started (`/proc/PID/stat` field 22): tells it from a later
    /// process with the same pid.
    started: u64,
}

impl MachineProcess {
    /// The running machine of `pid_file`, if there is one.
    #[must_use]
    pub fn find(pid_file: &Path) -> Option<Self> {
        let pid: i32 = std::fs::read_to_string(pid_file)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let process = Self {
            pid: Pid::from_raw(pid),
            started: start_ticks(pid)?,
        };
        let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        is_machine_of(&command_line, pid_file).then_some(process)
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_ticks(self.pid()) == Some(self.started)
    }

    /// Resident memory, bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Ends it and waits until it is gone: SIGTERM first, SIGKILL after half of `limit`. Nobody needs the guest's state.
    ///
    /// # Errors
    /// When it may not be signalled, or is still there after `limit`.
    pub fn end(&self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        let insist = Instant::now() + limit / 2;
        self.signal(Signal::SIGTERM)?;
        let mut killed = false;
        while self.is_alive() {
            if !killed && Instant::now() >= insist {
                self.signal(Signal::SIGKILL)?;
                killed = true;
            }
            if Instant::now() >= deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("process {} does not end", self.pid()),
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Whether a command line as in `/proc/PID/cmdline` is a machine's that writes `pid_file`.
fn is_machine_of(command_line: &[u8], pid_file: &Path) -> bool {
    let arguments: Vec<&[u8]> = command_line.split(|&byte| byte == 0).collect();
    arguments
        .windows(2)
        .any(|pair| pair[0] == b"-pidfile" && pair[1] == pid_file.as_os_str().as_bytes())
}

/// Start time in clock ticks; `None` when there is no such process or it is dead and only not yet reaped.
fn start_ticks(pid: i32) -> Option<u64> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `proc_pid_stat(5)`: the name in parentheses may hold anything, so fields are counted after its end.
fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stranger_with_the_pid_of_a_dead_machine_is_not_the_machine() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        std::fs::write(&pid_file, std::process::id().to_string()).unwrap();
        assert_eq!(MachineProcess::find(&pid_file), None);
        std::fs::write(&pid_file, "not a pid").unwrap();
        assert_eq!(MachineProcess::find(&pid_file), None);
    }

    #[test]
    fn a_machine_is_known_by_its_own_pid_file_only() {
        let command_line = b"qemu-system-x86_64\0-pidfile\0/run/lvslab/dr/pid\0-daemonize\0";
        assert!(is_machine_of(command_line, Path::new("/run/lvslab/dr/pid")));
        assert!(!is_machine_of(
            command_line,
            Path::new("/run/lvslab/nat/pid")
        ));
        assert!(!is_machine_of(
            b"vi\0/run/lvslab/dr/pid\0",
            Path::new("/run/lvslab/dr/pid")
        ));
    }

    #[test]
    fn the_machine_of_a_pid_file_is_found_and_ended() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read line", "sh", "-pidfile"])
            .arg(&pid_file)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::fs::write(&pid_file, child.id().to_string()).unwrap();
        // The new program's command line appears a moment after its parent goes on.
        let process = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(5));
            MachineProcess::find(&pid_file)
        })
        .take(2000)
        .flatten()
        .next()
        .unwrap();
        assert_eq!(process.pid(), i32::try_from(child.id()).unwrap());
        assert!(process.resident_bytes().unwrap() > 0);
        process.end(Duration::from_secs(20)).unwrap();
        assert!(!process.is_alive());
        assert_eq!(MachineProcess::find(&pid_file), None);
        child.wait().unwrap();
    }

    #[test]
    fn the_start_time_is_read_behind_a_name_that_looks_like_fields() {
        let stat =
            "4242 (a) S 1 (b) S 1 4242 4242 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2";
        assert_eq!(parse_stat(stat), Some(987_654));
        assert_eq!(
            parse_stat("1 (x) Z 1 1 1 0 -1 1 1 0 0 0 0 0 0 0 20 0 1 0 5"),
            None
        );
        assert!(start_ticks(i32::try_from(std::process::id()).unwrap()).is_some());
    }

    proptest! {
        #[test]
        fn any_stat_line_is_read_or_refused(stat in "\\PC{0,120}") {
            let _ = parse_stat(&stat);
        }
    }
}
