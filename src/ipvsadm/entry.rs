//! One command line, its options read but not yet turned into an action.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::allowed_options::{Switches, TUNNEL_SWITCHES, TunnelName, Verb, check_tunnel};
use super::behaviour::Behaviour;
use super::failure::Failure;
use super::scheduler_flags;
use crate::ipvs::{
    Command, Daemon, Destination, DestinationKey, Family, Forwarding, Granularity, Service,
    ServiceKey, Timeouts, Transport, TunnelKind,
};

/// The scheduler of a service that is given none.
pub(super) const DEFAULT_SCHEDULER: &str = "wlc";

/// How a list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Format {
    pub(super) numeric: bool,
    pub(super) stats: bool,
    pub(super) rate: bool,
    pub(super) thresholds: bool,
    pub(super) persistent_conn: bool,
    pub(super) unsorted: bool,
    pub(super) exact: bool,
    pub(super) tunnel_info: bool,
    pub(super) behaviour: Behaviour,
}

impl Format {
    /// Whether a list shows only method, weight and connections of a destination.
    pub(super) fn is_plain(self) -> bool {
        !(self.stats || self.rate || self.thresholds || self.persistent_conn || self.tunnel_info)
    }
}

/// A command line with every option read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) verb: Verb,
    pub(super) switches: Switches,
    pub(super) format: Format,
    pub(super) service: ServiceOptions,
    pub(super) server: ServerOptions,
    pub(super) timeouts: Timeouts,
    pub(super) daemon: Daemon,
}

impl Entry {
    /// The command that adds or edits the entry's real server with this forwarding method.
    pub(super) fn server_command(
        &self,
        key: ServiceKey,
        forwarding: Forwarding,
    ) -> Result<Command, Failure> {
        self.check_forwarding(forwarding)?;
        let address = self
            .server
            .address
            .ok_or_else(|| Failure::usage("illegal real server address[:port] specified"))?;
        let destination = self.server.destination(address, key, forwarding);
        Ok(match self.verb {
            Verb::EditServer => Command::EditDestination(key, destination),
            _ => Command::AddDestination(key, destination),
        })
    }

    /// The checks that depend on the forwarding method.
    fn check_forwarding(&self, forwarding: Forwarding) -> Result<(), Failure> {
        let family = self.server.address.map(Family::of);
        if family != self.service.family && forwarding != Forwarding::Tunnel {
            return Err(Failure::usage(
                "Different address family is allowed only for tunneling servers",
            ));
        }
        if self.switches.has_any(TUNNEL_SWITCHES) && forwarding != Forwarding::Tunnel {
            return Err(Failure::usage(
                "Tunnel options conflict with forward method",
            ));
        }
        check_tunnel(self.server.tunnel, self.switches)
    }
}

/// The options of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceOptions {
    pub(super) family: Option<Family>,
    pub(super) transport: Option<Transport>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) mark: Option<NonZeroU32>,
    pub(super) scheduler: Option<String>,
    pub(super) flags: u32,
    /// The argument of `-b`, while the scheduler that it is for is not known.
    pub(super) scheduler_flags: Option<String>,
    pub(super) persistence: Option<NonZeroU32>,
    pub(super) granularity: Option<Granularity>,
    pub(super) engine: Option<String>,
}

/// The options of a real server.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerOptions {
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) weight: Option<u32>,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) tunnel: TunnelName,
    pub(super) tunnel_port: u16,
    pub(super) tunnel_flags: u16,
}

/// Whether an edit without `-s` keeps the service's scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingScheduler {
    /// It gets [`DEFAULT_SCHEDULER`].
    Default,
    /// It keeps the one that it has.
    Kept,
}

impl ServiceOptions {
    /// The service's identity, once an option has named it.
    pub(super) fn key(&self) -> Option<ServiceKey> {
        if let Some(mark) = self.mark {
            return Some(ServiceKey::Fwmark {
                mark,
                family: self.family.unwrap_or(Family::Inet),
            });
        }
        Some(ServiceKey::Address {
            transport: self.transport?,
            address: self.address?,
            port: self.port,
        })
    }

    /// Reads the argument of `-b`. Its names depend on the scheduler: where that is kept and not named, they
    /// are only looked up later.
    pub(super) fn read_scheduler_flags(
        &mut self,
        text: &str,
        missing: MissingScheduler,
    ) -> Result<(), Failure> {
        if missing == MissingScheduler::Kept && self.scheduler.is_none() {
            scheduler_flags::check(text)?;
            self.scheduler_flags = Some(text.to_owned());
            return Ok(());
        }
        let scheduler = self.scheduler.as_deref().unwrap_or(DEFAULT_SCHEDULER);
        self.flags |= scheduler_flags::bits(text, scheduler)?;
        Ok(())
    }

    /// The service with this scheduler.
    pub(super) fn service(&self, key: ServiceKey, scheduler: &str) -> Service {
        Service {
            key,
            scheduler: scheduler.to_owned(),
            flags: self.flags,
            persistence: self.persistence,
            granularity: self.granularity,
            engine: self.engine.clone(),
        }
    }
}

impl ServerOptions {
    /// The real server's identity, once an option has named it.
    pub(super) fn key(&self) -> Option<DestinationKey> {
        Some(DestinationKey {
            address: self.address?,
            port: self.port,
        })
    }

    /// The destination with this forwarding method. Direct routing and tunnelling leave the packet's port
    /// alone, so the destination has the service's; a firewall mark has no port to give.
    fn destination(
        &self,
        address: IpAddr,
        service: ServiceKey,
        forwarding: Forwarding,
    ) -> Destination {
        let port = match (service, forwarding) {
            (ServiceKey::Address { port, .. }, Forwarding::Tunnel | Forwarding::Route) => port,
            _ => self.port,
        };
        Destination {
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
            tunnel: match self.tunnel {
                TunnelName::Ipip => TunnelKind::Ipip,
                TunnelName::Gue => TunnelKind::Gue {
                    port: self.tunnel_port,
                },
                TunnelName::Gre => TunnelKind::Gre,
            },
            tunnel_flags: self.tunnel_flags,
            ..Destination::new(address, port, forwarding, self.weight.unwrap_or(1))
        }
    }
}
