//! Puts back what a lab changed, newest first, each looked at again before its journal entry ends.
//!
//! A failure does not keep other things from being put back; only a setting that hides an address stays
//! while that address could not be removed. What failed stays in the journal for the next attempt.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::apply::{Progress, gone, still_different};
use super::journal::{self, Entry, Item, Journal};
use super::lock::HostLock;
use super::machine::Machine;
use super::protocol::{AgentError, Outcome, OutcomeResult, ResourceError};
use super::root::Root;
use super::trial;
use crate::model::LabName;
use crate::resource::{Change, Observed, Resource, ResourceId, Service, undo};

/// What is to be put back.
#[derive(Debug)]
pub(super) struct Revert<'a> {
    /// Lab.
    pub lab: &'a LabName,
    /// Who runs it.
    pub run: &'a str,
    /// Remove the packages we installed, too.
    pub purge: bool,
}

/// One outcome per journaled resource, newest first; none when there was nothing of ours.
pub(super) fn revert<M: Machine>(
    machine: &mut M,
    root: &Root,
    request: &Revert<'_>,
    progress: Progress<'_>,
) -> Result<Vec<Outcome>, AgentError> {
    let lock = HostLock::take(root, request.run)?;
    // Nothing is left to be confirmed.
    trial::keep(root, request.lab)?;
    let mut journal = Journal::open(root, request.lab)?;
    let mut outcomes = if request.purge {
        // A package's own removal stops its service, and its files must be as it left them by then.
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

/// Puts back the entries that `chosen` picks.
pub(super) fn put_back<M: Machine>(
    machine: &mut M,
    journal: &mut Journal,
    chosen: impl Fn(&Entry) -> bool,
    progress: Progress<'_>,
) -> Vec<Outcome> {
    let entries: Vec<Entry> = journal.entries().iter().rev().cloned().collect();
    let mut outcomes = Vec::new();
    let mut address_left = false;
    let mut left = BTreeSet::new();
    for entry in entries.into_iter().filter(chosen) {
        let id = entry.item.id();
        let result =
            if address_left && hides_addresses(&entry.item) || is_directory_of(&entry, &left) {
                OutcomeResult::NotAttempted
            } else {
                put_back_one(machine, journal, &entry, progress)
                    .unwrap_or_else(|error| OutcomeResult::Failed { error })
            };
        if matches!(result, OutcomeResult::Failed { .. }) {
            left.insert(id.clone());
            address_left |= matches!(
                entry.item,
                Item::Resource {
                    resource: Resource::Address(_),
                    ..
                }
            );
        }
        outcomes.push(Outcome {
            resource: id,
            result,
        });
    }
    outcomes
}

/// A directory that was made for a file which is still there: it is not empty, and goes with it next time.
fn is_directory_of(entry: &Entry, left: &BTreeSet<ResourceId>) -> bool {
    matches!(entry.item, Item::Directory { .. }) && left.contains(&entry.owner())
}

/// A VIP that could not be removed must not begin to answer ARP because its sysctls went first.
fn hides_addresses(item: &Item) -> bool {
    matches!(
        item,
        Item::Resource {
            resource: Resource::Sysctl(_),
            ..
        }
    )
}

fn put_back_one<M: Machine>(
    machine: &mut M,
    journal: &mut Journal,
    entry: &Entry,
    progress: Progress<'_>,
) -> Result<OutcomeResult, ResourceError> {
    let id = entry.item.id();
    let result = match &entry.item {
        Item::Directory { path } => {
            if machine.remove_directory(path)? {
                changed("a directory of ours", "no such directory")
            } else {
                // Somebody keeps something else in it by now.
                OutcomeResult::Unchanged
            }
        }
        Item::Resource { resource, before } => {
            let now = machine.observe(resource)?;
            match undo(before, &now) {
                None => OutcomeResult::Unchanged,
                Some(change) => {
                    progress(&id).map_err(gone)?;
                    for service in &entry.restarts {
                        journal.restart_pending(service)?;
                    }
                    machine.restore(resource, before, &now)?;
                    let after = machine.observe(resource)?;
                    if let Some(left) = undo(before, &after) {
                        return Err(still_different(&left));
                    }
                    OutcomeResult::Changed { change }
                }
            }
        }
    };
    journal.undone(id)?;
    Ok(result)
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

/// A service that goes on running reads its own files again.
pub(super) fn restart_readers<M: Machine>(machine: &mut M, journal: &mut Journal) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for name in journal.pending_restarts().to_vec() {
        let resource = Resource::Service(Service {
            name: name.clone(),
            running: true,
            enabled: true,
            restart_on: Vec::new(),
        });
        let result = (|| {
            let running = matches!(
                machine.observe(&resource)?,
                Observed::Service { state: Some(state) } if state.running
            );
            if running {
                machine.restart(&name)?;
            }
            Ok::<(), ResourceError>(journal.restarted(&name)?)
        })();
        if let Err(error) = result {
            outcomes.push(Outcome {
                resource: ResourceId(format!("service {name}")),
                result: OutcomeResult::Failed { error },
            });
        }
    }
    outcomes
}

fn changed(from: &str, to: &str) -> OutcomeResult {
    OutcomeResult::Changed {
        change: Change::Value {
            from: Some(from.to_owned()),
            to: to.to_owned(),
        },
    }
}

/// No lab is left on this host: everything of ours goes, the running program's own file included. What
/// cannot be removed (a file that is mounted there) is no reason to fail.
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
