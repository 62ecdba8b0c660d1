//! The programs of this machine that the sandbox needs, which of them are missing, and getting them.
//!
//! In: a [`Purpose`] and the caller's [`Consent`]. Out: nothing, once everything is there; otherwise an error
//! that lists what is missing and the command to type.

mod host;
mod install;
mod subordinate;

use std::collections::BTreeSet;

pub use host::Host;
pub use install::Privilege;

use crate::sys::progress::Progress;

/// Whether packages may be installed on this machine.
#[derive(Clone, Copy)]
pub enum Consent<'a> {
    /// Yes, without asking (`--yes`).
    Yes,
    /// Ask a person: the function gets the question, one line without a question mark's "[y/N]", and says
    /// whether the answer was yes. May be called once, from the calling thread.
    Ask(&'a (dyn Fn(&str) -> bool + Sync)),
    /// No: report what is missing.
    No,
}

impl std::fmt::Debug for Consent<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Yes => "Yes",
            Self::Ask(_) => "Ask",
            Self::No => "No",
        })
    }
}

/// What the programs are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Starting a machine from an image that exists.
    Run,
    /// Building an image, and starting it.
    Build,
}

/// Something this machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A program or a file, and the Debian package with it.
    File {
        /// Name of the program, or path of the file.
        name: &'static str,
        /// Debian package.
        package: &'static str,
    },
    /// The caller has no range of subordinate user and group ids (subuid(5)), without which an ordinary user
    /// cannot make files that belong to others.
    SubordinateIds {
        /// Login name of the caller.
        user: String,
        /// First free id.
        first: u32,
    },
}

/// What cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementsError {
    /// Consent was not given.
    #[error("this machine lacks {}", list(.missing))]
    Missing {
        /// What is missing.
        missing: Vec<Missing>,
        /// Commands that would bring it, as root.
        commands: Vec<String>,
    },
    /// There is no apt-get here.
    #[error("this machine lacks {}, and it has no apt-get to install them with", list(.missing))]
    NotDebian {
        /// What is missing.
        missing: Vec<Missing>,
    },
    /// Installing needs root, and neither sudo nor a terminal to ask on is there.
    #[error("installing {} needs root, which sudo does not give here without a password", list(.missing))]
    NoPrivilege {
        /// What is missing.
        missing: Vec<Missing>,
        /// Commands to type, as root.
        commands: Vec<String>,
    },
    /// A command could not be started.
    #[error("cannot start {program}")]
    Start {
        program: String,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// A command failed.
    #[error("`{command}` failed: {status}\n{tail}")]
    Command {
        /// What was typed.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines it wrote.
        tail: String,
    },
    /// Everything was installed, and still something is not there.
    #[error("after the installation this machine still lacks {}", list(.missing))]
    StillMissing {
        /// What is missing.
        missing: Vec<Missing>,
    },
}

impl RequirementsError {
    /// What to do next, one or more lines.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { commands, .. } => {
                format!("add --yes, or type as root:\n{}", indented(commands))
            }
            Self::NoPrivilege { commands, .. } => {
                format!("type as root, then run this again:\n{}", indented(commands))
            }
            Self::NotDebian { missing } => {
                let packages: Vec<_> = packages(missing).into_iter().collect();
                format!(
                    "install what your distribution calls {} (Debian's names), then run this again",
                    packages.join(", ")
                )
            }
            Self::Start { program, .. } => format!("is {program} on the PATH?"),
            Self::Command { command, .. } => {
                format!("type `{command}` to see all of it, then run this again")
            }
            Self::StillMissing { missing } => format!(
                "are {} in a directory that is not on the PATH?",
                list(missing)
            ),
        }
    }
}

/// Programs and files; where they are needed.
const FILES: [(&str, &str, Needed); 8] = [
    ("qemu-system-x86_64", "qemu-system-x86", Needed::Run),
    ("ssh", "openssh-client", Needed::Run),
    ("mmdebstrap", "mmdebstrap", Needed::Build),
    ("mksquashfs", "squashfs-tools", Needed::Build),
    ("newuidmap", "uidmap", Needed::UserBuild),
    ("newgidmap", "uidmap", Needed::UserBuild),
    // mmdebstrap verifies the archive with these; other distributions do not have them from the start.
    (
        super::apt_sources::KEYRING,
        "debian-archive-keyring",
        Needed::Build,
    ),
    ("apt-get", "apt", Needed::Build),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// Starting machines, and building.
    Run,
    /// Building.
    Build,
    /// Building as an ordinary user.
    UserBuild,
}

/// What `host` lacks for `purpose`. Reads directories and two small files; starts nothing.
#[must_use]
pub fn missing(host: &Host, purpose: Purpose) -> Vec<Missing> {
    let wanted = |needed: Needed| match purpose {
        Purpose::Run => needed == Needed::Run,
        Purpose::Build => needed != Needed::UserBuild || !host.is_root(),
    };
    let mut found: Vec<Missing> = FILES
        .into_iter()
        .filter(|&(name, _, needed)| wanted(needed) && !host.has(name))
        .map(|(name, package, _)| Missing::File { name, package })
        .collect();
    if purpose == Purpose::Build && !host.is_root() {
        found.extend(subordinate::missing(host));
    }
    found
}

/// Makes sure that this machine has what `purpose` needs, installing it where `consent` allows.
///
/// Costs a few look-ups in directories when everything is there.
///
/// # Errors
/// [`RequirementsError`]; its `hint` names the next step.
pub fn ensure(
    host: &Host,
    purpose: Purpose,
    consent: Consent<'_>,
    progress: &dyn Progress,
) -> Result<(), RequirementsError> {
    let lacking = missing(host, purpose);
    if lacking.is_empty() {
        return Ok(());
    }
    if !host.has("apt-get") {
        return Err(RequirementsError::NotDebian { missing: lacking });
    }
    let commands = install::typed(&lacking);
    let allowed = match consent {
        Consent::Yes => true,
        Consent::Ask(ask) => ask(&format!("Install {} on this machine?", list(&lacking))),
        Consent::No => false,
    };
    if !allowed {
        return Err(RequirementsError::Missing {
            missing: lacking,
            commands,
        });
    }
    let Some(privilege) = install::privilege(host) else {
        return Err(RequirementsError::NoPrivilege {
            missing: lacking,
            commands,
        });
    };
    install::install(host, &lacking, privilege, progress)?;
    let still = missing(host, purpose);
    if still.is_empty() {
        Ok(())
    } else {
        Err(RequirementsError::StillMissing { missing: still })
    }
}

fn packages(missing: &[Missing]) -> BTreeSet<&'static str> {
    missing
        .iter()
        .filter_map(|item| match item {
            Missing::File { package, .. } => Some(*package),
            Missing::SubordinateIds { .. } => None,
        })
        .collect()
}

/// `mmdebstrap, uidmap and subordinate ids for ann`.
fn list(missing: &[Missing]) -> String {
    let mut items: Vec<String> = packages(missing).into_iter().map(str::to_owned).collect();
    items.extend(missing.iter().filter_map(|item| match item {
        Missing::File { .. } => None,
        Missing::SubordinateIds { user, .. } => Some(format!("subordinate ids for {user}")),
    }));
    match items.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn indented(commands: &[String]) -> String {
    commands
        .iter()
        .map(|command| format!("  {command}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests;
