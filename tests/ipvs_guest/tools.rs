//! The two programs: the distribution's ipvsadm, kept aside for comparison, and ours.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

use lvslab::ipvsadm::{Behaviour, Streams, execute};

/// Where the sandbox's image keeps the original, outside PATH.
const REFERENCE: &str = "/usr/lib/lvslab/reference";

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// `None` when a signal ended it.
    pub status: Option<i32>,
}

/// The original with these arguments, in this thread's network namespace.
pub fn theirs(words: &[String], input: &str) -> Outcome {
    let mut child = reference()
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the reference ipvsadm");
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early does not read it all.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().expect("its output");
    Outcome {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: match output.status.signal() {
            Some(_) => None,
            None => output.status.code(),
        },
    }
}

/// A process of the original. The wrapper script around it would double the time.
pub fn reference() -> Command {
    let directory = Path::new(REFERENCE);
    let mut command = Command::new(directory.join("ipvsadm.bin"));
    command
        .arg0("ipvsadm")
        .env_clear()
        .env("LD_LIBRARY_PATH", directory.join("lib"));
    command
}

/// This program again, for something of this module.
pub fn guest_process(what: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([super::FACE, what]);
    command
}

/// This program again, as our ipvsadm.
pub fn guest_called_ipvsadm() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("ipvsadm").env_clear();
    command
}

/// A process of ours: the program itself.
pub fn ours_process() -> Command {
    let mut command = Command::new(super::OURS);
    command.arg0("ipvsadm").env_clear();
    command
}

/// Ours with these arguments, in this process and this thread's network namespace.
pub fn ours(words: &[String], input: &str) -> Outcome {
    ours_as("ipvsadm", words, input, Behaviour::Ours)
}

/// [`ours`] under one of the package's names, with this behaviour.
pub fn ours_as(program: &str, words: &[String], input: &str, behaviour: Behaviour) -> Outcome {
    let args = std::iter::once(program.to_owned())
        .chain(words.iter().cloned())
        .map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = execute(
        args,
        &mut Streams {
            input: &mut input.as_bytes(),
            output: &mut stdout,
            errors: &mut stderr,
        },
        behaviour,
    );
    Outcome {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        status: Some(status),
    }
}
