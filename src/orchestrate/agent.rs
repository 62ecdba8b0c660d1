//! One agent process on one host: started through the host's master, uploaded first where it is missing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::conversation::{Answer, Conversation, Patience};
use super::failure::{Cause, ConversationFailure, PrivilegeFailure, UploadFailure};
use super::session::{self, Connected, Destination, local};
use super::upload::{AgentBinary, EXIT_CORRUPT, EXIT_MISSING, EXIT_NO_SUDO, EXIT_NOT_WRITTEN};
use super::within::within;
use crate::agent::protocol::Request;
use crate::resource::ResourceId;
use crate::sys::pace::Pace;
use crate::sys::progress::Progress;

/// Longest time in which a host takes not one byte of an upload.
const STALL: Duration = Duration::from_secs(60);
/// Longest time between the end of a process's output and its exit.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How much of standard error is kept, bytes.
const KEPT_STDERR: usize = 4096;
/// sudo(8)'s exit code when it refuses to run the command.
const SUDO_FAILED: i32 = 1;
/// Bytes per write of an upload; progress is shown in these.
const CHUNK: usize = 32 * 1024;

/// A running agent that has said hello.
#[derive(Debug)]
pub struct Agent {
    conversation: Conversation<ChildStdout, ChildStdin>,
    process: Process,
}

impl Agent {
    /// Connects, and starts the agent.
    ///
    /// # Errors
    /// Anything of [`Cause`] but [`Cause::Agent`].
    pub async fn start(
        to: &Destination,
        binary: &AgentBinary,
        progress: &dyn Progress,
    ) -> Result<Self, Cause> {
        let connected = session::open(to).await?;
        match Self::start_over(to, &connected, binary, progress).await {
            Err(Cause::Conversation(_)) if connected.resumed => {
                // The connection may have died while it was idle: that says nothing about the host.
                let fresh = session::open_fresh(to).await?;
                Self::start_over(to, &fresh, binary, progress).await
            }
            result => result,
        }
    }

    async fn start_over(
        to: &Destination,
        connected: &Connected,
        binary: &AgentBinary,
        progress: &dyn Progress,
    ) -> Result<Self, Cause> {
        let session = &connected.session;
        let (process, stdin, stdout) =
            Process::spawn(session, &binary.start_command(), to.pace).await?;
        let mut conversation = Conversation::new(stdout, stdin, Patience::at(to.pace));
        match conversation.greeting().await {
            Ok(()) => Ok(Self {
                conversation,
                process,
            }),
            Err(ConversationFailure::Ended { .. }) => match process.end().await {
                End {
                    code: Some(EXIT_MISSING),
                    ..
                } => Self::upload(to, session, binary, progress).await,
                end => Err(end.before_greeting()),
            },
            Err(failure) => Err(Cause::Conversation(failure)),
        }
    }

    async fn upload(
        to: &Destination,
        session: &Arc<Session>,
        binary: &AgentBinary,
        progress: &dyn Progress,
    ) -> Result<Self, Cause> {
        let host = to.host.as_str();
        progress.doing(host, "uploading the agent");
        let compressed = binary
            .compressed()
            .map_err(|error| local("read the running program", &error))?;
        let command = binary.upload_command(compressed.len());
        let (process, mut stdin, stdout) = Process::spawn(session, &command, to.pace).await?;
        let total = compressed.len() as u64;
        let mut done = 0;
        for chunk in compressed.chunks(CHUNK) {
            match within(STALL, to.pace, stdin.write_all(chunk)).await {
                Some(Ok(())) => {
                    done += chunk.len() as u64;
                    progress.amount(host, done, total);
                }
                // The other side has given up; its exit code says why.
                Some(Err(_)) => return Err(process.end().await.before_greeting()),
                None => return Err(Cause::Upload(UploadFailure::Stalled { after: STALL })),
            }
        }
        let mut conversation = Conversation::new(stdout, stdin, Patience::at(to.pace));
        match conversation.greeting().await {
            Ok(()) => Ok(Self {
                conversation,
                process,
            }),
            Err(ConversationFailure::Ended { .. }) => Err(process.end().await.before_greeting()),
            Err(failure) => Err(Cause::Conversation(failure)),
        }
    }

    /// One request and its answer, with the agent, which can be asked again.
    ///
    /// # Errors
    /// When the conversation breaks; the agent is gone then.
    pub async fn ask(
        mut self,
        request: &Request,
        progress: impl FnMut(&ResourceId),
    ) -> Result<(Self, Answer), Cause> {
        match self.conversation.ask(request, progress).await {
            Ok(answer) => Ok((self, answer)),
            Err(ConversationFailure::Ended { .. }) => Err(self.process.end().await.cause()),
            Err(failure) => Err(Cause::Conversation(failure)),
        }
    }
}

/// A remote process and what it says on standard error.
#[derive(Debug)]
struct Process {
    child: Child<Arc<Session>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    pace: Pace,
}

/// How a remote process ended.
#[derive(Debug)]
struct End {
    /// Exit code; `None` when it was killed or the connection broke.
    code: Option<i32>,
    /// Whether the connection is still there.
    connected: bool,
    /// The last of its standard error.
    stderr: String,
}

impl Process {
    async fn spawn(
        session: &Arc<Session>,
        command: &str,
        pace: Pace,
    ) -> Result<(Self, ChildStdin, ChildStdout), Cause> {
        let mut child = Arc::clone(session)
            .arc_raw_command(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(|error| lost(&error))?;
        let (Some(stdin), Some(stdout), Some(errors)) = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        ) else {
            return Err(Cause::Conversation(ConversationFailure::Lost {
                detail: "a standard stream is missing".to_owned(),
            }));
        };
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let reader = tokio::spawn(keep_tail(errors, Arc::clone(&stderr)));
        let process = Self {
            child,
            stderr,
            reader,
            pace,
        };
        Ok((process, stdin, stdout))
    }

    /// Waits for the end of a process that has ended its output already.
    async fn end(self) -> End {
        let session = self.child.session();
        // First: the exit code may arrive ahead of the last words, which are lost with the channel then.
        let _ = within(LAST_WORDS, self.pace, self.reader).await;
        let code = match within(LAST_WORDS, self.pace, self.child.wait()).await {
            Some(Ok(status)) => status.code(),
            // The crate's word for exit code 127.
            Some(Err(openssh::Error::Remote(_))) => Some(127),
            Some(Err(_)) | None => None,
        };
        let connected = code.is_some()
            || matches!(
                within(LAST_WORDS, self.pace, session.check()).await,
                Some(Ok(()))
            );
        let kept = match self.stderr.lock() {
            Ok(kept) => kept,
            Err(poisoned) => poisoned.into_inner(),
        };
        End {
            code,
            connected,
            stderr: String::from_utf8_lossy(&kept).trim().to_owned(),
        }
    }
}

impl End {
    /// The cause of an end before the agent's first message.
    fn before_greeting(self) -> Cause {
        let code = self.code;
        if self.connected
            && code == Some(SUDO_FAILED)
            && let Some(refusal) = refusal_of_sudo(&self.stderr)
        {
            return Cause::Privilege(refusal);
        }
        match self.cause() {
            Cause::Conversation(ConversationFailure::Ended { stderr }) => {
                Cause::Conversation(ConversationFailure::NotStarted { code, stderr })
            }
            cause => cause,
        }
    }

    fn cause(self) -> Cause {
        let stderr = self.stderr;
        if !self.connected {
            return Cause::Conversation(ConversationFailure::Lost {
                detail: "ssh ended".to_owned(),
            });
        }
        match self.code {
            Some(EXIT_NO_SUDO) => Cause::Privilege(PrivilegeFailure::NoSudo),
            Some(EXIT_CORRUPT) => Cause::Upload(UploadFailure::Corrupt),
            Some(EXIT_NOT_WRITTEN | EXIT_MISSING) => {
                Cause::Upload(if stderr.contains("No space left on device") {
                    UploadFailure::DiskFull
                } else {
                    UploadFailure::Other { detail: stderr }
                })
            }
            _ => Cause::Conversation(ConversationFailure::Ended { stderr }),
        }
    }
}

/// Why sudo(8) did not run the command: its last message, because warnings come before errors. That it cannot resolve
/// the host's own name is such a warning.
fn refusal_of_sudo(stderr: &str) -> Option<PrivilegeFailure> {
    let said = |line: &'_ str| {
        let after_name = line.strip_prefix("sudo:").map(str::trim_start);
        after_name
            .or_else(|| line.starts_with("Sorry, user ").then_some(line))
            .filter(|said| !said.starts_with("unable to resolve host"))
            .map(str::to_owned)
    };
    let detail = stderr.lines().rev().find_map(said)?;
    Some(if detail.contains("password is required") {
        PrivilegeFailure::PasswordNeeded
    } else if detail.contains("must have a tty") {
        PrivilegeFailure::TerminalNeeded
    } else {
        PrivilegeFailure::NotAllowed { detail }
    })
}

async fn keep_tail(mut from: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Ok(mut kept) = kept.lock() else { return };
        kept.extend_from_slice(&buffer[..read]);
        let surplus = kept.len().saturating_sub(KEPT_STDERR);
        kept.drain(..surplus);
    }
}

pub(super) fn lost(error: &openssh::Error) -> Cause {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    Cause::Conversation(ConversationFailure::Lost { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i32>, stderr: &str) -> End {
        End {
            code,
            connected: true,
            stderr: stderr.to_owned(),
        }
    }

    fn end(code: Option<i32>, stderr: &str) -> Cause {
        ended(code, stderr).cause()
    }

    const WARNING: &str = "sudo: unable to resolve host web2: Name or service not known";

    #[test]
    fn the_last_words_of_a_sudo_that_failed_say_why() {
        let not_allowed = |detail: &str| PrivilegeFailure::NotAllowed {
            detail: detail.to_owned(),
        };
        for (stderr, refusal) in [
            (
                "sudo: a password is required",
                PrivilegeFailure::PasswordNeeded,
            ),
            (
                "sudo: sorry, you must have a tty to run sudo",
                PrivilegeFailure::TerminalNeeded,
            ),
            (
                "Sorry, user ann is not allowed to execute '/bin/sh' as root on web2.",
                not_allowed("Sorry, user ann is not allowed to execute '/bin/sh' as root on web2."),
            ),
            (
                "sudo: no valid sudoers sources found, quitting",
                not_allowed("no valid sudoers sources found, quitting"),
            ),
        ] {
            let stderr =
                format!("{WARNING}\nsudo: setrlimit(RLIMIT_CORE): not permitted\n{stderr}");
            assert_eq!(
                ended(Some(SUDO_FAILED), &stderr).before_greeting(),
                Cause::Privilege(refusal)
            );
        }
    }

    #[test]
    fn a_warning_of_sudo_hides_no_other_failure() {
        let full = format!("{WARNING}\ngzip: stdout: No space left on device");
        assert_eq!(
            ended(Some(EXIT_NOT_WRITTEN), &full).before_greeting(),
            Cause::Upload(UploadFailure::DiskFull)
        );
        for code in [Some(126), Some(SUDO_FAILED)] {
            assert_eq!(
                ended(code, WARNING).before_greeting(),
                Cause::Conversation(ConversationFailure::NotStarted {
                    code,
                    stderr: WARNING.to_owned()
                })
            );
        }
        assert_eq!(
            end(Some(1), "sudo: a password is required"),
            Cause::Conversation(ConversationFailure::Ended {
                stderr: "sudo: a password is required".to_owned()
            }),
            "an agent that has spoken runs as root"
        );
    }

    #[test]
    fn exit_codes_and_words_of_the_other_side_become_causes() {
        assert_eq!(
            end(Some(EXIT_NO_SUDO), ""),
            Cause::Privilege(PrivilegeFailure::NoSudo)
        );
        assert_eq!(
            end(
                Some(EXIT_NOT_WRITTEN),
                "gzip: stdout: No space left on device"
            ),
            Cause::Upload(UploadFailure::DiskFull)
        );
        assert_eq!(
            end(Some(EXIT_CORRUPT), ""),
            Cause::Upload(UploadFailure::Corrupt)
        );
        assert_eq!(
            end(None, "Killed"),
            Cause::Conversation(ConversationFailure::Ended {
                stderr: "Killed".to_owned()
            })
        );
        let cut = End {
            code: None,
            connected: false,
            stderr: String::new(),
        };
        assert!(matches!(
            cut.cause(),
            Cause::Conversation(ConversationFailure::Lost { .. })
        ));
    }
}
