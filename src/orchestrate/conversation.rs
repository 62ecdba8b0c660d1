//! The controller's end of the agent's protocol, over any pair of byte streams.
//!
//! Every wait has a limit. It starts anew with each message of the agent.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::failure::ConversationFailure;
use super::within::within;
use crate::agent::protocol::{self, AgentError, MAX_FRAME_BYTES, Reply, Request};
use crate::resource::ResourceId;
use crate::sys::pace::Pace;

/// Longest times without a sign of life.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the agent's start to its first frame.
    pub greeting: Duration,
    /// While a request is served.
    pub request: fn(&Request) -> Duration,
    /// How that time passes.
    pub pace: Pace,
}

impl Patience {
    /// With an agent on a host for which time passes at this pace.
    #[must_use]
    pub fn at(pace: Pace) -> Self {
        Self {
            // Generous: under emulation one process start takes a fifth of a second, and many start at once.
            greeting: Duration::from_secs(30),
            request: longest_silence,
            pace,
        }
    }
}

/// A conversation, before or after the agent's greeting.
#[derive(Debug)]
pub struct Conversation<R, W> {
    from: R,
    to: W,
    patience: Patience,
    /// Bytes of the frame that is arriving, header included.
    arrived: Vec<u8>,
}

/// What came back for a request.
#[derive(Debug)]
pub enum Answer {
    /// The final reply.
    Reply(Reply),
    /// The agent's own refusal.
    Refused(AgentError),
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Conversation<R, W> {
    /// Over these streams, from the agent's standard output and to its standard input.
    pub fn new(from: R, to: W, patience: Patience) -> Self {
        Self {
            from,
            to,
            patience,
            arrived: Vec::new(),
        }
    }

    /// Waits for the agent's hello.
    ///
    /// # Errors
    /// [`ConversationFailure::Ended`] when there was no agent to start, `Garbage` when something else
    /// talks, `Version`, `Silent`.
    pub async fn greeting(&mut self) -> Result<(), ConversationFailure> {
        match self.next(self.patience.greeting).await? {
            Reply::Hello { protocol, .. } if protocol == protocol::VERSION => Ok(()),
            Reply::Hello { protocol, .. } => Err(ConversationFailure::Version { theirs: protocol }),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends `request` and waits for its final reply, handing progress on as it comes.
    ///
    /// # Errors
    /// When the conversation breaks; it is of no further use then.
    pub async fn ask(
        &mut self,
        request: &Request,
        mut progress: impl FnMut(&ResourceId),
    ) -> Result<Answer, ConversationFailure> {
        let patience = (self.patience.request)(request);
        self.send(request, patience).await?;
        loop {
            match self.next(patience).await? {
                Reply::Progress { resource } => progress(&resource),
                Reply::Failed(error) => return Ok(Answer::Refused(error)),
                Reply::Hello { protocol, .. } => {
                    return Err(ConversationFailure::Version { theirs: protocol });
                }
                reply => return Ok(Answer::Reply(reply)),
            }
        }
    }

    async fn send(
        &mut self,
        request: &Request,
        patience: Duration,
    ) -> Result<(), ConversationFailure> {
        let body =
            serde_json::to_vec(request).map_err(|error| ConversationFailure::Undecodable {
                detail: format!("the request itself: {error}"),
            })?;
        let length = u32::try_from(body.len())
            .ok()
            .filter(|length| *length <= MAX_FRAME_BYTES)
            .ok_or(ConversationFailure::TooLarge { bytes: body.len() })?;
        let mut frame = Vec::with_capacity(body.len() + 4);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&body);
        let write = async {
            self.to.write_all(&frame).await?;
            self.to.flush().await
        };
        match within(patience, self.patience.pace, write).await {
            Some(Ok(())) => Ok(()),
            // A pipe nobody reads from any more: the agent is gone, like an end of its output.
            Some(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Err(ended_without_words())
            }
            Some(Err(error)) => Err(lost(&error)),
            None => Err(ConversationFailure::Silent { after: patience }),
        }
    }

    async fn next(&mut self, patience: Duration) -> Result<Reply, ConversationFailure> {
        match within(patience, self.patience.pace, self.frame()).await {
            Some(reply) => reply,
            None => Err(ConversationFailure::Silent { after: patience }),
        }
    }

    async fn frame(&mut self) -> Result<Reply, ConversationFailure> {
        self.arrived.clear();
        self.fill(4).await?;
        let length = u32::from_be_bytes([
            self.arrived[0],
            self.arrived[1],
            self.arrived[2],
            self.arrived[3],
        ]);
        if length > MAX_FRAME_BYTES {
            return Err(self.garbage().await);
        }
        self.fill(4 + length as usize).await?;
        let body = &self.arrived[4..];
        serde_json::from_slice(body).map_err(|error| ConversationFailure::Undecodable {
            detail: error.to_string(),
        })
    }

    /// Reads until `wanted` bytes of this frame are here. Memory grows with what arrives, not with what was announced.
    async fn fill(&mut self, wanted: usize) -> Result<(), ConversationFailure> {
        while self.arrived.len() < wanted {
            let missing = (wanted - self.arrived.len()) as u64;
            let read = (&mut self.from)
                .take(missing)
                .read_buf(&mut self.arrived)
                .await
                .map_err(|error| lost(&error))?;
            if read == 0 {
                return Err(ended_without_words());
            }
        }
        Ok(())
    }

    /// The text that came instead of a frame: what has arrived, and what follows within a moment.
    async fn garbage(&mut self) -> ConversationFailure {
        let more = self.fill(120);
        let _ = timeout(Duration::from_millis(200), more).await;
        let text = String::from_utf8_lossy(&self.arrived);
        ConversationFailure::Garbage {
            start: text.trim().chars().take(60).collect(),
        }
    }
}

/// Longest time without a sign of life while `request` is being served.
fn longest_silence(request: &Request) -> Duration {
    let seconds = match request {
        Request::Facts { .. }
        | Request::Observe { .. }
        | Request::Collect(_)
        | Request::Announce { .. }
        | Request::CaptureStart(_)
        | Request::CaptureStop(_) => 60,
        // One resource is the unit of progress here, and a package from a slow mirror is one resource.
        Request::Apply(_) | Request::Confirm { .. } | Request::Revert { .. } => 15 * 60,
        Request::Fetch(fetch) => u64::from(fetch.total_seconds) + 30,
        Request::Script(script) => u64::from(script.seconds) + 30,
    };
    Duration::from_secs(seconds)
}

/// For an answer of the wrong kind.
pub(super) fn unexpected(reply: &Reply) -> ConversationFailure {
    let kind = serde_json::to_value(reply)
        .ok()
        .and_then(|value| value.get("reply")?.as_str().map(str::to_owned))
        .unwrap_or_default();
    ConversationFailure::Undecodable {
        detail: format!("`{kind}` where another reply was due"),
    }
}

fn ended_without_words() -> ConversationFailure {
    ConversationFailure::Ended {
        stderr: String::new(),
    }
}

fn lost(error: &std::io::Error) -> ConversationFailure {
    ConversationFailure::Lost {
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    use super::*;

    /// What the tests of silence wait for; the others end long before.
    const SHORT: Duration = Duration::from_millis(500);

    type Memory = Conversation<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

    fn pair() -> (Memory, DuplexStream) {
        let (ours, theirs) = duplex(1 << 16);
        let (from, to) = split(ours);
        let patience = Patience {
            greeting: SHORT,
            request: |_| SHORT,
            pace: Pace::Wall,
        };
        (Conversation::new(from, to, patience), theirs)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn framed(reply: &Reply) -> Vec<u8> {
        let body = serde_json::to_vec(reply).unwrap();
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(body);
        frame
    }

    fn hello() -> Reply {
        Reply::Hello {
            protocol: protocol::VERSION,
            version: "0.1.0".to_owned(),
        }
    }

    fn observe() -> Request {
        Request::Observe {
            resources: Vec::new(),
        }
    }

    async fn read_request(theirs: &mut DuplexStream) -> Request {
        let length = theirs.read_u32().await.unwrap();
        let mut body = vec![0; length as usize];
        theirs.read_exact(&mut body).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn progress_is_handed_on_until_the_final_reply() {
        run(async {
            let (mut conversation, mut theirs) = pair();
            let agent = async {
                theirs.write_all(&framed(&hello())).await.unwrap();
                assert_eq!(read_request(&mut theirs).await, observe());
                for name in ["package httpd", "service httpd"] {
                    let resource = ResourceId(name.to_owned());
                    theirs
                        .write_all(&framed(&Reply::Progress { resource }))
                        .await
                        .unwrap();
                }
                let reply = Reply::Observed {
                    observed: Vec::new(),
                };
                theirs.write_all(&framed(&reply)).await.unwrap();
            };
            let controller = async {
                conversation.greeting().await.unwrap();
                let mut seen = Vec::new();
                let answer = conversation
                    .ask(&observe(), |resource| seen.push(resource.to_string()))
                    .await
                    .unwrap();
                assert!(matches!(answer, Answer::Reply(Reply::Observed { .. })));
                assert_eq!(seen, ["package httpd", "service httpd"]);
            };
            tokio::join!(agent, controller);
        });
    }

    #[test]
    fn an_agent_that_dies_in_the_middle_of_a_frame_is_an_end_not_a_hang() {
        run(async {
            let (mut conversation, mut theirs) = pair();
            let frame = framed(&hello());
            theirs.write_all(&frame[..frame.len() - 3]).await.unwrap();
            drop(theirs);
            assert!(matches!(
                conversation.greeting().await,
                Err(ConversationFailure::Ended { .. })
            ));
        });
    }

    #[test]
    fn a_chatty_login_shell_is_quoted() {
        run(async {
            let (mut conversation, mut theirs) = pair();
            theirs.write_all(b"Welcome to web1!\n").await.unwrap();
            let failure = conversation.greeting().await.unwrap_err();
            assert_eq!(
                failure,
                ConversationFailure::Garbage {
                    start: "Welcome to web1!".to_owned()
                }
            );
        });
    }

    #[test]
    fn a_silent_agent_is_given_up() {
        run(async {
            let (mut conversation, _theirs) = pair();
            assert_eq!(
                conversation.greeting().await,
                Err(ConversationFailure::Silent { after: SHORT })
            );
        });
    }

    #[test]
    fn an_agent_that_takes_no_request_is_given_up() {
        run(async {
            let (mut conversation, _theirs) = pair();
            let request = Request::Revert {
                lab: "dr".parse().unwrap(),
                run: "x".repeat(1 << 20),
                purge: false,
            };
            assert!(matches!(
                conversation.ask(&request, |_| ()).await,
                Err(ConversationFailure::Silent { .. })
            ));
        });
    }

    #[test]
    fn another_protocol_version_is_refused() {
        run(async {
            let (mut conversation, mut theirs) = pair();
            let newer = Reply::Hello {
                protocol: protocol::VERSION + 1,
                version: "9.0.0".to_owned(),
            };
            theirs.write_all(&framed(&newer)).await.unwrap();
            assert_eq!(
                conversation.greeting().await,
                Err(ConversationFailure::Version {
                    theirs: protocol::VERSION + 1
                })
            );
        });
    }

    #[test]
    fn the_agents_own_refusal_is_not_a_broken_conversation() {
        run(async {
            let (mut conversation, mut theirs) = pair();
            let refusal = Reply::Failed(AgentError::Locked {
                holder: "ann@desk 4711".to_owned(),
            });
            theirs.write_all(&framed(&refusal)).await.unwrap();
            assert!(matches!(
                conversation.ask(&observe(), |_| ()).await,
                Ok(Answer::Refused(AgentError::Locked { .. }))
            ));
        });
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_failure_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            run(async {
                let (mut conversation, mut theirs) = pair();
                theirs.write_all(&bytes).await.unwrap();
                drop(theirs);
                prop_assert!(conversation.greeting().await.is_err());
                Ok(())
            })?;
        }
    }
}
