//! Why something with the sandbox did not work, and what the person can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::machine::{self, UnknownAccelerator};
use crate::model::{HostName, LabId, LabName, NameError};

/// Why something with the sandbox did not work. `Display` leaves its source out; see [`SandboxError::hint`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The running sandbox has other machines or wires than the lab now asks for.
    #[error("the running sandbox of lab {lab} has other machines than the topology: {difference}")]
    OtherShape {
        /// Lab.
        lab: LabId,
        /// First difference, in words.
        difference: String,
    },
    /// Another lvslab works on this lab's sandbox and did not finish in time.
    #[error("another lvslab is starting or stopping the sandbox of lab {lab}")]
    Busy {
        /// Lab.
        lab: LabId,
    },
    /// No sandbox of this lab runs.
    #[error("no sandbox of lab {lab} is running")]
    NotRunning {
        /// Lab.
        lab: LabId,
    },
    /// The machine runs, and nothing can be asked of it.
    #[error("the sandbox of lab {lab} runs, but its sockets in {} are gone", .runtime.display())]
    SocketsGone {
        /// Lab.
        lab: LabId,
        /// Where they were.
        runtime: PathBuf,
    },
    /// The lab has no host of this name.
    #[error("lab {lab} has no host {host}; its hosts are {known}")]
    UnknownHost {
        /// Lab.
        lab: LabId,
        /// The name that was asked for.
        host: HostName,
        /// The names there are.
        known: String,
    },
    /// QEMU did not start.
    #[error("QEMU did not start: {complaint}")]
    Qemu {
        /// What it said on its standard error, or how it ended.
        complaint: String,
    },
    /// QEMU refused a command on its monitor.
    #[error("QEMU refused `{command}`: {complaint}")]
    Monitor {
        /// QMP command.
        command: String,
        /// QEMU's description of the error.
        complaint: String,
    },
    /// The machine ended by itself: its kernel panicked or QEMU crashed.
    #[error("the sandbox machine ended while {doing}{console}")]
    Died {
        /// What lvslab was waiting for.
        doing: String,
        /// The end of the machine's console.
        console: ConsoleTail,
    },
    /// The machine did not answer in time.
    #[error("the sandbox machine did not answer within {} s while {doing}{console}", .limit.as_secs())]
    Timeout {
        /// What lvslab was waiting for.
        doing: String,
        /// How long it waited.
        limit: Duration,
        /// The end of the machine's console.
        console: ConsoleTail,
    },
    /// PID 1 of the machine said no.
    #[error("the sandbox machine could not do it: {cause}{console}")]
    Guest {
        /// What it said.
        cause: String,
        /// The end of the machine's console.
        console: ConsoleTail,
    },
    /// There is no saved lab of this name.
    #[error("lab {lab} has no saved state {name}; saved are: {known}")]
    NoSuchSave {
        /// Lab.
        lab: LabId,
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A saved lab does not fit what is here.
    #[error("saved state {name} of lab {lab} cannot be restored here: {obstacle}")]
    UnusableSave {
        /// Lab.
        lab: LabId,
        /// Name.
        name: LabName,
        /// What differs.
        obstacle: String,
    },
    /// A saved lab cannot have this name.
    #[error("a saved state cannot be called {name:?}")]
    SaveName {
        /// Name.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// `LVSLAB_ACCELERATOR` has a value that means nothing.
    #[error("{} cannot be used", machine::VARIABLE)]
    AcceleratorVariable(#[source] UnknownAccelerator),
    /// More machines than one sandbox has addresses for.
    #[error("the lab has {hosts} hosts; one sandbox holds at most {most}")]
    TooManyHosts {
        /// Hosts of the lab.
        hosts: usize,
        /// Limit.
        most: usize,
    },
    /// The system said no to something with a file or socket.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// `read`, `create`, ...
        action: &'static str,
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The sockets would not be this user's alone.
    #[error("cannot keep the sandbox's sockets in {}", .path.display())]
    RuntimeDirectory {
        /// Directory.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A key could not be made.
    #[error("cannot make SSH keys for the sandbox: {cause}")]
    Keys {
        /// What the generator said.
        cause: String,
    },
}

impl SandboxError {
    /// What to do next, where that is not plain from the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OtherShape { lab, .. } => {
                Some(format!("`lvslab down {lab}` first, then start again"))
            }
            Self::Busy { .. } => Some("wait for it, or look for it with `ps`".to_owned()),
            Self::NotRunning { .. } => {
                Some("`lvslab sandbox status` shows what is running".to_owned())
            }
            Self::SocketsGone { lab, .. } => Some(format!(
                "its hosts still answer `lvslab ssh`; `lvslab up` ends it and starts the lab anew, \
                 `lvslab down {lab}` ends it"
            )),
            Self::Qemu { .. } => Some(
                "is qemu-system-x86_64 installed? `lvslab sandbox prepare` sees to it; \
                 LVSLAB_ACCELERATOR=tcg does without KVM"
                    .to_owned(),
            ),
            Self::Monitor { .. } => Some(
                "is the disk of the cache full? otherwise `lvslab down` and `lvslab up` begin with another machine"
                    .to_owned(),
            ),
            Self::NoSuchSave { .. } => {
                Some("`lvslab sandbox save NAME` keeps the running lab".to_owned())
            }
            Self::SaveName { .. } => Some("a name such as `before-class` will do".to_owned()),
            Self::AcceleratorVariable(_) => Some(format!(
                "leave {} unset, and lvslab tries what works",
                machine::VARIABLE
            )),
            Self::UnusableSave { .. } => {
                Some("start the lab anew with `lvslab up` and save it again".to_owned())
            }
            Self::Timeout { .. } => Some(
                "on a busy machine a longer --timeout helps; otherwise the console above tells why"
                    .to_owned(),
            ),
            Self::RuntimeDirectory { .. } => {
                Some("set XDG_RUNTIME_DIR to a directory that is yours alone".to_owned())
            }
            _ => None,
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

/// The last lines of the machine's console, indented, for the end of a message; empty when there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleTail(Vec<String>);

impl ConsoleTail {
    const LINES: usize = 25;
    const LONGEST_LINE: usize = 200;

    /// Reads the end of `console`; a missing file is an empty console.
    #[must_use]
    pub fn read(console: &Path) -> Self {
        Self::of(&std::fs::read(console).unwrap_or_default())
    }

    /// The end of these bytes, with control characters (terminal escapes of the firmware) taken out.
    #[must_use]
    pub fn of(console: &[u8]) -> Self {
        let text = String::from_utf8_lossy(console);
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                line.chars()
                    .filter(|c| !c.is_control())
                    .take(Self::LONGEST_LINE)
                    .collect::<String>()
            })
            .filter(|line| !line.trim().is_empty())
            .collect();
        Self(lines[lines.len().saturating_sub(Self::LINES)..].to_vec())
    }
}

impl std::fmt::Display for ConsoleTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return write!(f, "; its console is empty");
        }
        write!(f, "; its console ended with")?;
        for line in &self.0 {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_machine_shows_the_end_of_its_console_without_control_characters() {
        let console: String = (0..40).map(|n| format!("line {n}\r\n\n")).collect();
        let error = SandboxError::Died {
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
        let error = SandboxError::Timeout {
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
