//! Why something with the sandbox did not work, and what the person can do about it.

mod console;
mod machine;
mod request;

use std::io;
use std::path::{Path, PathBuf};

pub use console::ConsoleTail;
pub use machine::MachineError;
pub use request::RequestError;

use crate::model::LabId;

/// Why something with the sandbox did not work. `Display` leaves its source out; see [`SandboxError::hint`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// What was asked for does not fit.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The machine does not do what it should.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Another lvslab works on this lab's sandbox and did not finish in time.
    #[error("another lvslab is starting or stopping the sandbox of lab {lab}")]
    Busy { lab: LabId },
    /// No sandbox of this lab runs.
    #[error("no sandbox of lab {lab} is running")]
    NotRunning { lab: LabId },
    /// The machine runs, and nothing can be asked of it.
    #[error("the sandbox of lab {lab} runs, but its sockets in {} are gone", .runtime.display())]
    SocketsGone {
        lab: LabId,
        /// Where they were.
        runtime: PathBuf,
    },
    /// The system said no to something with a file or socket.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// `read`, `create`, ...
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The sockets would not be this user's alone.
    #[error("cannot keep the sandbox's sockets in {}", .path.display())]
    RuntimeDirectory { path: PathBuf, source: io::Error },
    /// A key could not be made.
    #[error("cannot make SSH keys for the sandbox: {cause}")]
    Keys {
        /// What the generator said.
        cause: String,
    },
}

/// What an error means for whoever started the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another request would do.
    Request,
    /// Another lvslab is at it.
    Busy,
    /// There is no sandbox that answers.
    Unreachable,
    /// Something is wrong with this machine or the sandbox's.
    Failure,
}

impl SandboxError {
    /// What it means for whoever started the command.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Request(error) => error.kind(),
            Self::Busy { .. } => Kind::Busy,
            Self::NotRunning { .. } | Self::SocketsGone { .. } => Kind::Unreachable,
            Self::Machine(_)
            | Self::Io { .. }
            | Self::RuntimeDirectory { .. }
            | Self::Keys { .. } => Kind::Failure,
        }
    }

    /// What to do next, where that is not plain from the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Request(error) => error.hint(),
            Self::Machine(error) => error.hint(),
            Self::Busy { .. } => Some("wait for it, or look for it with `ps`".to_owned()),
            Self::NotRunning { .. } => {
                Some("`lvslab sandbox status` shows what is running".to_owned())
            }
            Self::SocketsGone { lab, .. } => Some(format!(
                "its hosts still answer `lvslab ssh`; `lvslab up` ends it and starts the lab anew, \
                 `lvslab down {lab}` ends it"
            )),
            Self::RuntimeDirectory { .. } => {
                Some("set XDG_RUNTIME_DIR to a directory that is yours alone".to_owned())
            }
            Self::Io { .. } | Self::Keys { .. } => None,
        }
    }

    /// With its source, for where it is not the end of a command.
    pub(crate) fn in_full(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    /// For `map_err`: what was being done to which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_dead_machine_shows_the_end_of_its_console_without_control_characters() {
        let console: String = (0..40).map(|n| format!("line {n}\r\n\n")).collect();
        let error = MachineError::Died {
            doing: "booting".to_owned(),
            console: ConsoleTail::of(format!("{console}\x1b[31mKernel panic\x1b[0m").as_bytes()),
        };
        let text = error.to_string();
        assert!(text.starts_with(
            "the sandbox machine ended while booting; its console ended with\n    line 16\n"
        ));
        assert!(text.ends_with("\n    line 39\n    [31mKernel panic[0m"));
    }

    #[test]
    fn an_empty_console_is_said_to_be_empty() {
        let error = MachineError::Timeout {
            doing: "booting".to_owned(),
            limit: Duration::from_secs(60),
            console: ConsoleTail::of(b""),
        };
        assert_eq!(
            error.to_string(),
            "the sandbox machine did not answer within 60 s while booting; its console is empty"
        );
    }
}
