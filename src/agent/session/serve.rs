//! One session: requests in, replies out, until the input ends.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::signals::ignore;
use crate::agent::change::apply::{Report, apply};
use crate::agent::change::machine::Machine;
use crate::agent::change::revert::{Revert, revert};
use crate::agent::change::script::script;
use crate::agent::change::trial;
use crate::agent::look::evidence::collect;
use crate::agent::look::facts::gather;
use crate::agent::probe::announce::announce;
use crate::agent::probe::capture::{self, Capture};
use crate::agent::probe::fetch::fetch;
use crate::agent::protocol::error::{because, host};
use crate::agent::protocol::frame::{self, FrameError};
use crate::agent::protocol::{AgentError, Reply, Request, VERSION};
use crate::agent::resource::Local;
use crate::agent::system::root::Root;
use crate::agent::system::ssh_connection::SshConnection;

/// Answers requests from standard input on standard output until the input ends. Log messages go to standard error.
///
/// # Errors
/// When the controller is gone, or sent something that is not a message: after that the two sides no longer agree where
/// a message begins, so the controller is told and the session ends.
pub fn serve() -> io::Result<()> {
    ignore_broken_pipes();
    let machine = Local::new(Root::machine(), SshConnection::of_this_process());
    let mut session = Session {
        machine,
        is_root: nix::unistd::geteuid().is_root(),
        output: io::stdout().lock(),
        capture: None,
        caller_is_gone: || hung_up(io::stdin().as_fd()),
    };
    session.run(io::stdin().lock())
}

/// Whether the writer of `input` is gone, even if there is still input to read.
fn hung_up(input: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(
        input,
        PollFlags::from_bits_retain(libc::POLLRDHUP),
    )];
    // poll(2) reports POLLHUP and POLLERR without being asked.
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
}

/// One session on one machine.
pub(in crate::agent) struct Session<W> {
    pub(in crate::agent) machine: Local,
    pub(in crate::agent) is_root: bool,
    pub(in crate::agent) output: W,
    /// The capture that is running.
    pub(in crate::agent) capture: Option<Capture>,
    /// Whether the controller is gone, so that no reply will be read.
    pub(in crate::agent) caller_is_gone: fn() -> bool,
}

impl<W: Write> Session<W> {
    pub(in crate::agent) fn run(&mut self, mut input: impl Read) -> io::Result<()> {
        self.send(&Reply::Hello {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })?;
        loop {
            let request: Request = match frame::read(&mut input) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(FrameError::Io(error)) => return Err(error),
                Err(error) => {
                    let cause = match &error {
                        FrameError::Malformed(below) => format!("{error}: {below}"),
                        _ => error.to_string(),
                    };
                    self.send(&Reply::Failed(because(&*cause).into()))?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
                }
            };
            let reply = self.answer(request).unwrap_or_else(Reply::Failed);
            match self.send(&reply) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.send(&Reply::Failed(host("the answer cannot be sent", error)))?;
                }
                result => result?,
            }
        }
    }

    fn send(&mut self, reply: &Reply) -> io::Result<()> {
        frame::write(&mut self.output, reply)
    }

    fn answer(&mut self, request: Request) -> Result<Reply, AgentError> {
        if !self.is_root {
            return Err(AgentError::NotRoot);
        }
        let root = self.machine.root().clone();
        let Self {
            machine,
            output,
            capture,
            caller_is_gone,
            ..
        } = self;
        let mut progress = |resource: &_| {
            let resource = Clone::clone(resource);
            frame::write(output, &Reply::Progress { resource })
        };
        match request {
            Request::Facts { lab } => Ok(Reply::Facts(Box::new(gather(machine, &lab)?))),
            Request::Observe { resources } => Ok(Reply::Observed {
                observed: resources.iter().map(|r| machine.observe(r)).collect(),
            }),
            Request::Apply(request) => {
                let Report { outcomes, on_trial } = apply(machine, &root, &request, &mut progress)?;
                Ok(Reply::Applied { outcomes, on_trial })
            }
            Request::Confirm { lab, run } => {
                Ok(Reply::TrialOver(trial::confirm(&root, &lab, &run)?))
            }
            Request::Revert { lab, run, purge } => {
                let request = Revert {
                    lab: &lab,
                    run: &run,
                    purge,
                };
                Ok(Reply::Reverted {
                    outcomes: revert(machine, &root, &request, &mut progress)?,
                })
            }
            Request::Collect(request) => Ok(Reply::Evidence(Box::new(collect(machine, &request)?))),
            Request::Fetch(request) => Ok(Reply::Fetched {
                responses: fetch(&request, caller_is_gone)?,
            }),
            Request::Script(request) => script(&root, &request),
            // A failure is no error: verification sees where the clients' packets go.
            Request::Announce { address } => Ok(Reply::Announced {
                interfaces: announce(machine, address).unwrap_or_else(|error| {
                    eprintln!("lvslab agent: {error}");
                    0
                }),
            }),
            Request::CaptureStart(request) => {
                *capture = Some(capture::start(machine, &request)?);
                Ok(Reply::CaptureStarted)
            }
            Request::CaptureStop(request) => match capture.take() {
                Some(running) => Ok(Reply::Captured(Box::new(running.stop(machine, &request)))),
                None => Err(because("no capture was started").into()),
            },
        }
    }
}

/// Makes a write to a controller that is gone an error, where the signal would end us in the middle of a change.
fn ignore_broken_pipes() {
    if let Err(error) = ignore(Signal::SIGPIPE) {
        eprintln!("lvslab agent: cannot ignore SIGPIPE: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::protocol::Apply;
    use proptest::prelude::*;

    /// What a session on an empty directory replies, and how it ends.
    fn session(is_root: bool, input: &[u8]) -> (Vec<Reply>, io::Result<()>) {
        let directory = tempfile::tempdir().unwrap();
        let mut session = Session {
            machine: Local::new(Root::at(directory.path()), None),
            is_root,
            output: Vec::new(),
            capture: None,
            caller_is_gone: || false,
        };
        let end = session.run(input);
        let mut replies = Vec::new();
        let mut written = session.output.as_slice();
        while let Some(reply) = frame::read(&mut written).unwrap() {
            replies.push(reply);
        }
        (replies, end)
    }

    fn framed(request: &Request) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, request).unwrap();
        bytes
    }

    fn apply_nothing() -> Request {
        Request::Apply(Apply {
            lab: "dr".parse().unwrap(),
            run: "test".into(),
            resources: vec![],
            confirm_within_seconds: None,
        })
    }

    #[test]
    fn it_says_hello_and_ends_with_its_input() {
        let (replies, end) = session(true, &[]);
        assert_eq!(
            replies,
            [Reply::Hello {
                protocol: VERSION,
                version: env!("CARGO_PKG_VERSION").into()
            }]
        );
        end.unwrap();
    }

    #[test]
    fn requests_are_answered_in_order() {
        let mut input = framed(&apply_nothing());
        input.extend(framed(&Request::Observe { resources: vec![] }));
        let (replies, end) = session(true, &input);
        assert_eq!(
            replies[1],
            Reply::Applied {
                outcomes: vec![],
                on_trial: false
            }
        );
        assert_eq!(replies[2], Reply::Observed { observed: vec![] });
        end.unwrap();
    }

    #[test]
    fn without_root_nothing_is_done_and_the_session_goes_on() {
        let mut input = framed(&apply_nothing());
        input.extend(framed(&apply_nothing()));
        let (replies, end) = session(false, &input);
        let refused = Reply::Failed(AgentError::NotRoot);
        assert_eq!(replies[1..], [refused.clone(), refused]);
        end.unwrap();
    }

    #[test]
    fn what_is_no_message_ends_the_session_with_a_reason() {
        let whole = framed(&apply_nothing());
        for (input, reason) in [
            (
                &b"\0\0\0\x02{}"[..],
                "a frame holds no message of this protocol: missing field `request`",
            ),
            (
                &b"\xff\xff\xff\xff"[..],
                "a frame of 4294967295 bytes is larger than",
            ),
            (
                &b"GET / HTTP/1.1\r\n"[..],
                "a frame of 1195725856 bytes is larger than",
            ),
            (
                &whole[..whole.len() - 1],
                "the input ended inside a frame, after",
            ),
        ] {
            let (replies, end) = session(true, input);
            let [_, Reply::Failed(AgentError::Host { cause, .. })] = replies.as_slice() else {
                panic!("{replies:?}");
            };
            assert!(cause.starts_with(reason), "{cause}");
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_controller_that_is_gone_ends_the_session() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut session = Session {
            machine: Local::new(Root::at(std::path::Path::new("/nonexistent")), None),
            is_root: true,
            output: Closed,
            capture: None,
            caller_is_gone: || false,
        };
        let error = session.run(&[][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_caller_that_closed_its_end_is_gone_whatever_it_left_to_read() {
        use std::net::Shutdown;
        use std::os::unix::net::UnixStream;
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        assert!(!hung_up(ours.as_fd()));
        theirs.write_all(b"a request").unwrap();
        assert!(!hung_up(ours.as_fd()));
        theirs.shutdown(Shutdown::Write).unwrap();
        assert!(hung_up(ours.as_fd()));
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"a request").unwrap();
        assert!(!hung_up(reader.as_fd()));
        drop(writer);
        assert!(hung_up(reader.as_fd()));
    }

    proptest! {
        #[test]
        fn any_input_ends_the_session_without_panic(input in any::<Vec<u8>>()) {
            let (replies, _) = session(false, &input);
            prop_assert!(!replies.is_empty(), "no greeting");
        }
    }
}
