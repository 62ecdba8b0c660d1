//! Applies a plan, resource by resource: observe, diff, journal the state before, change, observe again.
//!
//! Resources that an earlier plan of the same lab made and this one no longer has are put back first. The first
//! failure ends the run; the resources after it are reported as not attempted.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::{self, Entry, Item, Journal};
use super::lock::HostLock;
use super::machine::Machine;
use super::outcome::{Progress, gone, is_failure, still_different};
use super::own_program;
use super::put_back::put_back;
use super::trial::Trial;
use crate::agent::protocol::error::because;
use crate::agent::protocol::{AgentError, Apply, Outcome, OutcomeResult, ResourceError};
use crate::agent::system::root::Root;
use crate::model::LabId;
use crate::resource::{Change, Observed, Resource, ResourceId, diff};

/// The result of an apply.
#[derive(Debug)]
pub(in crate::agent) struct Report {
    /// One per resource of the request in order, then one per resource of an earlier plan that was put back.
    pub outcomes: Vec<Outcome>,
    /// Whether the host rolls these changes back unless they are confirmed.
    pub on_trial: bool,
}

/// Applies the request under the host's lock.
pub(in crate::agent) fn apply<M: Machine>(
    machine: &mut M,
    root: &Root,
    request: &Apply,
    progress: Progress<'_>,
) -> Result<Report, AgentError> {
    let _lock = HostLock::take(root, &request.run)?;
    // The boot unit, which this apply may enable, starts the program through this link.
    own_program::link(root)?;
    let trial = Trial::begin(machine, root, request)?;
    let mut run = Run {
        machine,
        journal: Journal::open(root, &request.lab)?,
        plan: &request.resources,
        of_other_labs: of_other_labs(root, &request.lab)?,
        trial,
        progress,
    };
    let stale = run.put_back_stale()?;
    let mut stopped = stale.iter().any(is_failure);
    let mut outcomes = Vec::with_capacity(request.resources.len() + stale.len());
    for resource in &request.resources {
        let result = if stopped {
            OutcomeResult::NotAttempted
        } else {
            run.converge(resource)
                .unwrap_or_else(|error| OutcomeResult::Failed { error })
        };
        let outcome = Outcome {
            resource: resource.id(),
            result,
        };
        stopped |= is_failure(&outcome);
        outcomes.push(outcome);
    }
    outcomes.extend(stale);
    Ok(Report {
        outcomes,
        on_trial: run.trial.is_some_and(|trial| trial.is_armed()),
    })
}

fn of_other_labs(root: &Root, lab: &LabId) -> Result<BTreeMap<ResourceId, LabId>, AgentError> {
    let mut owned = BTreeMap::new();
    for other in journal::labs(root) {
        if other != *lab {
            for entry in Journal::open(root, &other)?.entries() {
                owned.insert(entry.item.id(), other.clone());
            }
        }
    }
    Ok(owned)
}

struct Run<'a, M> {
    machine: &'a mut M,
    journal: Journal,
    plan: &'a [Resource],
    of_other_labs: BTreeMap<ResourceId, LabId>,
    trial: Option<Trial<'a>>,
    progress: Progress<'a>,
}

impl<M: Machine> Run<'_, M> {
    /// Packages stay: only `down --purge` removes them.
    fn put_back_stale(&mut self) -> Result<Vec<Outcome>, AgentError> {
        let planned: BTreeSet<ResourceId> = self.plan.iter().map(Resource::id).collect();
        let stale = |entry: &Entry| {
            !planned.contains(&entry.owner())
                && !matches!(
                    entry.item,
                    Item::Resource {
                        resource: Resource::Package(_),
                        ..
                    }
                )
        };
        if let Some(trial) = &mut self.trial {
            let entries = self.journal.entries().iter();
            let going: Vec<Entry> = entries.filter(|entry| stale(entry)).cloned().collect();
            trial.before_forgetting(self.machine, &going)?;
        }
        Ok(put_back(
            self.machine,
            &mut self.journal,
            stale,
            self.progress,
        ))
    }

    fn converge(&mut self, resource: &Resource) -> Result<OutcomeResult, ResourceError> {
        let observed = self.machine.observe(resource)?;
        let restart = self.restart_due(resource, &observed);
        let Some(change) = diff(resource, &observed) else {
            let Some(service) = restart else {
                return Ok(OutcomeResult::Unchanged);
            };
            (self.progress)(&resource.id()).map_err(gone)?;
            self.restart(&service)?;
            return Ok(OutcomeResult::Changed {
                change: Change::Value {
                    from: Some("running with the files as they were".into()),
                    to: "restarted".into(),
                },
            });
        };
        if let Some(lab) = self.of_other_labs.get(&resource.id()) {
            return Err(
                because(format!("lab {lab} has set it and is still up on this host"))
                    .hint(format!("take lab {lab} down first")),
            );
        }
        (self.progress)(&resource.id()).map_err(gone)?;
        self.note_before(resource, observed.clone())?;
        let applied = self.machine.apply(resource, &observed)?;
        if !applied.installed.is_empty() {
            self.journal.installed(&resource.id(), applied.installed)?;
        }
        if let Some(service) = restart {
            self.restart(&service)?;
        }
        let after = self.machine.observe(resource)?;
        match diff(resource, &after) {
            None => Ok(OutcomeResult::Changed { change }),
            Some(left) => Err(still_different(&left)),
        }
    }

    /// The service's name, if it runs and one of its files changed after it last read them.
    fn restart_due(&self, resource: &Resource, observed: &Observed) -> Option<String> {
        let Resource::Service(service) = resource else {
            return None;
        };
        let running = matches!(observed, Observed::Service { state: Some(s) } if s.running);
        let pending = self.journal.pending_restarts().contains(&service.name);
        (running && service.running && pending).then(|| service.name.clone())
    }

    fn restart(&mut self, service: &str) -> Result<(), ResourceError> {
        self.machine.restart(service)?;
        Ok(self.journal.restarted(service)?)
    }

    /// Journals everything that putting the resource back will need; it is on disk when this returns.
    fn note_before(&mut self, resource: &Resource, before: Observed) -> Result<(), ResourceError> {
        if matches!(resource, Resource::Package(_)) {
            self.note_services()?;
        }
        let id = resource.id();
        for item in self.machine.side_effects(resource)? {
            self.note(Entry {
                item,
                part_of: Some(id.clone()),
                restarts: Vec::new(),
                installed: Vec::new(),
            })?;
        }
        let restarts = self.readers(resource);
        for service in &restarts {
            self.journal.restart_pending(service)?;
        }
        // Starting a service makes it read its files, so it needs no restart.
        if let Resource::Service(service) = resource {
            let idle = !matches!(&before, Observed::Service { state: Some(s) } if s.running);
            if idle {
                self.journal.restarted(&service.name)?;
            }
        }
        self.note(Entry {
            item: Item::Resource {
                resource: resource.clone(),
                before,
            },
            part_of: None,
            restarts,
            installed: Vec::new(),
        })?;
        Ok(())
    }

    fn note(&mut self, entry: Entry) -> Result<(), AgentError> {
        if let Some(trial) = &mut self.trial {
            trial.before(self.machine, entry.clone())?;
        }
        self.journal.before(entry)
    }

    /// Installing a package may start and enable its service, so the state of the plan's services is noted first.
    fn note_services(&mut self) -> Result<(), ResourceError> {
        for resource in self.plan {
            if matches!(resource, Resource::Service(_)) {
                let before = self.machine.observe(resource)?;
                self.note(Entry {
                    item: Item::Resource {
                        resource: resource.clone(),
                        before,
                    },
                    part_of: None,
                    restarts: Vec::new(),
                    installed: Vec::new(),
                })?;
            }
        }
        Ok(())
    }

    fn readers(&self, resource: &Resource) -> Vec<String> {
        let Resource::File(file) = resource else {
            return Vec::new();
        };
        self.plan
            .iter()
            .filter_map(|other| match other {
                Resource::Service(s) if s.restart_on.contains(&file.path) => Some(s.name.clone()),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "tests/apply.rs"]
pub(in crate::agent) mod tests;
