//! What a command line says of a service and of a destination, gathered word by word.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::failure::Failure;
use super::legality::TunnelName;
use super::values::{check_scheduler_flags, scheduler_flag_bits};
use crate::ipvs::{
    Destination, Family, Forwarding, Granularity, Service, ServiceKey, Transport, TunnelKind,
};

/// The scheduler of a service that is given none.
pub(super) const DEFAULT_SCHEDULER: &str = "wlc";

/// What was said of the service.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceWords {
    pub(super) family: Option<Family>,
    pub(super) transport: Option<Transport>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) mark: Option<NonZeroU32>,
    pub(super) scheduler: Option<String>,
    pub(super) flags: u32,
    /// Words of `-b` whose scheduler is not known yet.
    pub(super) scheduler_flags: Option<String>,
    pub(super) persistence: Option<NonZeroU32>,
    pub(super) granularity: Option<Granularity>,
    pub(super) engine: Option<String>,
}

/// What was said of the destination.
#[derive(Debug, Clone, Default)]
pub(super) struct DestinationWords {
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

impl ServiceWords {
    /// The service's identity, once one was named.
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

    /// Takes the words of `-b`. Where the command may keep a scheduler and none was named, they wait for it.
    pub(super) fn read_scheduler_flags(&mut self, text: &str, keeps: bool) -> Result<(), Failure> {
        if keeps && self.scheduler.is_none() {
            check_scheduler_flags(text)?;
            self.scheduler_flags = Some(text.to_owned());
            return Ok(());
        }
        let scheduler = self.scheduler.as_deref().unwrap_or(DEFAULT_SCHEDULER);
        self.flags |= scheduler_flag_bits(text, scheduler)?;
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

impl DestinationWords {
    /// The destination with this forwarding method; only masquerading may change the port, and a
    /// firewall mark has none.
    pub(super) fn destination(
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
            address,
            port,
            forwarding,
            weight: self.weight.unwrap_or(1),
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
        }
    }
}
