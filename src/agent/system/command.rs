//! Runs external programs: package and service managers, `firewall-cmd`, `curl`.
//!
//! Output goes to files in memory instead of pipes: a daemon that a start script leaves behind keeps the script's
//! standard output open, so a pipe would never end.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};

/// The PATH for programs: that of a login over SSH may lack the system's directories.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a program ended, and its output.
#[derive(Debug)]
pub(in crate::agent) struct Output {
    /// `None` when it was killed because it reached a limit.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// How long a program may run and how much it may write.
#[derive(Debug, Clone, Copy)]
pub(in crate::agent) struct Limits {
    /// From start to end.
    pub time: Duration,
    /// Bytes on standard output.
    pub output_bytes: u64,
}

impl Limits {
    /// Limits of this many seconds and 4 MiB of output.
    pub(in crate::agent) fn seconds(seconds: u64) -> Self {
        Self {
            time: Duration::from_secs(seconds),
            output_bytes: 4 << 20,
        }
    }
}

/// The program's file, if a directory of the PATH has it.
pub(in crate::agent) fn find(program: &str) -> Option<PathBuf> {
    let own = std::env::var("PATH").unwrap_or_default();
    own.split(':')
        .chain(PATH.split(':'))
        .filter(|directory| directory.starts_with('/'))
        .map(|directory| PathBuf::from(directory).join(program))
        .find(|path| path.is_file())
}

/// A command with our PATH, so that it finds its helpers, and with messages in English.
pub(in crate::agent) fn command(program: &str) -> Command {
    command_at(&find(program).unwrap_or_else(|| PathBuf::from(program)))
}

/// As [`command`], for a program whose file is known.
pub(in crate::agent) fn command_at(program: &Path) -> Command {
    let mut command = Command::new(program);
    let own = std::env::var("PATH").unwrap_or_default();
    command
        .env(
            "PATH",
            if own.is_empty() {
                PATH.to_owned()
            } else {
                format!("{own}:{PATH}")
            },
        )
        .env("LC_ALL", "C")
        .current_dir("/");
    command
}

/// What to do with a program that is still running.
enum Next {
    /// Wait for it.
    Wait,
    /// Leave it running.
    Leave,
    /// Kill it.
    Kill,
}

/// Runs a command to its end. When it reaches a limit it is killed with everything it started.
///
/// # Errors
/// When it cannot be started.
pub(in crate::agent) fn run(
    command: &mut Command,
    input: &[u8],
    limits: Limits,
) -> io::Result<Output> {
    run_watched(command, input, limits, &|| false, |_| false)
}

/// As [`run`], but returns `None` and leaves the program running as soon as `enough` says that its purpose is
/// reached.
///
/// # Errors
/// When it cannot be started.
pub(in crate::agent) fn run_until(
    command: &mut Command,
    input: &[u8],
    limits: Limits,
    enough: impl Fn() -> bool,
) -> io::Result<Option<Output>> {
    supervise(command, input, limits, |_| {
        Ok(if enough() { Next::Leave } else { Next::Wait })
    })
}

/// As [`run`], but kills the program as soon as `unwanted` is true, or `enough` is true for its standard error so far.
///
/// # Errors
/// When it cannot be started.
pub(in crate::agent) fn run_watched(
    command: &mut Command,
    input: &[u8],
    limits: Limits,
    unwanted: &dyn Fn() -> bool,
    enough: impl Fn(&[u8]) -> bool,
) -> io::Result<Output> {
    let mut said = Vec::new();
    let output = supervise(command, input, limits, |stderr| {
        let more = listen(stderr, &mut said)?;
        Ok(if unwanted() || more && enough(&said) {
            Next::Kill
        } else {
            Next::Wait
        })
    })?;
    Ok(output.expect("it is never left to itself"))
}

fn supervise(
    command: &mut Command,
    input: &[u8],
    limits: Limits,
    mut next: impl FnMut(&File) -> io::Result<Next>,
) -> io::Result<Option<Output>> {
    let (stdin, mut stdout, mut stderr) = (memory()?, memory()?, memory()?);
    io::Write::write_all(&mut &stdin, input)?;
    (&stdin).rewind()?;
    let mut child = command
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .process_group(0)
        .spawn()?;
    let deadline = Instant::now() + limits.time;
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        let full = stdout.metadata()?.len() > limits.output_bytes
            || stderr.metadata()?.len() > limits.output_bytes;
        let next = if full || Instant::now() >= deadline {
            Next::Kill
        } else {
            next(&stderr)?
        };
        match next {
            Next::Wait => {}
            Next::Leave => return Ok(None),
            Next::Kill => {
                if let Ok(id) = i32::try_from(child.id()) {
                    let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
                }
                child.wait()?;
                break None;
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    Ok(Some(Output {
        status,
        stdout: content(&mut stdout, limits.output_bytes)?,
        stderr: content(&mut stderr, limits.output_bytes)?,
    }))
}

/// Runs a command; an exit code other than 0 is an error with the last lines of its output.
pub(in crate::agent) fn succeed(
    command: &mut Command,
    limits: Limits,
) -> Result<Output, ResourceError> {
    let name = describe(command);
    let output = run(command, b"", limits).map_err(|error| cannot_run(&name, &error))?;
    success(&name, &output, limits)?;
    Ok(output)
}

/// An error with the last lines of the output, unless the program ended with 0.
pub(in crate::agent) fn success(
    name: &str,
    output: &Output,
    limits: Limits,
) -> Result<(), ResourceError> {
    if output.status.is_some_and(|status| status.success()) {
        Ok(())
    } else {
        Err(unsuccessful(name, output, limits))
    }
}

/// The error for a program that could not be started.
pub(in crate::agent) fn cannot_run(name: &str, error: &io::Error) -> ResourceError {
    failed(format!("cannot run `{name}`"), error)
}

/// How it ended, with the last lines of its output.
pub(in crate::agent) fn unsuccessful(name: &str, output: &Output, limits: Limits) -> ResourceError {
    let how = match output.status {
        Some(status) => match status.code() {
            Some(code) => format!("ended with {code}"),
            None => format!("was ended by {status}"),
        },
        None => format!("was stopped after {} s", limits.time.as_secs()),
    };
    match last_words(output) {
        words if words.is_empty() => because(format!("`{name}` {how}")),
        words => because(format!("`{name}` {how}: {words}")),
    }
}

/// `apt-get install httpd`
pub(in crate::agent) fn describe(command: &Command) -> String {
    let name = command.get_program().to_string_lossy();
    let base = name.rsplit('/').next().unwrap_or(&name);
    let arguments = command
        .get_args()
        .map(|a| a.to_string_lossy())
        .filter(|a| !a.starts_with('-') && !a.contains("::"));
    std::iter::once(base.into())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last lines of standard error, or of standard output where standard error is empty.
pub(in crate::agent) fn last_words(output: &Output) -> String {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        lines[lines.len().saturating_sub(4)..].join("; ")
    };
    match text(&output.stderr) {
        words if words.is_empty() => text(&output.stdout),
        words => words,
    }
}

/// Reads what was appended since the last call, and says whether there was anything. The writer's position in the file
/// stays.
fn listen(file: &File, said: &mut Vec<u8>) -> io::Result<bool> {
    let before = said.len();
    let written = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    said.resize(written.max(before), 0);
    let count = file.read_at(&mut said[before..], before as u64)?;
    said.truncate(before + count);
    Ok(count > 0)
}

fn memory() -> io::Result<File> {
    Ok(File::from(memfd_create(c"lvslab", MFdFlags::MFD_CLOEXEC)?))
}

fn content(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = command("sh");
        shell.args(["-c", script]);
        shell
    }

    /// Members of a process group that are not dead yet, by their `/proc/PID/stat` (proc(5)).
    fn living(group: i32) -> Vec<String> {
        let stats = std::fs::read_dir("/proc").unwrap().flatten();
        stats
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
            .filter(|stat| {
                let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
                fields[2] == group.to_string() && !matches!(fields[0], "Z" | "X")
            })
            .collect()
    }

    #[test]
    fn output_and_input_pass_through() {
        let output = run(
            &mut shell("cat; echo oops >&2"),
            b"in\n",
            Limits::seconds(30),
        )
        .unwrap();
        assert!(output.status.unwrap().success());
        assert_eq!(output.stdout, b"in\n");
        assert_eq!(output.stderr, b"oops\n");
    }

    #[test]
    fn a_program_that_has_done_enough_is_left_to_end_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let done = directory.path().join("done");
        // It goes on as long as the directory is there.
        let script = format!(
            "touch '{0}'; while [ -e '{0}' ]; do sleep 0.01; done",
            done.display()
        );
        let limits = Limits::seconds(60);
        let output = run_until(&mut shell(&script), b"", limits, || done.exists()).unwrap();
        assert!(output.is_none());
        let output = run_until(&mut shell("exit 3"), b"", limits, || false).unwrap();
        assert_eq!(output.unwrap().status.unwrap().code(), Some(3));
    }

    #[test]
    fn a_failure_quotes_the_last_words() {
        let mut script = shell("for i in 1 2 3 4 5; do echo \"line $i\" >&2; done; exit 100");
        let error = succeed(&mut script, Limits::seconds(30)).unwrap_err();
        assert!(
            error
                .cause
                .ends_with("ended with 100: line 2; line 3; line 4; line 5"),
            "{error}"
        );
    }

    #[test]
    fn a_daemon_that_keeps_the_output_does_not_hold_up_the_caller() {
        // It ends by itself; a reader of a pipe would have waited for it.
        let script = "sleep 20 & echo $!";
        let output = run(&mut shell(script), b"", Limits::seconds(15)).unwrap();
        assert!(output.status.is_some());
        let pid = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }

    #[test]
    fn a_program_that_hangs_or_floods_is_ended_with_what_it_started() {
        let limits = Limits {
            time: Duration::from_secs(3),
            output_bytes: 1 << 20,
        };
        let output = run(&mut shell("echo $$; sleep 1000 | sleep 1000"), b"", limits).unwrap();
        assert!(output.status.is_none());
        let group: i32 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        // A killed process is gone only once it has run again to its end.
        let end = Instant::now() + Duration::from_secs(60);
        while !living(group).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(living(group), [] as [String; 0]);

        let limits = Limits {
            time: Duration::from_secs(60),
            output_bytes: 10_000,
        };
        let output = run(&mut shell("yes"), b"", limits).unwrap();
        assert!(output.status.is_none());
        assert_eq!(output.stdout.len(), 10_000);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = succeed(&mut command("no-such-program"), Limits::seconds(1)).unwrap_err();
        assert!(
            error.cause.starts_with("cannot run `no-such-program`: "),
            "{error}"
        );
    }
}
