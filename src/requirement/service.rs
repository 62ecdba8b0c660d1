//! The virtual service in the director's IPVS table.

use std::num::NonZeroU32;

use super::{HostState, Need, Requirement, Verdict};
use crate::ipvs::model::TunnelKind;
use crate::ipvs::{self, ServiceKey, Transport};
use crate::model::{Host, Lab, Protocol, Role, VirtualService};
use crate::resource::IpvsService;

/// What the kernel finds a service of the lab by.
pub(super) fn key(service: &VirtualService) -> ServiceKey {
    let Protocol::Tcp = service.protocol;
    ServiceKey::Address {
        transport: Transport::Tcp,
        address: service.vip.addr().into(),
        port: service.port.get(),
    }
}

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    if !host.is(Role::Director) {
        return Vec::new();
    }
    lab.services()
        .iter()
        .map(|service| Requirement {
            need: Need::VirtualService(wanted(service)),
            service: Some(key(service)),
            why: why(service),
            symptom: "Requests to the VIP are refused, or the wrong real servers get them.",
        })
        .collect()
}

/// The words of the first method; where real servers differ in it, the others' are handed requests in another way.
fn why(service: &VirtualService) -> String {
    let (vip, port) = (service.vip.addr(), service.port);
    let first = service.real_servers.first();
    let handing_on = first.map_or("hands them on.", |server| {
        server.method.profile().words.handing_on
    });
    format!(
        "The director takes every connection to {vip}:{port}, chooses a real server and {handing_on}"
    )
}

fn wanted(service: &VirtualService) -> IpvsService {
    let seconds = service
        .persistence
        .map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let servers = service.real_servers.iter();
    let destinations = servers.map(|server| ipvs::Destination {
        address: server.address().into(),
        port: server.port.get(),
        forwarding: server.method.profile().kernel,
        weight: server.weight.into(),
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: TunnelKind::Ipip,
        tunnel_flags: 0,
    });
    IpvsService {
        service: ipvs::Service {
            key: key(service),
            scheduler: service.scheduler.as_str().to_owned(),
            flags: if service.fallback().is_some() {
                ipvs::Service::SCHEDULER_FLAG_1
            } else {
                0
            },
            persistence: seconds.and_then(NonZeroU32::new),
            granularity: None,
            engine: None,
        },
        destinations: destinations.collect(),
    }
}

pub(super) fn judge(wanted: &IpvsService, state: &HostState) -> Verdict {
    let Some(table) = &state.ipvs else {
        return Verdict::not_seen("the IPVS table");
    };
    let found = table
        .iter()
        .find(|found| found.value.service.key == wanted.service.key);
    match found {
        None => Verdict::fails("no such service", []),
        Some(found) => match wanted.differences(&found.value) {
            None => Verdict::holds("as wanted"),
            Some(seen) => Verdict::fails(seen, found.origin.clone()),
        },
    }
}
