//! Output that cannot be written is an error, whatever the command; a reader that has closed its pipe is not.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

const DR: &str = "topologies/dr.yaml";

/// One command line for each way to standard output that needs no host.
const COMMANDS: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["help", "up"],
    &["verify", "--help"],
    &["completions", "bash"],
    &["man"],
    &["plan", DR],
    &["plan", DR, "--json"],
    &["explain", DR],
    &["break", DR, "--list"],
    &["break", DR, "--list", "--json"],
    &["repair", DR],
    &["repair", DR, "--json"],
    &["status"],
    &["status", "--json"],
    &["sandbox", "status"],
    &["sandbox", "status", "--json"],
];

fn lvslab(arguments: &[&str], home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvslab"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .env("HOME", home);
    for variable in ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
        command.env(variable, home.join(variable));
    }
    command
}

#[test]
fn a_full_disk_is_an_error_of_every_command() {
    let home = tempfile::tempdir().unwrap();
    for arguments in COMMANDS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = lvslab(arguments, home.path())
            .stdout(full)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {complaint}");
        assert!(
            complaint.contains("error: cannot write standard output: No space left on device"),
            "{arguments:?}: {complaint}"
        );
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    for arguments in COMMANDS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = lvslab(arguments, home.path())
            .stdout(writer)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {complaint}");
        assert_eq!(complaint, "", "{arguments:?}");
    }
}

#[test]
fn a_failure_that_cannot_be_printed_says_both() {
    let home = tempfile::tempdir().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = lvslab(&["verify", "--json"], home.path())
        .stdout(full)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("no lab is up"), "{complaint}");
    assert!(
        complaint.contains("cannot write standard output"),
        "{complaint}"
    );
}
