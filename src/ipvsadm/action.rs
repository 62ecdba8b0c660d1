//! From a command line's options to the action that it asks for.

use super::allowed_options::{Switch, Verb};
use super::arguments::{Parsed, parse};
use super::behaviour::{Behaviour, Setting};
use super::entry::{DEFAULT_SCHEDULER, Entry, Format};
use super::failure::Failure;
use super::partial_edit::PartialEdit;
use crate::ipvs::{Command, Forwarding, Service, ServiceKey, Transport};

/// The interface of a daemon without `--mcast-interface`.
const DEFAULT_MCAST_INTERFACE: &str = "eth0";

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Everything,
    Service(ServiceKey),
    Connections,
    Timeouts,
    Daemons,
}

/// How rules are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restore {
    pub(super) start: Start,
    pub(super) on_refusal: OnRefusal,
}

/// What the table is before the first rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Current,
    /// `ipvsadm-restore` clears the table first.
    Empty,
}

/// What to do when the kernel refuses a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRefusal {
    /// Take all rules back.
    Undo,
    /// Keep the others (`--keep-going`).
    KeepGoing,
}

/// What a command line asks for.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Help,
    Version,
    List(Listing, Format),
    Save { numeric: bool },
    Restore(Restore),
    Change(Command),
    Edit(PartialEdit),
}

/// Understands argv without its first element; `program` is that element, for the messages.
pub(super) fn understand(
    program: &str,
    words: &[&str],
    setting: &Setting,
) -> Result<Action, Failure> {
    match parse(program, words, setting)? {
        Parsed::Help => Ok(Action::Help),
        Parsed::Version => Ok(Action::Version),
        Parsed::Entry(entry) => decide(entry, setting.behaviour),
    }
}

fn decide(entry: Box<Entry>, behaviour: Behaviour) -> Result<Action, Failure> {
    // Where a command needs a service, `check_verb` has made sure that there is one.
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
            match (entry.verb, scheduler, behaviour) {
                (Verb::AddService, ..) => change(Command::CreateService(service)),
                (_, None, Behaviour::Ours) => Ok(Action::Edit(PartialEdit::Scheduler {
                    service,
                    flags: entry.service.scheduler_flags,
                })),
                _ => change(Command::EditService(service)),
            }
        }
        Verb::DeleteService => change(Command::DeleteService(key.ok_or_else(service_missing)?)),
        Verb::Flush => change(Command::Flush),
        Verb::List => list(&entry, key),
        Verb::AddServer | Verb::EditServer => {
            let key = key.ok_or_else(service_missing)?;
            match (entry.server.forwarding, entry.verb, behaviour) {
                (None, Verb::EditServer, Behaviour::Ours) => {
                    Ok(Action::Edit(PartialEdit::Method { entry, key }))
                }
                (forwarding, ..) => {
                    change(entry.server_command(key, forwarding.unwrap_or(Forwarding::Route))?)
                }
            }
        }
        Verb::DeleteServer => {
            let key = key.ok_or_else(service_missing)?;
            let server = entry.server.key().ok_or_else(service_missing)?;
            change(Command::DeleteDestination(key, server))
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
        Verb::Restore => Ok(Action::Restore(Restore {
            start: Start::Current,
            on_refusal: if entry.switches.has(Switch::KeepGoing) {
                OnRefusal::KeepGoing
            } else {
                OnRefusal::Undo
            },
        })),
        Verb::Save => Ok(Action::Save {
            numeric: entry.format.numeric,
        }),
        // ipvsadm takes the service 0.0.0.0:0 for no service.
        Verb::Zero => change(Command::Zero(key.filter(|key| match key {
            ServiceKey::Address { address, port, .. } => !address.is_unspecified() || *port != 0,
            ServiceKey::Fwmark { .. } => true,
        }))),
    }
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
    if entry.service.flags & Service::ONE_PACKET != 0 && transport != Transport::Udp {
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
