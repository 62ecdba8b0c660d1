//! Runs lines that a person would type in one shell; exercises are set and taken back this way.

use super::lock::HostLock;
use crate::agent::protocol::error::because;
use crate::agent::protocol::{AgentError, Reply, Script};
use crate::agent::system::command::{self, Limits, cannot_run, last_words, run};
use crate::agent::system::root::Root;

/// Longest time limit that a request may set.
const MOST_SECONDS: u32 = 600;

/// Runs the lines under the host's lock.
pub(in crate::agent) fn script(root: &Root, request: &Script) -> Result<Reply, AgentError> {
    if request.lines.is_empty() {
        return Err(because("there is nothing to run").into());
    }
    let _lock = HostLock::take(root, &request.run)?;
    let limits = Limits::seconds(request.seconds.min(MOST_SECONDS).into());
    let mut text = String::from("set -e\n");
    for line in &request.lines {
        text += line;
        text.push('\n');
    }
    // As an argument and not on standard input, which the programs in the lines may read.
    let mut shell = command::command("sh");
    shell.arg("-c").arg(&text);
    let output = run(&mut shell, b"", limits).map_err(|error| cannot_run("sh", &error))?;
    let complaint = match output.status {
        Some(_) => last_words(&output),
        None => format!("it did not end within {} s", limits.time.as_secs()),
    };
    Ok(Reply::Ran {
        code: output.status.and_then(|status| status.code()),
        complaint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(lines: &[&str]) -> (tempfile::TempDir, Reply) {
        let directory = tempfile::tempdir().unwrap();
        let request = Script {
            run: "test".to_owned(),
            lines: lines
                .iter()
                .map(|line| line.replace("HERE", &directory.path().display().to_string()))
                .collect(),
            seconds: 20,
        };
        let reply = script(&Root::at(directory.path()), &request).unwrap();
        (directory, reply)
    }

    #[test]
    fn lines_run_in_one_shell_one_after_the_other() {
        let (directory, reply) = ran(&["name=web1", "cat > HERE/file <<'EOF'", "a $name", "EOF"]);
        let expected = Reply::Ran {
            code: Some(0),
            complaint: String::new(),
        };
        assert_eq!(reply, expected);
        let text = std::fs::read_to_string(directory.path().join("file")).unwrap();
        assert_eq!(text, "a $name\n");
    }

    #[test]
    fn the_first_line_that_fails_ends_it_with_its_reason() {
        let (directory, reply) = ran(&["echo no such server >&2", "false", "touch HERE/file"]);
        let expected = Reply::Ran {
            code: Some(1),
            complaint: "no such server".to_owned(),
        };
        assert_eq!(reply, expected);
        assert!(!directory.path().join("file").exists());
    }

    #[test]
    fn an_empty_script_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let request = Script {
            run: "test".to_owned(),
            lines: Vec::new(),
            seconds: 1,
        };
        assert!(script(&Root::at(directory.path()), &request).is_err());
    }
}
