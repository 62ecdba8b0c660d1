//! What is to be done, once a command line is understood as a whole.

use super::arguments::{Asked, Entry, Format, parse};
use super::failure::Failure;
use super::keeping::Keeping;
use super::legality::{Switch, Verb};
use super::names::Names;
use super::words::DEFAULT_SCHEDULER;
use crate::ipvs::{Command, Forwarding, Service, ServiceKey};

/// The interface of a daemon that is given none.
const DEFAULT_MCAST_INTERFACE: &str = "eth0";

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Everything,
    Service(ServiceKey),
    Connections,
    Timeouts,
    Daemons,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Help,
    Version,
    List(Listing, Format),
    Save {
        numeric: bool,
    },
    Restore {
        keep_going: bool,
    },
    Change(Command),
    /// An edit that leaves something as it is.
    Keep(Keeping),
}

/// Understands argv without its first element.
pub(super) fn understand(program: &str, words: &[&str], names: &Names) -> Result<Action, Failure> {
    match parse(program, words, names)? {
        Asked::Help => Ok(Action::Help),
        Asked::Version => Ok(Action::Version),
        Asked::Entry(entry) => decide(entry),
    }
}

fn decide(entry: Box<Entry>) -> Result<Action, Failure> {
    // Where a command needs a service, the legality table has seen to it that there is one.
    let key = entry.service.key();
    let service_missing = || Failure::usage("illegal virtual server address[:port] specified");
    let change = |command| Ok(Action::Change(command));
    match entry.verb {
        Verb::AddService | Verb::EditService => {
            let key = key.ok_or_else(service_missing)?;
            check_service(&entry, key)?;
            let scheduler = entry.service.scheduler.as_deref();
            let service = entry
                .service
                .service(key, scheduler.unwrap_or(DEFAULT_SCHEDULER));
            match (entry.verb, scheduler) {
                (Verb::AddService, _) => change(Command::CreateService(service)),
                (_, Some(_)) => change(Command::EditService(service)),
                (_, None) => Ok(Action::Keep(Keeping::Scheduler(
                    service,
                    entry.service.scheduler_flags,
                ))),
            }
        }
        Verb::DeleteService => change(Command::DeleteService(key.ok_or_else(service_missing)?)),
        Verb::Flush => change(Command::Flush),
        Verb::List => list(&entry, key),
        Verb::AddServer | Verb::EditServer => {
            let key = key.ok_or_else(service_missing)?;
            match (entry.destination.forwarding, entry.verb) {
                (None, Verb::EditServer) => Ok(Action::Keep(Keeping::Method(entry, key))),
                (forwarding, verb) => change(destination(
                    &entry,
                    key,
                    forwarding.unwrap_or(Forwarding::Route),
                    verb,
                )?),
            }
        }
        Verb::DeleteServer => {
            let key = key.ok_or_else(service_missing)?;
            let address = entry.destination.address.ok_or_else(service_missing)?;
            change(Command::DeleteDestination(
                key,
                crate::ipvs::DestinationKey {
                    address,
                    port: entry.destination.port,
                },
            ))
        }
        Verb::SetTimeouts => change(Command::SetTimeouts(entry.timeouts)),
        Verb::StartDaemon => {
            let mut daemon = entry.daemon;
            if daemon.interface.is_empty() {
                DEFAULT_MCAST_INTERFACE.clone_into(&mut daemon.interface);
            }
            change(Command::StartDaemon(daemon))
        }
        Verb::StopDaemon => change(Command::StopDaemon(entry.daemon.role)),
        Verb::Restore => Ok(Action::Restore {
            keep_going: entry.switches.has(Switch::KeepGoing),
        }),
        Verb::Save => Ok(Action::Save {
            numeric: entry.format.numeric,
        }),
        // ipvsadm takes the service 0.0.0.0:0 for none.
        Verb::Zero => change(Command::Zero(key.filter(|key| match key {
            ServiceKey::Address { address, port, .. } => !address.is_unspecified() || *port != 0,
            ServiceKey::Fwmark { .. } => true,
        }))),
    }
}

/// The command that adds or edits the entry's destination with this forwarding method.
pub(super) fn destination(
    entry: &Entry,
    key: ServiceKey,
    forwarding: Forwarding,
    verb: Verb,
) -> Result<Command, Failure> {
    entry.check_forwarding(forwarding)?;
    let address = entry
        .destination
        .address
        .ok_or_else(|| Failure::usage("illegal real server address[:port] specified"))?;
    let destination = entry.destination.destination(address, key, forwarding);
    Ok(match verb {
        Verb::EditServer => Command::EditDestination(key, destination),
        _ => Command::AddDestination(key, destination),
    })
}

fn check_service(entry: &Entry, key: ServiceKey) -> Result<(), Failure> {
    let ServiceKey::Address {
        transport, port, ..
    } = key
    else {
        return Ok(());
    };
    if port == 0 && entry.service.persistence.is_none() {
        return Err(Failure::usage(
            "Zero port specified for non-persistent service",
        ));
    }
    if entry.service.flags & Service::ONE_PACKET != 0 && transport != crate::ipvs::Transport::Udp {
        return Err(Failure::usage(
            "One-Packet Scheduling is only for UDP virtual services",
        ));
    }
    Ok(())
}

fn list(entry: &Entry, key: Option<ServiceKey>) -> Result<Action, Failure> {
    let switches = entry.switches;
    let special = [Switch::Connection, Switch::Timeout, Switch::Daemon];
    let columns = [Switch::Stats, Switch::Rate, Switch::Thresholds];
    if (switches.has_any(&special) && switches.has_any(&columns))
        || (switches.has_any(&special[1..]) && switches.has(Switch::PersistentConn))
    {
        return Err(Failure::usage("options conflicts in the list command"));
    }
    let listing = if switches.has(Switch::Connection) {
        Listing::Connections
    } else if let Some(key) = key {
        Listing::Service(key)
    } else if switches.has(Switch::Timeout) {
        Listing::Timeouts
    } else if switches.has(Switch::Daemon) {
        Listing::Daemons
    } else {
        Listing::Everything
    };
    Ok(Action::List(listing, entry.format))
}

#[cfg(test)]
mod tests;
