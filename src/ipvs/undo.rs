//! Taking commands back when the kernel refused one of them.

use std::collections::HashSet;

use super::client::Client;
use super::command::Command;
use super::error::{IpvsError, Refused};
use super::model::{Daemon, ServiceKey, ServiceStatus, Table, Timeouts};
use super::reconcile::{Desired, Others, Removal, reconcile};

/// What some commands are about to change, read before they are sent.
///
/// Services, destinations, timeouts and daemons can be restored; counters and the connections of what was
/// deleted cannot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    table: Table,
    timeouts: Option<Timeouts>,
    daemons: Option<Vec<Daemon>>,
}

impl Snapshot {
    /// Reads the table, and timeouts and daemons where the commands change those.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn read(ipvs: &Client, commands: &[Command]) -> Result<Self, IpvsError> {
        let timeouts = commands
            .iter()
            .any(|command| matches!(command, Command::SetTimeouts(_)));
        let daemons = commands
            .iter()
            .any(|command| matches!(command, Command::StartDaemon(_) | Command::StopDaemon(_)));
        Ok(Self {
            table: ipvs.table()?,
            timeouts: timeouts.then(|| ipvs.timeouts()).transpose()?,
            daemons: daemons.then(|| ipvs.daemons()).transpose()?,
        })
    }

    /// A snapshot for commands that change only the table, which is this one.
    #[must_use]
    pub fn of_table(table: Table) -> Self {
        Self {
            table,
            timeouts: None,
            daemons: None,
        }
    }

    /// Restores what the commands changed. Services that they do not name stay as they are now, so that
    /// somebody else's change survives.
    ///
    /// `refused` is what the kernel refused of the commands, `None` when its answers were lost.
    ///
    /// # Errors
    /// When the kernel cannot be asked, or with the first command of the way back that it refused.
    pub fn restore(
        self,
        ipvs: &Client,
        commands: &[Command],
        refused: Option<&[Refused]>,
    ) -> Result<(), IpvsError> {
        let (mut back, starts) = match &self.daemons {
            Some(before) => daemon_changes(&ipvs.daemons()?, before),
            None => Default::default(),
        };
        // While a daemon runs, the kernel takes no destination of the other address family: stop the
        // daemons first, restore the table, then start daemons.
        match refused.and_then(|refused| opposites(commands, refused)) {
            Some(opposites) => back.extend(opposites),
            None => back.extend(table_changes(ipvs.table()?, self.table, commands)),
        }
        back.extend(self.timeouts.map(Command::SetTimeouts));
        back.extend(starts);
        match ipvs.batch(&back)?.into_iter().next() {
            Some(refused) => Err(refused.into()),
            None => Ok(()),
        }
    }
}

/// From the table after the commands to the one before them, in the services that the commands name.
fn table_changes(after: Table, before: Table, commands: &[Command]) -> Vec<Command> {
    let named = named_services(commands);
    let is_named = |status: &ServiceStatus| match &named {
        Some(keys) => keys.contains(&status.service.key),
        None => true,
    };
    let after: Table = after.into_iter().filter(is_named).collect();
    let before: Vec<Desired> = before
        .into_iter()
        .filter(is_named)
        .map(Desired::from)
        .collect();
    reconcile(&after, &before, Others::Delete, Removal::AtOnce)
}

/// The services that the commands name; `None` when they change every service.
fn named_services(commands: &[Command]) -> Option<HashSet<ServiceKey>> {
    let mut named = HashSet::new();
    for command in commands {
        match command {
            Command::Flush => return None,
            Command::CreateService(service) | Command::EditService(service) => {
                named.insert(service.key);
            }
            Command::DeleteService(key)
            | Command::AddDestination(key, _)
            | Command::EditDestination(key, _)
            | Command::DeleteDestination(key, _) => {
                named.insert(*key);
            }
            Command::Zero(_)
            | Command::SetTimeouts(_)
            | Command::StartDaemon(_)
            | Command::StopDaemon(_) => {}
        }
    }
    Some(named)
}

/// The daemons to stop, and the ones to start after that, to get from `now` to `before`.
fn daemon_changes(now: &[Daemon], before: &[Daemon]) -> (Vec<Command>, Vec<Command>) {
    let stops = now.iter().filter(|daemon| !before.contains(daemon));
    let starts = before.iter().filter(|daemon| !now.contains(daemon));
    (
        stops
            .map(|daemon| Command::StopDaemon(daemon.role))
            .collect(),
        starts.cloned().map(Command::StartDaemon).collect(),
    )
}

/// Deletes every addition that was not refused, the last one first. `None` when the commands do more than
/// add. Unlike a return to the table of before, this leaves destinations alone that somebody else added to
/// the same service.
fn opposites(commands: &[Command], refused: &[Refused]) -> Option<Vec<Command>> {
    let mut refused = refused.iter().map(|one| one.index).rev().peekable();
    let mut back = Vec::new();
    for (index, command) in commands.iter().enumerate().rev() {
        let opposite = match command {
            Command::CreateService(service) => Command::DeleteService(service.key),
            Command::AddDestination(key, destination) => {
                Command::DeleteDestination(*key, destination.key())
            }
            _ => return None,
        };
        if refused.next_if_eq(&index).is_none() {
            back.push(opposite);
        }
    }
    Some(back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{Counters, DaemonRole, Destination, DestinationStatus, Forwarding};
    use crate::ipvs::{Service, Transport};

    fn vip(port: u16) -> ServiceKey {
        ServiceKey::Address {
            transport: Transport::Tcp,
            address: [10, 0, 0, 1].into(),
            port,
        }
    }

    fn web(last: u8) -> Destination {
        Destination::new([10, 1, 0, last].into(), 80, Forwarding::Masquerade, 1)
    }

    fn status(port: u16, servers: &[u8]) -> ServiceStatus {
        ServiceStatus {
            service: Service::new(vip(port), "rr"),
            counters: Counters::default(),
            destinations: servers
                .iter()
                .map(|last| DestinationStatus {
                    destination: web(*last),
                    active: 0,
                    inactive: 0,
                    persistent: 0,
                    counters: Counters::default(),
                })
                .collect(),
        }
    }

    fn daemon(role: DaemonRole, sync_id: u32) -> Daemon {
        Daemon {
            role,
            interface: "eth0".to_owned(),
            sync_id,
            max_length_bytes: None,
            group: None,
            port: None,
            ttl: None,
        }
    }

    #[test]
    fn daemons_that_changed_are_stopped_and_started_as_before() {
        let master = daemon(DaemonRole::Master, 1);
        let other = daemon(DaemonRole::Master, 2);
        let backup = daemon(DaemonRole::Backup, 1);
        let both = [master.clone(), backup.clone()];
        assert_eq!(daemon_changes(&both, &both), (vec![], vec![]));
        let stop = vec![Command::StopDaemon(DaemonRole::Master)];
        let start = |daemon: &Daemon| vec![Command::StartDaemon(daemon.clone())];
        assert_eq!(
            daemon_changes(&both[..1], &both[1..]),
            (stop.clone(), start(&backup))
        );
        assert_eq!(
            daemon_changes(&[other, backup], &both),
            (stop, start(&master))
        );
    }

    #[test]
    fn additions_are_deleted_in_reverse() {
        let adds = [
            Command::CreateService(Service::new(vip(80), "rr")),
            Command::AddDestination(vip(80), web(1)),
        ];
        assert_eq!(
            opposites(&adds, &[]),
            Some(vec![
                Command::DeleteDestination(vip(80), web(1).key()),
                Command::DeleteService(vip(80)),
            ])
        );
        let more = [Command::Flush, adds[0].clone()];
        assert_eq!(opposites(&more, &[]), None);
    }

    #[test]
    fn services_that_no_command_names_stay_as_they_are() {
        let before = vec![status(80, &[1]), status(81, &[1])];
        let after = vec![status(81, &[1, 2]), status(82, &[3])];
        let commands = [
            Command::DeleteService(vip(80)),
            Command::SetTimeouts(Timeouts::default()),
        ];
        let restored = [
            Command::CreateService(Service::new(vip(80), "rr")),
            Command::AddDestination(vip(80), web(1)),
        ];
        assert_eq!(
            table_changes(after.clone(), before.clone(), &commands),
            restored
        );
        let flush = table_changes(after, before, &[Command::Flush]);
        assert!(flush.contains(&Command::DeleteService(vip(82))));
        assert!(flush.contains(&Command::DeleteDestination(vip(81), web(2).key())));
    }
}
