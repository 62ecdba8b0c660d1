//! Brings up a machine without hosts: restores the saved base state, or boots and saves it.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::accelerator::Accelerator;
use super::addresses::management_address;
use super::binary::Binary;
use super::control::Request;
use super::error::{MachineError, RequestError, SandboxError};
use super::files::Files;
use super::identity::Identity;
use super::image::Image;
use super::machine::{
    self, Arguments, Choice, ConversationError, FIRST_OUTPUT, Forward, LaunchFailure, Machine,
    Qemu, Size,
};
use super::{cache, initramfs, lock};
use crate::sys::dirs::Dirs;
use crate::sys::pace::Wait;
use crate::sys::progress::Progress;

/// What work on a sandbox is called for [`Progress`].
pub const SUBJECT: &str = "sandbox";

/// How many sets of free ports are tried: another program may take one before QEMU does.
const PORT_ATTEMPTS: usize = 5;

/// What a machine is made from.
#[derive(Debug)]
pub struct Plan<'a> {
    pub dirs: &'a Dirs,
    /// Kernel and root file system.
    pub image: &'a Image,
    /// Which build of the image it is.
    pub image_build: String,
    pub qemu: &'a Qemu,
    /// PID 1.
    pub binary: &'a Binary,
    /// The lab's files.
    pub files: &'a Files,
    /// Shown in `ps`.
    pub name: String,
    /// Number of hosts, each with a forwarded port.
    pub hosts: usize,
    pub size: Size,
    /// Longest wait for the guest to boot.
    pub limit: Duration,
}

/// What a start took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing: it was running.
    AlreadyRunning,
    /// A saved state.
    Restored,
    /// A boot.
    Booted,
}

/// A machine that waits for its hosts.
#[derive(Debug)]
pub struct Waiting {
    pub machine: Machine,
    /// Loopback port per host.
    pub ports: Vec<u16>,
    /// What it runs on.
    pub identity: Identity,
    /// Whether it booted.
    pub how: How,
}

/// What keeps a machine from being brought up under one accelerator.
enum Obstacle {
    /// Not a word from the guest: the accelerator does not work here.
    Mute,
    Error(SandboxError),
}

impl From<SandboxError> for Obstacle {
    fn from(error: SandboxError) -> Self {
        Self::Error(error)
    }
}

impl Plan<'_> {
    /// Brings the machine up under the accelerator that works here.
    pub fn bring_up(
        &self,
        wish: Option<Accelerator>,
        progress: &dyn Progress,
    ) -> Result<Waiting, SandboxError> {
        match self.choose(wish)? {
            Choice::Decided(accelerator) => self.restore_or_boot(accelerator, None, progress),
            Choice::KvmWorked => {
                match self.restore_or_boot(Accelerator::Kvm, Some(FIRST_OUTPUT), progress) {
                    Err(SandboxError::Machine(MachineError::Qemu { complaint })) => {
                        machine::forget(self.dirs);
                        progress.note(
                            SUBJECT,
                            &format!("KVM does not work any more, emulating: {complaint}"),
                        );
                        self.restore_or_boot(Accelerator::Tcg, None, progress)
                    }
                    outcome => outcome,
                }
            }
            Choice::TryKvm => self.try_kvm(progress),
        }
    }

    fn try_kvm(&self, progress: &dyn Progress) -> Result<Waiting, SandboxError> {
        progress.doing(SUBJECT, "trying whether KVM works on this machine");
        let emulate = || {
            progress.doing(SUBJECT, "KVM does not work here, emulating");
            self.restore_or_boot(Accelerator::Tcg, None, progress)
        };
        match self.boot_and_keep(Accelerator::Kvm, Some(FIRST_OUTPUT), progress) {
            Ok(waiting) => {
                machine::remember(self.dirs, self.qemu, Accelerator::Kvm);
                Ok(waiting)
            }
            Err(Obstacle::Error(SandboxError::Machine(MachineError::Qemu { complaint })))
                if machine::is_passing(&complaint) =>
            {
                emulate()
            }
            Err(
                Obstacle::Mute | Obstacle::Error(SandboxError::Machine(MachineError::Qemu { .. })),
            ) => {
                let waiting = emulate()?;
                machine::remember(self.dirs, self.qemu, Accelerator::Tcg);
                Ok(waiting)
            }
            Err(Obstacle::Error(error)) => Err(error),
        }
    }

    /// What to try first.
    pub fn choose(&self, wish: Option<Accelerator>) -> Result<Choice, SandboxError> {
        machine::choose(wish, self.dirs, self.qemu)
            .map_err(|error| RequestError::AcceleratorVariable(error).into())
    }

    /// What a machine under `accelerator` would be.
    pub fn identity(&self, accelerator: Accelerator) -> Identity {
        Identity {
            accelerator,
            qemu: self.qemu.version.clone(),
            image: self.image_build.clone(),
            binary: self.binary.sha256.clone(),
            size: self.size,
        }
    }

    fn restore_or_boot(
        &self,
        accelerator: Accelerator,
        first_output: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Waiting, SandboxError> {
        if let Some(waiting) = self.restore_base(accelerator, progress)? {
            return Ok(waiting);
        }
        // Another lvslab may be making the missing state. Waiting for it is cheaper than a second boot.
        let key = self.identity(accelerator).key();
        let _lock = lock::base(self.dirs, &key, self.limit)?;
        if let Some(waiting) = self.restore_base(accelerator, progress)? {
            return Ok(waiting);
        }
        self.boot_and_keep(accelerator, first_output, progress)
            .map_err(|obstacle| match obstacle {
                Obstacle::Error(error) => error,
                Obstacle::Mute => MachineError::Qemu {
                    complaint: format!("its guest is silent under {accelerator}"),
                }
                .into(),
            })
    }

    fn restore_base(
        &self,
        accelerator: Accelerator,
        progress: &dyn Progress,
    ) -> Result<Option<Waiting>, SandboxError> {
        let identity = self.identity(accelerator);
        let state = self.base_states().join(format!("{}.state", identity.key()));
        if !state.exists() {
            return Ok(None);
        }
        progress.doing(SUBJECT, "restoring the machine");
        let (machine, ports) = self.launch(accelerator, None)?;
        match machine.load_state(&state) {
            Ok(()) => {
                cache::touch(&state);
                Ok(Some(Waiting {
                    machine,
                    ports,
                    identity,
                    how: How::Restored,
                }))
            }
            Err(error) => {
                progress.doing(
                    SUBJECT,
                    &format!("the saved machine cannot be used ({error}), booting"),
                );
                machine.end()?;
                std::fs::remove_file(&state).map_err(SandboxError::io("remove", &state))?;
                Ok(None)
            }
        }
    }

    /// Boots, and saves the state of the booted machine for the next start.
    fn boot_and_keep(
        &self,
        accelerator: Accelerator,
        first_output: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Waiting, Obstacle> {
        let initramfs =
            initramfs::ensure(&self.dirs.cache.join("initramfs"), self.binary, self.image)?;
        progress.doing(
            SUBJECT,
            &format!("booting the machine ({accelerator}), once for this version"),
        );
        let (machine, ports) = self.launch(accelerator, Some(initramfs))?;
        let identity = self.identity(accelerator);
        let outcome = self
            .wait_until_ready(&machine, first_output)
            .and_then(|()| Ok(self.try_to_keep(&machine, &identity, progress)?));
        if let Err(obstacle) = outcome {
            machine.end()?;
            return Err(obstacle);
        }
        Ok(Waiting {
            machine,
            ports,
            identity,
            how: How::Booted,
        })
    }

    fn wait_until_ready(
        &self,
        machine: &Machine,
        first_output: Option<Duration>,
    ) -> Result<(), Obstacle> {
        let boot = Wait::begin(self.limit, machine.pace());
        let first_output = first_output.map(|limit| Wait::begin(limit, machine.pace()));
        let mut mute = false;
        let mut conversation = machine.conversation().map_err(|error| {
            let ended_at_once = !machine.has_printed() && !machine.process().is_alive();
            match &first_output {
                Some(_) if ended_at_once => Obstacle::Mute,
                _ => Obstacle::Error(error),
            }
        })?;
        let answer = conversation.ask(Request::Ready, &boot, || {
            mute = first_output.as_ref().is_some_and(Wait::is_over) && !machine.has_printed();
            !mute && machine.process().is_alive()
        });
        match answer {
            Ok(_) => Ok(()),
            Err(ConversationError::GivenUp) if mute => Err(Obstacle::Mute),
            // The guest printed nothing, so the accelerator ended QEMU, not the guest's kernel.
            Err(ConversationError::Ended | ConversationError::GivenUp)
                if first_output.is_some() && !machine.has_printed() =>
            {
                Err(Obstacle::Mute)
            }
            Err(error) => Err(machine.explain_silence(error, self.limit, "booting").into()),
        }
    }

    /// Saves the machine for later starts. If that fails, this start goes on all the same.
    ///
    /// # Errors
    /// When the save failed and the machine cannot be resumed.
    fn try_to_keep(
        &self,
        machine: &Machine,
        identity: &Identity,
        progress: &dyn Progress,
    ) -> Result<(), SandboxError> {
        let Err(error) = self.keep(machine, identity, progress) else {
            return Ok(());
        };
        if machine.run_on().is_err() {
            return Err(error);
        }
        progress.note(
            SUBJECT,
            &format!("could not be kept for later starts: {}", error.in_full()),
        );
        Ok(())
    }

    fn keep(
        &self,
        machine: &Machine,
        identity: &Identity,
        progress: &dyn Progress,
    ) -> Result<(), SandboxError> {
        progress.doing(SUBJECT, "saving the booted machine for later starts");
        let directory = self.base_states();
        crate::sys::dirs::create_private(&directory)
            .map_err(SandboxError::io("create", &directory))?;
        let temporary = directory.join(format!(".making-{}", std::process::id()));
        let state = directory.join(format!("{}.state", identity.key()));
        let saved = machine.save_state(&temporary).and_then(|()| {
            std::fs::rename(&temporary, &state).map_err(SandboxError::io("write", &state))
        });
        if saved.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        saved?;
        cache::prune(&directory);
        cache::prune(&self.dirs.cache.join("initramfs"));
        Ok(())
    }

    fn base_states(&self) -> PathBuf {
        self.dirs.cache.join("base")
    }

    /// Launches QEMU with free ports; without an initramfs it waits for a state to load.
    pub fn launch(
        &self,
        accelerator: Accelerator,
        initramfs: Option<PathBuf>,
    ) -> Result<(Machine, Vec<u16>), SandboxError> {
        for _ in 0..PORT_ATTEMPTS {
            machine::remove_remains(self.files)?;
            let ports = machine::free_ports(self.hosts)
                .map_err(SandboxError::io("find free ports of", "127.0.0.1".as_ref()))?;
            let forwards: Vec<Forward> = ports
                .iter()
                .enumerate()
                .map(|(number, &outside)| Forward {
                    outside,
                    inside: management_address(number),
                })
                .collect();
            let arguments = Arguments {
                name: self.name.clone(),
                accelerator,
                size: self.size,
                kernel: &self.image.kernel,
                initramfs: initramfs.as_deref(),
                rootfs: &self.image.rootfs,
                files: self.files,
                forwards: &forwards,
            };
            match Machine::launch(self.qemu, &arguments) {
                Ok(machine) => return Ok((machine, ports)),
                Err(LaunchFailure::PortTaken) => {}
                Err(LaunchFailure::Other(error)) => return Err(error),
            }
        }
        Err(MachineError::Qemu {
            complaint: format!(
                "other programs took its loopback ports {PORT_ATTEMPTS} times in a row"
            ),
        }
        .into())
    }
}
