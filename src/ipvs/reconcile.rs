//! The smallest set of commands from the table that is to the table that should be. Pure.
//!
//! What stays is never touched, so its connections live on: a changed service is edited in place, a
//! changed destination too, and new destinations come before old ones go.

use std::collections::{HashMap, HashSet};

use super::command::Command;
use super::model::{
    Destination, DestinationKey, DestinationStatus, Service, ServiceKey, ServiceStatus,
};

/// A service as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The service.
    pub service: Service,
    /// Exactly its destinations; of two with the same address and port the last one counts.
    pub destinations: Vec<Destination>,
}

impl From<ServiceStatus> for Desired {
    /// The configuration without the live counts.
    fn from(status: ServiceStatus) -> Self {
        Self {
            service: status.service,
            destinations: status
                .destinations
                .into_iter()
                .map(|status| status.destination)
                .collect(),
        }
    }
}

/// What to do with services of the table that are not among the desired ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They belong to somebody else.
    Keep,
    /// The desired ones are all there should be.
    Delete,
}

/// How destinations go that should not be there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// At once. The kernel then drops the packets of their connections.
    AtOnce,
    /// They get weight 0 and no new connections; once they have none they go. Until then reconciling
    /// again finds nothing to do, or that they can go. One that has no connections gets weight 0 first,
    /// too: it may get one between the look at the table and its end.
    WhenIdle,
}

/// Commands, in their order, that turn `current` into `desired`. Nothing when it is so already.
///
/// ```
/// use lvslab::ipvs::{Command, Desired, Others, Removal, Service, ServiceKey, Transport, reconcile};
///
/// let vip = ServiceKey::Address {
///     transport: Transport::Tcp,
///     address: "192.168.4.15".parse()?,
///     port: 80,
/// };
/// let desired = [Desired { service: Service::new(vip, "wrr"), destinations: Vec::new() }];
/// let commands = reconcile(&[], &desired, Others::Delete, Removal::WhenIdle);
/// assert_eq!(commands, [Command::CreateService(Service::new(vip, "wrr"))]);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn reconcile(
    current: &[ServiceStatus],
    desired: &[Desired],
    others: Others,
    removal: Removal,
) -> Vec<Command> {
    let mut commands = Vec::new();
    let found: HashMap<ServiceKey, &ServiceStatus> = current
        .iter()
        .map(|status| (status.service.key, status))
        .collect();
    let wanted: HashSet<ServiceKey> = desired.iter().map(|one| one.service.key).collect();
    if others == Others::Delete {
        for status in current {
            if !wanted.contains(&status.service.key) {
                commands.extend(remove_service(status, removal));
            }
        }
    }
    for one in desired {
        commands.extend(service_commands(
            found.get(&one.service.key).copied(),
            &one.service,
            &one.destinations,
            removal,
        ));
    }
    commands
}

/// [`reconcile`] for one service, removing at once.
#[must_use]
pub fn reconcile_service(
    current: Option<&ServiceStatus>,
    service: &Service,
    destinations: &[Destination],
) -> Vec<Command> {
    service_commands(current, service, destinations, Removal::AtOnce)
}

fn service_commands(
    current: Option<&ServiceStatus>,
    service: &Service,
    destinations: &[Destination],
    removal: Removal,
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
    let present = current.map_or(&[][..], |status| &status.destinations);
    let found: HashMap<DestinationKey, &Destination> = present
        .iter()
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
        present
            .iter()
            .filter(|status| !wanted.contains_key(&status.destination.key()))
            .filter_map(|status| remove_destination(key, status, removal)),
    );
    commands
}

/// A destination that should go and cannot yet: it has connections, or may still get some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draining {
    /// Its service.
    pub service: ServiceKey,
    /// The destination.
    pub destination: DestinationKey,
    /// Its connections, established or not.
    pub connections: u64,
}

/// What [`Removal::WhenIdle`] has to wait for: destinations of `current` that `desired` does not have and
/// that have connections or a weight.
#[must_use]
pub fn draining(current: &[ServiceStatus], desired: &[Desired], others: Others) -> Vec<Draining> {
    let wanted: HashMap<ServiceKey, &[Destination]> = desired
        .iter()
        .map(|one| (one.service.key, one.destinations.as_slice()))
        .collect();
    let mut found = Vec::new();
    for status in current {
        let key = status.service.key;
        let kept: HashSet<DestinationKey> = match (wanted.get(&key), others) {
            (Some(destinations), _) => destinations.iter().map(Destination::key).collect(),
            (None, Others::Delete) => HashSet::new(),
            (None, Others::Keep) => continue,
        };
        let busy = status
            .destinations
            .iter()
            .filter(|status| !can_go(status) && !kept.contains(&status.destination.key()));
        found.extend(busy.map(|status| Draining {
            service: key,
            destination: status.destination.key(),
            connections: u64::from(status.active) + u64::from(status.inactive),
        }));
    }
    found
}

/// Whether it has no connections and gets none.
fn can_go(status: &DestinationStatus) -> bool {
    status.active == 0 && status.inactive == 0 && status.destination.weight == 0
}

/// The next step of removing a destination, `None` while there is nothing to do but wait.
fn remove_destination(
    key: ServiceKey,
    status: &DestinationStatus,
    removal: Removal,
) -> Option<Command> {
    if removal == Removal::AtOnce || can_go(status) {
        return Some(Command::DeleteDestination(key, status.destination.key()));
    }
    (status.destination.weight != 0).then(|| {
        let mut quiet = status.destination.clone();
        quiet.weight = 0;
        Command::EditDestination(key, quiet)
    })
}

fn remove_service(status: &ServiceStatus, removal: Removal) -> Vec<Command> {
    let key = status.service.key;
    if removal == Removal::AtOnce || status.destinations.iter().all(can_go) {
        return vec![Command::DeleteService(key)];
    }
    status
        .destinations
        .iter()
        .filter_map(|status| remove_destination(key, status, removal))
        .collect()
}

#[cfg(test)]
mod tests;
