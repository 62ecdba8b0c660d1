//! Why there is no lab to work with.

use std::path::PathBuf;

use crate::exit::Status;
use crate::model::{HostName, LabId};
use crate::sys::local::LocalError;
use crate::topology::TopologyError;

/// Why there is no lab to work with.
#[derive(Debug, thiserror::Error)]
pub enum LabsError {
    #[error(transparent)]
    Topology(#[from] TopologyError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error("no lab is up")]
    NothingUp,
    #[error("lab {lab} is not up")]
    NotUp { lab: LabId },
    /// Several labs are up, and none was named.
    #[error("several labs are up: {}", list(.labs))]
    WhichLab { labs: Vec<LabId> },
    /// LAB and `--lab` together.
    #[error("two labs are named: {} and {}", .one.display(), .other.display())]
    NamedTwice { one: PathBuf, other: PathBuf },
    #[error("lab {lab} has no host {host}; its hosts are {}", list(.known))]
    UnknownHost {
        host: HostName,
        lab: LabId,
        known: Vec<HostName>,
    },
    /// `-i` together with the name of a lab that is up.
    #[error("`{name}` is a lab that is up, and an inventory goes with a topology file")]
    InventoryForName { name: LabId },
    /// The topology and inventory place the lab elsewhere than it is up.
    #[error("lab {lab} is up {}, and the files that were given place it elsewhere", place(.sandbox))]
    ElsewhereUp {
        lab: LabId,
        /// Whether it is up in the sandbox.
        sandbox: bool,
    },
    /// The lab is up on machines that the topology and inventory no longer name.
    #[error("lab {lab} is up on machines that the files leave out: {}", .machines.join(", "))]
    MachinesLeftOut {
        lab: LabId,
        /// `web3 (10.0.0.3)`
        machines: Vec<String>,
    },
    /// A sandbox command for a lab on machines of the person's own.
    #[error("lab {lab} is on machines of its own, not in the sandbox")]
    NotInSandbox { lab: LabId },
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// `name one: --lab dr, --lab nat`
fn name_one(labs: &[LabId]) -> String {
    let options: Vec<String> = labs.iter().map(|lab| format!("--lab {lab}")).collect();
    format!("name one: {}", options.join(", "))
}

fn place(sandbox: &bool) -> &'static str {
    if *sandbox {
        "in the sandbox"
    } else {
        "on machines of its own"
    }
}

impl LabsError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Topology(error) => error.hint().map(str::to_owned),
            Self::Local(_) | Self::UnknownHost { .. } => None,
            Self::NothingUp => Some("`lvslab up topologies/dr.yaml` brings one up".to_owned()),
            Self::NotUp { .. } => Some(
                "`lvslab up` with the path of its topology file brings it up, \
                 for example `lvslab up topologies/dr.yaml`"
                    .to_owned(),
            ),
            Self::WhichLab { labs } => Some(name_one(labs)),
            Self::NamedTwice { .. } => Some("give the lab once, with --lab or without".to_owned()),
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
                "`lvslab down {lab}` puts all of its machines back; then bring it up again with these files"
            )),
            Self::NotInSandbox { lab } => {
                Some(format!("`lvslab down {lab}` puts its machines back"))
            }
        }
    }

    /// How a command ends with it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Topology(_)
            | Self::WhichLab { .. }
            | Self::NamedTwice { .. }
            | Self::UnknownHost { .. }
            | Self::InventoryForName { .. }
            | Self::ElsewhereUp { .. }
            | Self::MachinesLeftOut { .. }
            | Self::NotInSandbox { .. } => Status::Usage,
            Self::NothingUp | Self::NotUp { .. } => Status::Unreachable,
            Self::Local(_) => Status::Internal,
        }
    }
}
