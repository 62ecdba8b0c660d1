//! The smallest set of commands from the table that is to the table that should be. Pure.
//!
//! What stays is never touched, so its connections live on: a changed service is edited in place, a
//! changed destination too, and new destinations come before old ones go.

use std::collections::{HashMap, HashSet};

use super::command::Command;
use super::model::{Destination, DestinationKey, Service, ServiceKey, ServiceStatus};

/// A service as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The service.
    pub service: Service,
    /// Exactly its destinations; of two with the same address and port the last one counts.
    pub destinations: Vec<Destination>,
}

/// What to do with services of the table that are not among the desired ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They belong to somebody else.
    Keep,
    /// The desired ones are all there should be.
    Delete,
}

/// Commands, in their order, that turn `current` into `desired`. Nothing when it is so already.
#[must_use]
pub fn reconcile(current: &[ServiceStatus], desired: &[Desired], others: Others) -> Vec<Command> {
    let mut commands = Vec::new();
    let found: HashMap<ServiceKey, &ServiceStatus> = current
        .iter()
        .map(|status| (status.service.key, status))
        .collect();
    let wanted: HashSet<ServiceKey> = desired.iter().map(|one| one.service.key).collect();
    if others == Others::Delete {
        commands.extend(
            current
                .iter()
                .map(|status| status.service.key)
                .filter(|key| !wanted.contains(key))
                .map(Command::DeleteService),
        );
    }
    for one in desired {
        commands.extend(reconcile_service(
            found.get(&one.service.key).copied(),
            &one.service,
            &one.destinations,
        ));
    }
    commands
}

/// [`reconcile`] for one service.
#[must_use]
pub fn reconcile_service(
    current: Option<&ServiceStatus>,
    service: &Service,
    destinations: &[Destination],
) -> Vec<Command> {
    let key = service.key;
    let mut commands = Vec::new();
    match current {
        None => commands.push(Command::CreateService(service.clone())),
        Some(status) if status.service != *service => {
            commands.push(Command::EditService(service.clone()));
        }
        Some(_) => {}
    }
    let found: HashMap<DestinationKey, &Destination> = current
        .into_iter()
        .flat_map(|status| &status.destinations)
        .map(|status| (status.destination.key(), &status.destination))
        .collect();
    let wanted: HashMap<DestinationKey, &Destination> =
        destinations.iter().map(|one| (one.key(), one)).collect();
    let mut done = HashSet::new();
    for destination in destinations {
        let identity = destination.key();
        if !done.insert(identity) {
            continue;
        }
        let destination = wanted.get(&identity).copied().unwrap_or(destination);
        match found.get(&identity) {
            None => commands.push(Command::AddDestination(key, destination.clone())),
            Some(old) if *old != destination => {
                commands.push(Command::EditDestination(key, destination.clone()));
            }
            Some(_) => {}
        }
    }
    commands.extend(
        current
            .into_iter()
            .flat_map(|status| &status.destinations)
            .map(|status| status.destination.key())
            .filter(|identity| !wanted.contains_key(identity))
            .map(|identity| Command::DeleteDestination(key, identity)),
    );
    commands
}
