//! The controller's end of the port to PID 1: one request, one answer, never an endless wait.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::sandbox::control::{self, Envelope, Lines, Reply, Request};
use crate::sys::pace::Wait;

/// How often a wait looks whether it still makes sense.
const SLICE: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    /// QEMU's end of the socket is gone.
    #[error("the machine ended")]
    Ended,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The caller's own check said to stop waiting.
    #[error("waiting was given up")]
    GivenUp,
    /// PID 1 said no.
    #[error("{cause}")]
    Refused {
        /// Its words.
        cause: String,
    },
    /// Something else.
    #[error("the connection to the machine failed")]
    Connection(#[from] io::Error),
}

/// A connection to PID 1.
#[derive(Debug)]
pub struct Conversation {
    stream: UnixStream,
    lines: Lines,
    next_id: u64,
}

impl Conversation {
    /// Connects to QEMU's socket. PID 1 need not be listening yet: it reads what waits for it.
    ///
    /// # Errors
    /// When nothing listens on the socket.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let random = crate::sandbox::binary::random_bytes::<8>()?;
        Ok(Self {
            stream,
            lines: Lines::default(),
            // Not from 0: an answer to a controller that was killed must not look like ours.
            next_id: u64::from_le_bytes(random) >> 1,
        })
    }

    /// Asks and waits for the answer until `wait` is over, giving up as soon as `wanted` (looked at several times a
    /// second) is false.
    ///
    /// # Errors
    /// See [`ConversationError`].
    pub fn ask(
        &mut self,
        request: Request,
        wait: &Wait,
        mut wanted: impl FnMut() -> bool,
    ) -> Result<Reply, ConversationError> {
        let id = self.next_id;
        self.next_id += 1;
        self.stream
            .write_all(&control::encode(&Envelope { id, body: request }))
            .map_err(ended_or)?;
        let mut buffer = [0; 8192];
        loop {
            while let Some(answer) = self.lines.next_message::<Reply>() {
                if answer.id == id {
                    return match answer.body {
                        Reply::Failed { cause } => Err(ConversationError::Refused { cause }),
                        reply => Ok(reply),
                    };
                }
            }
            if wait.is_over() {
                return Err(ConversationError::TimedOut);
            }
            if !wanted() {
                return Err(ConversationError::GivenUp);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ConversationError::Ended),
                Ok(length) => self.lines.push(&buffer[..length]),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(ended_or(error)),
            }
        }
    }
}

fn ended_or(error: io::Error) -> ConversationError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ConversationError::Ended,
        _ => ConversationError::Connection(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;
    use crate::sys::pace::Pace;

    fn ask(conversation: &mut Conversation, request: Request) -> Result<Reply, ConversationError> {
        conversation.ask(request, &soon(), || true)
    }

    fn soon() -> Wait {
        Wait::begin(Duration::from_secs(20), Pace::Wall)
    }

    /// A PID 1 that answers the first request with what `answer` makes of its number.
    fn answering(answer: impl Fn(u64) -> Vec<u8> + Send + 'static) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("control")).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = Lines::default();
            let mut buffer = [0; 1024];
            loop {
                let length = stream.read(&mut buffer).unwrap();
                lines.push(&buffer[..length]);
                if let Some(request) = lines.next_message::<Request>() {
                    stream.write_all(&answer(request.id)).unwrap();
                    return;
                }
            }
        });
        directory
    }

    #[test]
    fn an_answer_to_somebody_elses_request_is_skipped() {
        let machine = answering(|id| {
            let mut bytes = b"-tail of an old answer\"}}\n".to_vec();
            bytes.extend(control::encode(&Envelope {
                id: id ^ 1,
                body: Reply::Rebooted,
            }));
            bytes.extend(control::encode(&Envelope {
                id,
                body: Reply::Ready,
            }));
            bytes
        });
        let mut conversation = Conversation::connect(&machine.path().join("control")).unwrap();
        assert_eq!(
            ask(&mut conversation, Request::Ready).unwrap(),
            Reply::Ready
        );
    }

    #[test]
    fn a_refusal_carries_the_guests_words() {
        let machine = answering(|id| {
            control::encode(&Envelope {
                id,
                body: Reply::Failed {
                    cause: "no host web9".to_owned(),
                },
            })
        });
        let mut conversation = Conversation::connect(&machine.path().join("control")).unwrap();
        let error = ask(&mut conversation, Request::Status).unwrap_err();
        assert_eq!(error.to_string(), "no host web9");
    }

    #[test]
    fn a_machine_that_ends_and_one_that_is_silent_are_told_apart() {
        let machine = answering(|_| Vec::new());
        let mut conversation = Conversation::connect(&machine.path().join("control")).unwrap();
        let error = ask(&mut conversation, Request::Ready).unwrap_err();
        assert!(matches!(error, ConversationError::Ended), "{error}");

        let directory = tempfile::tempdir().unwrap();
        let _silent = UnixListener::bind(directory.path().join("control")).unwrap();
        let mut conversation = Conversation::connect(&directory.path().join("control")).unwrap();
        let error = conversation
            .ask(
                Request::Ready,
                &Wait::begin(Duration::ZERO, Pace::Wall),
                || true,
            )
            .unwrap_err();
        assert!(matches!(error, ConversationError::TimedOut), "{error}");
        let error = conversation
            .ask(Request::Ready, &soon(), || false)
            .unwrap_err();
        assert!(matches!(error, ConversationError::GivenUp), "{error}");
    }
}
