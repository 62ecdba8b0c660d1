//! Why a command has no answer.

use std::io;
use std::path::PathBuf;

use crate::fault::FaultError;
use crate::ipvs::IpvsError;
use crate::ipvsadm::RulesError;
use crate::model::{HostName, LabName};
use crate::orchestrate::HostError;
use crate::sandbox::SandboxError;
use crate::sandbox::image::ImageError;
use crate::topology::TopologyError;
use crate::verify::EvidenceError;

use super::Status;

/// Why a command has no answer. Sources are printed after it, at the edge, once.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A mistake in a file.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The sandbox's kernel and system cannot be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The sandbox does not do it.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The one host that was asked.
    #[error("{0}")]
    Host(Box<HostError>),
    /// This machine does not do it.
    #[error("cannot {doing}")]
    Local {
        /// What, after "cannot".
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody says where lvslab may keep things.
    #[error("cannot find a place for lvslab's directories")]
    NoDirectories {
        /// What was looked for.
        #[source]
        source: io::Error,
    },
    /// Nothing is up.
    #[error("no lab is up")]
    NothingUp,
    /// That one is not up.
    #[error("lab {lab} is not up")]
    NotUp {
        /// Lab.
        lab: LabName,
    },
    /// Several are up.
    #[error("several labs are up: {}", list(.labs))]
    WhichLab {
        /// Which.
        labs: Vec<LabName>,
    },
    /// No such host.
    #[error("lab {lab} has no host {host}; its hosts are {}", list(.known))]
    UnknownHost {
        /// The name that was asked for.
        host: HostName,
        /// Lab.
        lab: LabName,
        /// Its hosts.
        known: Vec<HostName>,
    },
    /// `-i` together with the name of a lab that is up.
    #[error("`{name}` is a lab that is up, and an inventory goes with a topology file")]
    InventoryForName {
        /// Lab.
        name: LabName,
    },
    /// The lab is up somewhere else.
    #[error("lab {lab} is up {}, and this says otherwise", place(.sandbox))]
    ElsewhereUp {
        /// Lab.
        lab: LabName,
        /// Whether it is up in the sandbox.
        sandbox: bool,
    },
    /// The lab is up on machines that are not meant now.
    #[error("lab {lab} is up on machines that this leaves out: {}", .machines.join(", "))]
    MachinesLeftOut {
        /// Lab.
        lab: LabName,
        /// `web3 (10.0.0.3)`
        machines: Vec<String>,
    },
    /// A document that is no evidence.
    #[error("cannot judge {}", .file.display())]
    Evidence {
        /// File.
        file: PathBuf,
        /// Why.
        source: EvidenceError,
    },
    /// A fault that cannot be had.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// One exercise at a time.
    #[error("an exercise is set in lab {lab} already")]
    ExerciseSet {
        /// Lab.
        lab: LabName,
    },
    /// There is nothing to hint at.
    #[error("no exercise is set in lab {lab}")]
    NoExercise {
        /// Lab.
        lab: LabName,
    },
    /// Rules that cannot be read.
    #[error("cannot read the rules of {file}")]
    Rules {
        /// File, or what stands for standard input.
        file: String,
        /// Which line, and why.
        source: RulesError,
    },
    /// This machine's IPVS does not do it.
    #[error(transparent)]
    Ipvs(#[from] IpvsError),
    /// Sandbox commands are about labs in the sandbox.
    #[error("lab {lab} is on machines of its own, not in the sandbox")]
    NotInSandbox {
        /// Lab.
        lab: LabName,
    },
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

fn place(sandbox: &bool) -> &'static str {
    if *sandbox {
        "in the sandbox"
    } else {
        "on machines of its own"
    }
}

impl CommandError {
    /// For `map_err`: what could not be done, after "cannot".
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Local { doing, source }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Topology(error) => error.hint().map(str::to_owned),
            Self::Image(error) => Some(error.hint()),
            Self::Sandbox(error) => error.hint(),
            Self::Host(error) => Some(error.hint()),
            Self::Local { .. } | Self::UnknownHost { .. } => None,
            Self::NoDirectories { .. } => Some("set HOME to a directory of yours".to_owned()),
            Self::Evidence { .. } => Some(
                "`lvslab verify TOPOLOGY --evidence-out FILE` writes such a document".to_owned(),
            ),
            Self::Rules { .. } => Some(
                "rules are lines as `ipvsadm -Sn` prints them, -A and -a; # starts a comment"
                    .to_owned(),
            ),
            Self::Ipvs(IpvsError::NotPermitted) => {
                Some("run it as root, on the director".to_owned())
            }
            Self::Ipvs(_) => None,
            Self::NothingUp => Some("`lvslab up topologies/dr.yaml` brings one up".to_owned()),
            Self::NotUp { .. } => Some(
                "`lvslab up` with the path of its topology file brings it up, \
                 for example `lvslab up topologies/dr.yaml`"
                    .to_owned(),
            ),
            Self::WhichLab { .. } => Some("say which with --lab NAME".to_owned()),
            Self::InventoryForName { .. } => Some(
                "leave -i out to mean the lab as it is up, or name its topology file".to_owned(),
            ),
            Self::ElsewhereUp { lab, sandbox } => Some(if *sandbox {
                format!("`lvslab down {lab}` first, or leave the `ssh:` entries out")
            } else {
                format!(
                    "give its inventory with -i, name it `{lab}` instead of its file, \
                     or `lvslab down {lab}` first"
                )
            }),
            Self::MachinesLeftOut { lab, .. } => Some(format!(
                "`lvslab down {lab}` puts all of its machines back; then bring it up as it is to be"
            )),
            Self::Fault(error) => error.hint(),
            Self::ExerciseSet { lab } => Some(format!(
                "`lvslab hint {lab}` helps with it, `lvslab repair {lab}` ends it"
            )),
            Self::NoExercise { lab } => Some(format!("`lvslab break {lab} --random` sets one")),
            Self::NotInSandbox { lab } => {
                Some(format!("`lvslab down {lab}` puts its machines back"))
            }
        }
    }

    /// Which exit code it is.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Topology(_)
            | Self::Evidence { .. }
            | Self::Rules { .. }
            | Self::WhichLab { .. }
            | Self::UnknownHost { .. }
            | Self::InventoryForName { .. }
            | Self::ElsewhereUp { .. }
            | Self::MachinesLeftOut { .. }
            | Self::Fault(_)
            | Self::ExerciseSet { .. }
            | Self::NoExercise { .. }
            | Self::NotInSandbox { .. } => Status::Usage,
            Self::NothingUp | Self::NotUp { .. } => Status::Unreachable,
            Self::Host(error) => super::trouble::status(&error.cause),
            Self::Sandbox(error) => match error {
                SandboxError::NotRunning { .. } | SandboxError::SocketsGone { .. } => {
                    Status::Unreachable
                }
                SandboxError::Busy { .. } => Status::Locked,
                SandboxError::UnknownHost { .. }
                | SandboxError::OtherShape { .. }
                | SandboxError::NoSuchSave { .. }
                | SandboxError::SaveName { .. }
                | SandboxError::TooManyHosts { .. }
                | SandboxError::AcceleratorVariable(_) => Status::Usage,
                _ => Status::Internal,
            },
            Self::Image(_) | Self::Local { .. } | Self::NoDirectories { .. } | Self::Ipvs(_) => {
                Status::Internal
            }
        }
    }
}
