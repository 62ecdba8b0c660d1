//! What both programs say without root.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::check;
use super::tools::{guest_called_ipvsadm, reference};

/// `nobody`
const NOBODY: u32 = 65534;

pub fn all() {
    check("without_root_both_say_so_in_the_same_words", without_root);
    check(
        "help_and_what_is_wrong_with_words_need_no_root",
        help_without_root,
    );
}

/// Standard output, standard error and exit status. What modprobe(8) says to the original is its own.
fn said(mut command: Command, line: &str) -> (String, String, Option<i32>) {
    let output = command
        .args(line.split_whitespace())
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::null())
        .output()
        .expect("the program");
    let errors = String::from_utf8_lossy(&output.stderr);
    let own = |line: &&str| !line.starts_with("modprobe: ");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        errors.split_inclusive('\n').filter(own).collect(),
        output.status.code(),
    )
}

const NOT_PERMITTED: &str = "Can't initialize ipvs: Permission denied (you must be root)";

fn help_without_root() {
    for (line, status, start) in [
        ("-h", 0, "ipvsadm v1.31"),
        ("-v", 0, "ipvsadm v1.31"),
        ("-A -t nonsense -s rr", 2, "illegal virtual server address"),
        ("-q", 255, "Try `ipvsadm -h'"),
    ] {
        let (stdout, stderr, found) = said(guest_called_ipvsadm(), line);
        assert_eq!(found, Some(status), "{line}");
        let text = if status == 0 { stdout } else { stderr };
        assert!(text.starts_with(start), "{line}: {text}");
        let original = said(reference(), line).1;
        assert!(original.starts_with(NOT_PERMITTED), "{line}: {original}");
    }
}

fn without_root() {
    for line in [
        "-Ln",
        "-L --timeout",
        "-L --daemon",
        "-L -t 10.0.0.1:80",
        "-Lnc",
        "-Sn",
        "-R",
        "-C",
        "-Z",
        "-A -t 10.0.0.1:80 -s rr",
        "-E -t 10.0.0.1:80 -s rr",
        "-a -t 10.0.0.1:80 -r 10.1.0.1 -g",
        "-e -t 10.0.0.1:80 -r 10.1.0.1 -g",
        "--set 1 2 3",
        "--stop-daemon master",
    ] {
        let expected = said(reference(), line);
        assert_eq!(
            (expected.1.lines().next(), expected.2),
            (Some(NOT_PERMITTED), Some(2)),
            "{line}"
        );
        assert_eq!(said(guest_called_ipvsadm(), line), expected, "{line}");
    }
}
