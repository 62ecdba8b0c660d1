//! Puts back what a journal notes, newest first, and observes each again before its entry ends.
//!
//! After a failure the other entries are still put back, with one exception: if an address cannot be removed, the
//! settings stay, since they may keep the host from answering ARP for it. Failed entries stay in the journal for the
//! next attempt.

use std::collections::BTreeSet;

use super::journal::{Entry, Item, Journal};
use super::machine::Machine;
use super::outcome::{Progress, changed, gone, still_different};
use crate::agent::protocol::{Outcome, OutcomeResult, ResourceError};
use crate::resource::{Observed, Resource, ResourceId, Service, undo};

/// Puts back the entries for which `chosen` is true.
pub(in crate::agent) fn put_back<M: Machine>(
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

/// Whether the entry is a directory made for a file that is left: the two go together at the next attempt.
fn is_directory_of(entry: &Entry, left: &BTreeSet<ResourceId>) -> bool {
    matches!(entry.item, Item::Directory { .. }) && left.contains(&entry.owner())
}

/// Whether the item may hide an address: a VIP that is still there must not begin to answer ARP.
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
                // It holds other files now.
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

/// Restarts the running services whose files were put back, so that they read them.
pub(in crate::agent) fn restart_readers<M: Machine>(
    machine: &mut M,
    journal: &mut Journal,
) -> Vec<Outcome> {
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
