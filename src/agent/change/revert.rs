//! Takes a lab down on this host: puts back everything its journal notes, then removes lvslab's own files if no lab is
//! left.

use std::fs;
use std::path::Path;

use super::journal::{self, Entry, Item, Journal};
use super::lock::HostLock;
use super::machine::Machine;
use super::outcome::{Progress, changed, gone, still_different};
use super::put_back::{put_back, restart_readers};
use super::trial;
use crate::agent::protocol::{AgentError, Outcome, OutcomeResult};
use crate::agent::system::root::Root;
use crate::model::LabId;
use crate::resource::{Change, Observed, Resource};

/// A request to take a lab down.
#[derive(Debug)]
pub(in crate::agent) struct Revert<'a> {
    pub lab: &'a LabId,
    /// Who runs it, for the lock: `user@host pid`.
    pub run: &'a str,
    /// Whether to remove the packages that we installed, too.
    pub purge: bool,
}

/// Returns one outcome per journaled resource, newest first; none when the lab changed nothing here.
pub(in crate::agent) fn revert<M: Machine>(
    machine: &mut M,
    root: &Root,
    request: &Revert<'_>,
    progress: Progress<'_>,
) -> Result<Vec<Outcome>, AgentError> {
    let lock = HostLock::take(root, request.run)?;
    // After this there is nothing to confirm.
    trial::keep(root, request.lab)?;
    let mut journal = Journal::open(root, request.lab)?;
    let mut outcomes = if request.purge {
        // Removing a package also stops its service. Before that, its files must be as the package brought them.
        let mut outcomes = put_back(machine, &mut journal, |e| !package_or_service(e), progress);
        outcomes.extend(purge(machine, &mut journal, progress));
        outcomes.extend(put_back(machine, &mut journal, is_service, progress));
        outcomes
    } else {
        put_back(machine, &mut journal, |_| true, progress)
    };
    outcomes.extend(restart_readers(machine, &mut journal));
    if journal.entries().is_empty() && journal.pending_restarts().is_empty() {
        journal.remove()?;
        if journal::labs(root).is_empty() {
            remove_state(&root.state());
        }
    }
    drop(lock);
    Ok(outcomes)
}

fn is_service(entry: &Entry) -> bool {
    matches!(
        entry.item,
        Item::Resource {
            resource: Resource::Service(_),
            ..
        }
    )
}

fn package_or_service(entry: &Entry) -> bool {
    is_service(entry)
        || matches!(
            entry.item,
            Item::Resource {
                resource: Resource::Package(_),
                ..
            }
        )
}

/// Removes the packages that were not there before.
fn purge<M: Machine>(
    machine: &mut M,
    journal: &mut Journal,
    progress: Progress<'_>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for entry in journal.entries().to_vec().into_iter().rev() {
        let Item::Resource {
            resource: resource @ Resource::Package(package),
            ..
        } = &entry.item
        else {
            continue;
        };
        let result = (|| {
            let now = machine.observe(resource)?;
            let Observed::Package {
                version: Some(version),
            } = now
            else {
                return Ok(OutcomeResult::Unchanged);
            };
            progress(&resource.id()).map_err(gone)?;
            machine.purge(&package.name, &entry.installed)?;
            match machine.observe(resource)? {
                Observed::Package { version: Some(_) } => Err(still_different(&Change::Value {
                    from: Some("installed".into()),
                    to: "removed".into(),
                })),
                _ => Ok(changed(&format!("version {version}"), "removed")),
            }
        })();
        let result = match result {
            Ok(result) => match journal.undone(resource.id()) {
                Ok(()) => result,
                Err(error) => OutcomeResult::Failed {
                    error: error.into(),
                },
            },
            Err(error) => OutcomeResult::Failed { error },
        };
        outcomes.push(Outcome {
            resource: resource.id(),
            result,
        });
    }
    outcomes
}

/// Removes everything lvslab keeps on a host, the running program's own file included. A file that cannot be removed,
/// such as a mount point, is no reason to fail.
fn remove_state(state: &Path) {
    for directory in ["journal", "bin"] {
        let directory = state.join(directory);
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
        let _ = fs::remove_dir(&directory);
    }
    if let Err(error) = fs::remove_dir_all(state) {
        eprintln!("lvslab agent: cannot remove {}: {error}", state.display());
    }
}
