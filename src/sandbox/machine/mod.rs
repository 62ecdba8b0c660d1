//! One QEMU process. It outlives the lvslab that started it, and a later lvslab finds it again by its pid file.
//!
//! In: an [`Arguments`]. Out: a [`Machine`] whose monitor and whose PID 1 can be talked to.

mod arguments;
mod choice;
mod conversation;
mod ports;
mod process;
mod qemu;
mod qmp;

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::control::{Reply, Request};
use super::error::{ConsoleTail, MachineError, SandboxError};
use super::files::{self, Files};
use crate::sys::pace::{Pace, Wait};

pub use arguments::{Arguments, Forward, Size};
pub use choice::{Choice, FIRST_OUTPUT, choose, forget, is_passing, remember};
pub use conversation::{Conversation, ConversationError};
pub use ports::free as free_ports;
pub use process::MachineProcess;
pub use qemu::Qemu;
pub use qmp::{Qmp, QmpError};

/// Longest time for QEMU to get ready to run a guest, to answer on its monitor, to end.
const QEMU_LIMIT: Duration = Duration::from_secs(60);

/// A running QEMU.
#[derive(Debug)]
pub struct Machine {
    process: MachineProcess,
    files: Files,
}

/// Why QEMU did not start.
#[derive(Debug)]
pub enum LaunchFailure {
    /// Somebody took one of the forwarded ports first.
    PortTaken,
    /// Anything else.
    Other(SandboxError),
}

impl Machine {
    /// Starts QEMU and returns when it is ready to run its guest.
    ///
    /// It runs in its own session, so that neither the end of this process nor a Ctrl-C reaches it. (QEMU's `-daemonize`
    /// needs system calls that its `-sandbox` denies.)
    ///
    /// # Errors
    /// [`LaunchFailure`] with QEMU's own words.
    pub fn launch(qemu: &Qemu, arguments: &Arguments<'_>) -> Result<Self, LaunchFailure> {
        let log = arguments.files.complaints();
        let other = |action, path: &Path| {
            let path = path.to_owned();
            move |source| LaunchFailure::Other(SandboxError::io(action, &path)(source))
        };
        let complaints = File::create(&log).map_err(other("create", &log))?;
        let mut child = Command::new(&qemu.program);
        child
            .args(arguments.to_list())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints);
        in_a_session_of_its_own(&mut child);
        let mut child = child.spawn().map_err(other("run", &qemu.program))?;
        let deadline = Instant::now() + QEMU_LIMIT;
        let complaint = loop {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => break complaint(&log, &format!("it ended with {status}")),
                Err(error) => break error.to_string(),
            }
            // Its monitor answers when everything on its command line has been done.
            if Qmp::connect(&arguments.files.monitor(), QEMU_LIMIT).is_ok()
                && let Some(machine) = Self::running(arguments.files)
            {
                return Ok(machine);
            }
            if Instant::now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                break complaint(
                    &log,
                    &format!("it is not ready after {} s", QEMU_LIMIT.as_secs()),
                );
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        if complaint.contains("Could not set up host forwarding rule") {
            Err(LaunchFailure::PortTaken)
        } else {
            Err(LaunchFailure::Other(
                MachineError::Qemu { complaint }.into(),
            ))
        }
    }

    /// The machine that runs with these files, if one does.
    #[must_use]
    pub fn running(files: &Files) -> Option<Self> {
        Some(Self {
            process: MachineProcess::find(&files.pid())?,
            files: files.clone(),
        })
    }

    /// Whether its sockets are there and belong to this user. Without them its hosts still answer SSH, but lvslab can
    /// only end the machine.
    #[must_use]
    pub fn can_be_asked(&self) -> bool {
        self.files.runtime_is_private()
            && self.files.monitor().exists()
            && self.files.control().exists()
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> MachineProcess {
        self.process
    }

    /// How time passes for waits on its guest.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::Process(self.process.pid())
    }

    /// The end of its console.
    #[must_use]
    pub fn console_tail(&self) -> ConsoleTail {
        ConsoleTail::read(&self.files.console())
    }

    /// Whether the guest has printed anything yet.
    #[must_use]
    pub fn has_printed(&self) -> bool {
        std::fs::metadata(self.files.console()).is_ok_and(|found| found.len() > 0)
    }

    /// Writes the machine's whole state to `file` and lets it run on.
    ///
    /// # Errors
    /// When QEMU cannot, or `file` cannot be created.
    pub fn save_state(&self, file: &Path) -> Result<(), SandboxError> {
        let target = File::create(file).map_err(SandboxError::io("create", file))?;
        let mut monitor = self.monitor()?;
        let saved = monitor.save_state(target.as_fd(), QEMU_LIMIT);
        let resumed = monitor.resume();
        saved
            .and(resumed)
            .map_err(|error| self.explain(error, "saving its state"))
    }

    /// Resumes the machine if the lvslab that saved its state was killed before it did so. Call with the lab's lock held.
    ///
    /// # Errors
    /// When QEMU cannot.
    pub fn run_on(&self) -> Result<(), SandboxError> {
        self.monitor()?
            .resume_if_abandoned()
            .map_err(|error| self.explain(error, "letting it run on"))
    }

    /// Loads a state into a machine launched without an initramfs, and lets it run.
    ///
    /// # Errors
    /// When the state does not fit or cannot be read.
    pub fn load_state(&self, file: &Path) -> Result<(), SandboxError> {
        let source = File::open(file).map_err(SandboxError::io("open", file))?;
        let mut monitor = self.monitor()?;
        monitor
            .load_state(source.as_fd(), QEMU_LIMIT)
            .and_then(|()| monitor.resume())
            .map_err(|error| self.explain(error, "loading its saved state"))
    }

    /// Connects to PID 1.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn conversation(&self) -> Result<Conversation, SandboxError> {
        let socket = self.files.control();
        Conversation::connect(&socket).map_err(SandboxError::io("connect to", &socket))
    }

    /// Asks PID 1 one thing; `doing` is for the messages.
    ///
    /// # Errors
    /// [`MachineError::Died`], [`MachineError::Timeout`], [`MachineError::Guest`], with the console's tail.
    pub fn ask(
        &self,
        request: Request,
        limit: Duration,
        doing: &str,
    ) -> Result<Reply, SandboxError> {
        let mut conversation = self.conversation()?;
        conversation
            .ask(request, &Wait::begin(limit, self.pace()), || {
                self.process.is_alive()
            })
            .map_err(|error| self.explain_silence(error, limit, doing))
    }

    /// The person's version of a [`ConversationError`].
    #[must_use]
    pub fn explain_silence(
        &self,
        error: ConversationError,
        limit: Duration,
        doing: &str,
    ) -> SandboxError {
        let doing = doing.to_owned();
        let console = self.console_tail();
        let error = match error {
            ConversationError::Ended | ConversationError::GivenUp => {
                MachineError::Died { doing, console }
            }
            ConversationError::TimedOut => MachineError::Timeout {
                doing,
                limit,
                console,
            },
            ConversationError::Refused { cause } => MachineError::Guest { cause, console },
            ConversationError::Connection(source) => {
                return SandboxError::io("talk to", &self.files.control())(source);
            }
        };
        error.into()
    }

    /// Ends QEMU; the guest's state is lost.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn end(self) -> Result<(), SandboxError> {
        self.process
            .end(QEMU_LIMIT)
            .map_err(SandboxError::io("end the machine of", &self.files.pid()))
    }

    fn monitor(&self) -> Result<Qmp, SandboxError> {
        let socket = self.files.monitor();
        Qmp::connect(&socket, QEMU_LIMIT)
            .map_err(|error| self.explain(error, "connecting to its monitor"))
    }

    fn explain(&self, error: QmpError, doing: &str) -> SandboxError {
        let doing = doing.to_owned();
        let error = match error {
            QmpError::Ended => MachineError::Died {
                doing,
                console: self.console_tail(),
            },
            QmpError::Connection(source) => {
                return SandboxError::io("talk to", &self.files.monitor())(source);
            }
            QmpError::Refused {
                command,
                description,
            } => MachineError::Monitor {
                command,
                complaint: description,
            },
            error @ (QmpError::Migration { .. } | QmpError::Unexpected { .. }) => {
                MachineError::Monitor {
                    command: doing,
                    complaint: error.to_string(),
                }
            }
        };
        error.into()
    }
}

/// setsid(2) between fork and exec.
fn in_a_session_of_its_own(command: &mut Command) {
    #[expect(
        unsafe_code,
        reason = "setsid(2) is async-signal-safe and the closure touches nothing else"
    )]
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into));
    }
}

/// What QEMU wrote on its standard error, or `otherwise`.
fn complaint(log: &Path, otherwise: &str) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let end = text.len().min(8 * 1024);
    let text = String::from_utf8_lossy(&text[..end]);
    match text.trim() {
        "" => otherwise.to_owned(),
        said => said.to_owned(),
    }
}

/// Removes what a machine that is gone leaves of itself; its console is kept.
///
/// # Errors
/// When a file is there and cannot be removed.
pub fn remove_remains(files: &Files) -> Result<(), SandboxError> {
    let mut remains = vec![files.pid()];
    if files.runtime_is_private() {
        remains.extend([files.complaints(), files.monitor(), files.control()]);
    }
    for file in remains {
        files::remove(&file)?;
    }
    Ok(())
}
