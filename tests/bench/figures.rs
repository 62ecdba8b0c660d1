//! Measures runs of the program, and prints the figures.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use lvslab::sys::dirs::Dirs;

const HOSTS: [&str; 4] = ["client", "director", "web1", "web2"];

/// One lab in directories of its own, with the images from the user's cache.
pub struct Bench {
    root: tempfile::TempDir,
    pub topology: &'static str,
    lab: &'static str,
}

/// A line of the table.
pub struct Figure {
    what: &'static str,
    value: String,
    beside: String,
}

impl Bench {
    pub fn open(topology: &'static str, lab: &'static str) -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("lvslab-bench-").tempdir()?;
        let images = Dirs::from_environment()?.cache.join("images");
        fs::create_dir_all(&images)?;
        fs::create_dir_all(root.path().join("cache/lvslab"))?;
        std::os::unix::fs::symlink(images, root.path().join("cache/lvslab/images"))?;
        Ok(Self {
            root,
            topology,
            lab,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The program with this lab's directories.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lvslab"));
        command
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    /// Runs it and gives its standard output; anything but exit 0 is an error.
    pub fn lvslab(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.command(arguments).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(format!(
            "lvslab {} ended with {}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    pub fn timed(&self, arguments: &[&str]) -> io::Result<Duration> {
        let start = Instant::now();
        self.lvslab(arguments)?;
        Ok(start.elapsed())
    }

    pub fn start_until_ssh(&self) -> io::Result<Duration> {
        let start = Instant::now();
        self.lvslab(&["sandbox", "start", self.topology])?;
        self.ssh_true()?;
        Ok(start.elapsed())
    }

    /// `ssh HOST true` on all hosts in parallel, a new connection each.
    pub fn ssh_true(&self) -> io::Result<Duration> {
        let config = self.path("state/lvslab").join(self.lab).join("ssh_config");
        let start = Instant::now();
        let running = HOSTS
            .iter()
            .map(|host| {
                let mut ssh = Command::new("ssh");
                ssh.arg("-F")
                    .arg(&config)
                    .args(["-o", "ControlPath=none", host, "true"])
                    .stdin(Stdio::null())
                    .spawn()
            })
            .collect::<io::Result<Vec<_>>>()?;
        for mut child in running {
            if !child.wait()?.success() {
                return Err(io::Error::other("ssh HOST true failed"));
            }
        }
        Ok(start.elapsed())
    }

    /// `count` requests from the client by one curl, a new connection each, over one new SSH connection. A verification
    /// with as many requests cannot be faster.
    pub fn requests_over_ssh(&self, count: u32) -> io::Result<Duration> {
        let config = self.path("state/lvslab").join(self.lab).join("ssh_config");
        let command = format!(
            "seq {count} | sed 's|.*|url = \"http://192.168.4.15/\"|' | \
             curl --disable --silent --http1.1 --header 'Connection: close' --config -"
        );
        let start = Instant::now();
        let output = Command::new("ssh")
            .arg("-F")
            .arg(&config)
            .args(["-o", "ControlPath=none", "client", &command])
            .stdin(Stdio::null())
            .output()?;
        let elapsed = start.elapsed();
        let answers = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        if output.status.success() && answers == count as usize {
            Ok(elapsed)
        } else {
            Err(io::Error::other(format!("{answers} of {count} answers")))
        }
    }

    /// Closes the SSH connections that the program keeps for its next run.
    pub fn close_connections(&self) -> io::Result<()> {
        let sockets = self.path("run/lvslab").join(self.lab).join("ssh");
        for entry in fs::read_dir(sockets)?.flatten() {
            if entry.file_type()?.is_socket() {
                Command::new("ssh")
                    .arg("-S")
                    .arg(entry.path())
                    .args(["-O", "exit", "none"])
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .status()?;
            }
        }
        Ok(())
    }

    /// Removes the saved base state, so that the next start boots.
    pub fn forget_base_state(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.path("cache/lvslab/base")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub fn stop(&self) -> io::Result<()> {
        self.lvslab(&["sandbox", "stop", "--lab", self.lab])
            .map(drop)
    }

    /// Largest resident size of the process while it runs, bytes (`VmHWM`, proc_pid_status(5)).
    pub fn peak_memory(&self, arguments: &[&str]) -> io::Result<u64> {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(peak)
    }

    /// Size of the program, and of its compressed upload, bytes.
    pub fn binary_sizes(&self) -> io::Result<(u64, u64)> {
        let program = fs::read(env!("CARGO_BIN_EXE_lvslab"))?;
        let mut upload = GzEncoder::new(Vec::new(), Compression::best());
        upload.write_all(&program)?;
        Ok((program.len() as u64, upload.finish()?.len() as u64))
    }
}

impl Figure {
    pub fn time(what: &'static str, runs: &[Duration], beside: Option<(Duration, &str)>) -> Self {
        let middle = median(runs);
        Self {
            what,
            value: format!("{:.2} s", middle.as_secs_f64()),
            beside: beside.map_or_else(String::new, |(floor, name)| {
                format!("{:.2}x {name}", middle.as_secs_f64() / floor.as_secs_f64())
            }),
        }
    }

    pub fn bytes(what: &'static str, bytes: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
        let value = format!("{:.2} MB", bytes as f64 / 1e6);
        Self {
            what,
            value,
            beside: String::new(),
        }
    }
}

pub fn median(runs: &[Duration]) -> Duration {
    let mut sorted = runs.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

pub fn largest(values: &[u64]) -> u64 {
    values.iter().copied().max().unwrap_or(0)
}

/// The Markdown table of the README.
pub fn table(figures: &[Figure]) -> String {
    let mut text = "| what | median | beside |\n|---|---|---|\n".to_owned();
    for Figure {
        what,
        value,
        beside,
    } in figures
    {
        let _ = writeln!(text, "| {what} | {value} | {beside} |");
    }
    text
}
