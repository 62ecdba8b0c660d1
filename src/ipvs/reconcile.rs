//! The fewest commands from the current table to the desired one. Pure.
//!
//! What stays is not touched, so its connections live on. Changed services and destinations are edited in
//! place, and new destinations are added before old ones are deleted.

use std::collections::{HashMap, HashSet};

use super::command::Command;
use super::model::{
    Destination, DestinationKey, DestinationStatus, Service, ServiceKey, ServiceStatus,
};

/// A desired service with its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Its settings.
    pub service: Service,
    /// All of its destinations. Of two with the same address and port, the last one counts.
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

/// What to do with services that are not desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They belong to somebody else.
    Keep,
    /// There should be no others.
    Delete,
}

/// How destinations are removed that are not desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// At once. The kernel then drops the packets of their connections.
    AtOnce,
    /// First they get weight 0, so that they get no new connections, and once they have no connections they
    /// are deleted, which takes further calls. Even a destination without connections gets weight 0 first,
    /// because it may get a connection after the table was read.
    WhenIdle,
}

/// Commands, in their order, that turn `current` into `desired`; none if the two are the same.
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

/// [`reconcile`] for one service with [`Removal::AtOnce`].
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

/// A destination that cannot be removed yet: it has connections, or may still get some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draining {
    /// Its service.
    pub service: ServiceKey,
    /// The destination.
    pub destination: DestinationKey,
    /// Its connections, established or not.
    pub connections: u64,
}

/// What [`Removal::WhenIdle`] waits for: destinations of `current` that are not desired and have connections
/// or a weight.
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

/// Whether a destination has no connections and gets no new ones.
fn can_go(status: &DestinationStatus) -> bool {
    status.active == 0 && status.inactive == 0 && status.destination.weight == 0
}

/// The next command for removing a destination, `None` if it must wait for connections to end.
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
