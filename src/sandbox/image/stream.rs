//! Runs a program and reads its standard output and error, in one stream, line by line.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus};

/// Runs `command` to its end; `line` gets each line it writes, without line ends and terminal escapes.
///
/// # Errors
/// When it cannot be started, read from or waited for.
pub(super) fn run(command: Command, mut line: impl FnMut(&str)) -> io::Result<ExitStatus> {
    let (mut child, reader) = spawn(command)?;
    let read = lines(reader, &mut line);
    let status = child.wait()?;
    read?;
    Ok(status)
}

/// Starts `command` with its output going into one pipe.
pub(super) fn spawn(mut command: Command) -> io::Result<(Child, io::PipeReader)> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn()?;
    // The command holds the pipe's writing end, and only the child's copy may stay open.
    drop(command);
    Ok((child, reader))
}

/// Feeds the lines of `reader` to `line` until its end. A carriage return ends a line too: that is how
/// programs overwrite their progress.
pub(super) fn lines(reader: impl io::Read, line: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut buffer = Vec::new();
    while reader.read_until(b'\n', &mut buffer)? > 0 {
        let text = String::from_utf8_lossy(&buffer);
        for part in text.split(['\n', '\r']) {
            let clean = console::strip_ansi_codes(part);
            let clean = clean.trim_end_matches(|c: char| c.is_control() || c == ' ');
            if !clean.is_empty() {
                line(clean);
            }
        }
        buffer.clear();
    }
    Ok(())
}

/// The last lines of a stream.
#[derive(Debug)]
pub(super) struct Tail {
    kept: VecDeque<String>,
    limit: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            kept: VecDeque::with_capacity(limit),
            limit,
        }
    }

    pub(super) fn push(&mut self, line: &str) {
        if self.kept.len() == self.limit {
            self.kept.pop_front();
        }
        self.kept.push_back(line.to_owned());
    }
}

impl std::fmt::Display for Tail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, line) in self.kept.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            formatter.write_str(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_arrive_in_order_without_escapes() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            r"printf 'one\n'; printf '\033[31mtwo\033[0m\r\n' >&2; printf '1%%\r2%%'; exit 3",
        ]);
        let mut seen = Vec::new();
        let status = run(command, |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two", "1%", "2%"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let mut tail = Tail::new(2);
        for line in ["a", "b", "c"] {
            tail.push(line);
        }
        assert_eq!(tail.to_string(), "b\nc");
    }

    #[test]
    fn bytes_that_are_not_text_do_not_stop_the_reading() {
        let mut seen = Vec::new();
        lines(&b"\xff\xfe\nend"[..], &mut |line| {
            seen.push(line.to_owned())
        })
        .unwrap();
        assert_eq!(seen, ["\u{fffd}\u{fffd}", "end"]);
    }
}
