//! QEMU's monitor: JSON commands over a Unix socket (`docs/interop/qmp-spec.txt` of QEMU).

use std::io::{self, BufRead, BufReader, IoSlice, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest line of the monitor that is read, bytes.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Longest time that QEMU stays in `finish-migrate` after a completed migration.
const FINISH_LIMIT: Duration = Duration::from_secs(60);

/// Why a monitor command did not work.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The connection broke or timed out.
    #[error("the connection to QEMU's monitor failed")]
    Connection(#[from] io::Error),
    /// QEMU closed the connection: it ended.
    #[error("QEMU ended")]
    Ended,
    /// QEMU answered with an error.
    #[error("QEMU refused `{command}`: {description}")]
    Refused {
        command: String,
        /// QEMU's words.
        description: String,
    },
    /// A migration did not complete.
    #[error("QEMU could not {direction} the machine's state: {description}")]
    Migration {
        /// `save` or `load`.
        direction: &'static str,
        /// QEMU's words, or the state it ended in.
        description: String,
    },
    /// What came was no QMP.
    #[error("QEMU's monitor said something unexpected: {line}")]
    Unexpected { line: String },
}

/// What QEMU sends.
#[derive(Debug, PartialEq)]
enum Message {
    Greeting,
    Event,
    Return(Value),
    Error(String),
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "QMP")]
    greeting: Option<Value>,
    event: Option<String>,
    #[serde(default, rename = "return", deserialize_with = "present")]
    answer: Option<Value>,
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    desc: String,
}

/// Keeps `"return": null` apart from no `return` at all.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

fn parse(line: &str) -> Result<Message, QmpError> {
    let unexpected = || QmpError::Unexpected {
        line: line.chars().take(200).collect(),
    };
    let wire: Wire = serde_json::from_str(line).map_err(|_| unexpected())?;
    match wire {
        Wire {
            error: Some(error), ..
        } => Ok(Message::Error(error.desc)),
        Wire {
            answer: Some(answer),
            ..
        } => Ok(Message::Return(answer)),
        Wire { event: Some(_), .. } => Ok(Message::Event),
        Wire {
            greeting: Some(_), ..
        } => Ok(Message::Greeting),
        _ => Err(unexpected()),
    }
}

/// A connection to the monitor, past its greeting.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects; every later wait is bounded by `limit`.
    ///
    /// # Errors
    /// [`QmpError::Connection`] when nobody listens or answers.
    pub fn connect(socket: &Path, limit: Duration) -> Result<Self, QmpError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        let mut qmp = Self {
            reader: BufReader::new(stream),
        };
        match qmp.next()? {
            Message::Greeting => {}
            other => {
                return Err(QmpError::Unexpected {
                    line: format!("{other:?} in place of a greeting"),
                });
            }
        }
        qmp.execute("qmp_capabilities", Value::Null)?;
        Ok(qmp)
    }

    /// Runs one command and returns its answer; events that come in between are of no interest here.
    ///
    /// # Errors
    /// [`QmpError::Refused`] with QEMU's words, or what [`QmpError`] says of the connection.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let bytes = request(command, arguments);
        self.reader.get_mut().write_all(&bytes)?;
        self.answer(command)
    }

    /// Stops the machine's processors, writes its whole state to `file`, and leaves it stopped.
    ///
    /// # Errors
    /// [`QmpError::Migration`] when QEMU could not write it.
    pub fn save_state(&mut self, file: BorrowedFd<'_>, limit: Duration) -> Result<(), QmpError> {
        self.execute("stop", Value::Null)?;
        self.unbounded_bandwidth()?;
        self.hand_over(file)?;
        self.execute("migrate", json!({"uri": "fd:state"}))?;
        self.finish_migration("save", limit)
    }

    /// Loads a state written by [`Qmp::save_state`] into a machine started with `-incoming defer`, and
    /// leaves it stopped.
    ///
    /// # Errors
    /// [`QmpError::Migration`] or [`QmpError::Ended`]: QEMU ends when a state does not fit the machine.
    pub fn load_state(&mut self, file: BorrowedFd<'_>, limit: Duration) -> Result<(), QmpError> {
        self.hand_over(file)?;
        self.execute("migrate-incoming", json!({"uri": "fd:state"}))?;
        self.finish_migration("load", limit)
    }

    /// Lets the processors run.
    ///
    /// QEMU calls a migration completed a moment before it leaves the run state `finish-migrate`, in which it
    /// refuses to (`qmp_cont` in monitor/qmp-cmds.c).
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn resume(&mut self) -> Result<(), QmpError> {
        let deadline = Instant::now() + FINISH_LIMIT;
        while self.execute("query-status", Value::Null)?["status"] == "finish-migrate"
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.execute("cont", Value::Null).map(drop)
    }

    /// Lets the processors run if the process that saved the state was killed before it did so.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn resume_if_abandoned(&mut self) -> Result<(), QmpError> {
        let status = self.execute("query-status", Value::Null)?;
        if status["running"] == Value::Bool(true) {
            return Ok(());
        }
        // A save that is still under way would stop them again when it ends.
        self.execute("migrate_cancel", Value::Null)?;
        self.resume()
    }

    /// QEMU's default would stretch the save to seconds.
    fn unbounded_bandwidth(&mut self) -> Result<(), QmpError> {
        let bytes_per_second = 1u64 << 40;
        self.execute(
            "migrate-set-parameters",
            json!({"max-bandwidth": bytes_per_second}),
        )
        .map(drop)
    }

    /// Gives QEMU a copy of `file` under the name `state` (`getfd`; the descriptor travels beside the text).
    fn hand_over(&mut self, file: BorrowedFd<'_>) -> Result<(), QmpError> {
        let bytes = request("getfd", json!({"fdname": "state"}));
        let descriptors = [file.as_raw_fd()];
        sendmsg::<UnixAddr>(
            self.reader.get_ref().as_raw_fd(),
            &[IoSlice::new(&bytes)],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::empty(),
            None,
        )
        .map_err(io::Error::from)
        .and_then(|sent| {
            if sent == bytes.len() {
                Ok(())
            } else {
                Err(io::ErrorKind::WriteZero.into())
            }
        })?;
        self.answer("getfd").map(drop)
    }

    fn finish_migration(
        &mut self,
        direction: &'static str,
        limit: Duration,
    ) -> Result<(), QmpError> {
        let deadline = Instant::now() + limit;
        loop {
            let answer = self.execute("query-migrate", Value::Null)?;
            let status = answer["status"].as_str().unwrap_or("unknown");
            match status {
                "completed" => return Ok(()),
                "failed" | "cancelled" | "cancelling" => {
                    return Err(QmpError::Migration {
                        direction,
                        description: answer["error-desc"].as_str().unwrap_or(status).to_owned(),
                    });
                }
                _ if Instant::now() >= deadline => {
                    return Err(QmpError::Migration {
                        direction,
                        description: format!("it is still {status} after {} s", limit.as_secs()),
                    });
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn answer(&mut self, command: &str) -> Result<Value, QmpError> {
        loop {
            match self.next()? {
                Message::Return(answer) => return Ok(answer),
                Message::Error(description) => {
                    return Err(QmpError::Refused {
                        command: command.to_owned(),
                        description,
                    });
                }
                Message::Event | Message::Greeting => {}
            }
        }
    }

    fn next(&mut self) -> Result<Message, QmpError> {
        let mut line = Vec::new();
        let limited = &mut io::Read::take(&mut self.reader, MAX_LINE_BYTES as u64);
        limited.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(QmpError::Ended);
        }
        parse(String::from_utf8_lossy(&line).trim())
    }
}

fn request(command: &str, arguments: Value) -> Vec<u8> {
    let message = match arguments {
        Value::Null => json!({"execute": command}),
        arguments => json!({"execute": command, "arguments": arguments}),
    };
    let mut bytes = message.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_line_is_recognised() {
        let greeting = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}"#;
        assert_eq!(parse(greeting).unwrap(), Message::Greeting);
        let event = r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
        assert_eq!(parse(event).unwrap(), Message::Event);
        assert_eq!(
            parse(r#"{"return": {}}"#).unwrap(),
            Message::Return(json!({}))
        );
        assert_eq!(
            parse(r#"{"return": null}"#).unwrap(),
            Message::Return(Value::Null)
        );
        let error = r#"{"error": {"class": "GenericError", "desc": "No file descriptor"}}"#;
        assert_eq!(
            parse(error).unwrap(),
            Message::Error("No file descriptor".to_owned())
        );
        assert!(parse("{}").is_err());
        assert!(parse("Segmentation fault").is_err());
    }

    fn served(script: &'static [&'static str]) -> (tempfile::TempDir, thread::JoinHandle<()>) {
        let directory = tempfile::tempdir().unwrap();
        let listener =
            std::os::unix::net::UnixListener::bind(directory.path().join("qmp")).unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut stream = stream;
            for (at, line) in script.iter().enumerate() {
                if at > 0 {
                    reader.read_line(&mut String::new()).unwrap();
                }
                stream.write_all(line.as_bytes()).unwrap();
            }
        });
        (directory, server)
    }

    #[test]
    fn events_before_the_answer_are_passed_over_and_errors_name_the_command() {
        let (directory, server) = served(&[
            "{\"QMP\": {}}\r\n",
            "{\"return\": {}}\r\n",
            "{\"event\": \"STOP\"}\r\n{\"return\": {\"status\": \"paused\"}}\r\n",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n",
        ]);
        let mut qmp = Qmp::connect(&directory.path().join("qmp"), Duration::from_secs(10)).unwrap();
        let answer = qmp.execute("query-status", Value::Null).unwrap();
        assert_eq!(answer["status"], "paused");
        let error = qmp.execute("cont", Value::Null).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused `cont`: no");
        server.join().unwrap();
        assert!(matches!(
            qmp.execute("cont", Value::Null),
            Err(QmpError::Ended | QmpError::Connection(_))
        ));
    }

    #[test]
    fn a_machine_whose_migration_is_being_finished_is_resumed_after_that() {
        let (directory, server) = served(&[
            "{\"QMP\": {}}\r\n",
            "{\"return\": {}}\r\n",
            "{\"return\": {\"status\": \"finish-migrate\", \"running\": false}}\r\n",
            "{\"return\": {\"status\": \"postmigrate\", \"running\": false}}\r\n",
            "{\"return\": {}}\r\n",
        ]);
        let mut qmp = Qmp::connect(&directory.path().join("qmp"), Duration::from_secs(10)).unwrap();
        qmp.resume().unwrap();
        server.join().unwrap();
    }

    proptest! {
        #[test]
        fn any_line_parses_or_is_refused(line in "\\PC{0,200}") {
            let _ = parse(&line);
        }
    }
}
