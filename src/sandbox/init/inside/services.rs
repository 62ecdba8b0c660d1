//! Services at boot and at shutdown, by the links a System V init follows: `/etc/rc2.d/S*` up, `/etc/rc6.d/K*` down.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::super::log;
use super::spawn;

/// What a System V init gives its scripts.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the scripts' output goes.
const BOOT_LOG: &str = "/var/log/boot";

/// Scripts that are not run: this init does the work itself (`ssh`, `procps`), or a host lacks the hardware.
const NOT_RUN: &[&str] = &["ssh", "procps", "hwclock.sh", "kmod", "udev"];

const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Starts what is enabled in runlevel 2. A service that does not start is logged; the host comes up without it.
pub fn start_enabled() {
    for script in scripts(Path::new("/etc/rc2.d"), 'S') {
        run(&script, "start", START_LIMIT);
    }
}

/// Stops what runlevel 6 (reboot) stops.
pub fn stop_all() {
    for script in scripts(Path::new("/etc/rc6.d"), 'K') {
        run(&script, "stop", STOP_LIMIT);
    }
}

/// The links of a runlevel in the order of their numbers.
fn scripts(directory: &Path, letter: char) -> Vec<PathBuf> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| service_of(name, letter).is_some_and(|service| !NOT_RUN.contains(&service)))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// `apache2` of `S01apache2`.
fn service_of(link: &str, letter: char) -> Option<&str> {
    let rest = link.strip_prefix(letter)?;
    let (digits, service) = rest.split_at_checked(2)?;
    (digits.bytes().all(|digit| digit.is_ascii_digit()) && !service.is_empty()).then_some(service)
}

fn run(script: &Path, action: &str, limit: Duration) {
    let output = || {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(BOOT_LOG)
            .map_or_else(|_| Stdio::null(), Stdio::from)
    };
    let child = spawn(
        Command::new(script)
            .arg(action)
            .env_clear()
            .env("PATH", PATH)
            .env("RUNLEVEL", if action == "start" { "2" } else { "6" })
            .env("PREVLEVEL", "N")
            .env("TERM", "dumb")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output()),
    );
    let child = match child {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(error) => return log(&format!("run {}: {error}", script.display())),
    };
    let what = format!("{} {action}", script.display());
    match wait_for(child, Instant::now() + limit) {
        Some(0) => {}
        Some(code) => log(&format!("{what}: ended with {code}")),
        None => {
            let _ = kill(child, Signal::SIGKILL);
            log(&format!("{what}: did not end within {} s", limit.as_secs()));
        }
    }
}

/// Waits for `child` and returns its exit code (128 and more: a signal). Reaps all other children meanwhile, because a
/// script that stops a daemon waits until the daemon's process is gone.
fn wait_for(child: Pid, deadline: Instant) -> Option<i32> {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Some(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) => {
                if Instant::now() >= deadline {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_in_order_and_only_those_of_services() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "S02cron",
            "S01apache2",
            "S01ssh",
            "K01nginx",
            "README",
            "S1x",
            "S01",
        ] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<String> = scripts(directory.path(), 'S')
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["S01apache2", "S02cron"]);
        assert!(scripts(Path::new("/nonexistent"), 'S').is_empty());
    }
}
