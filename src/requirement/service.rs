//! The virtual service in the director's IPVS table.

use std::num::NonZeroU32;

use super::{HostState, Need, Requirement, Verdict};
use crate::ipvs::model::TunnelKind;
use crate::ipvs::{self, ServiceKey, Transport};
use crate::model::{Host, Lab, Protocol, Role};
use crate::resource::IpvsService;

/// What the kernel finds the lab's service by.
pub(super) fn key(lab: &Lab) -> ServiceKey {
    let service = lab.service();
    let Protocol::Tcp = service.protocol;
    ServiceKey::Address {
        transport: Transport::Tcp,
        address: lab.vip().into(),
        port: service.port.get(),
    }
}

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    if !host.is(Role::Director) {
        return Vec::new();
    }
    let (vip, port) = (lab.vip(), lab.service().port);
    let handing_on = lab.profile().words.handing_on;
    vec![Requirement {
        need: Need::VirtualService(wanted(lab)),
        service: Some(key(lab)),
        why: format!(
            "The director takes every connection to {vip}:{port}, chooses a real server and {handing_on}"
        ),
        symptom: "Requests to the VIP are refused, or the wrong real servers get them.",
    }]
}

fn wanted(lab: &Lab) -> IpvsService {
    let service = lab.service();
    let seconds = service
        .persistence
        .map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let destinations = lab.real_servers().iter().map(|server| ipvs::Destination {
        address: server.address().into(),
        port: service.port.get(),
        forwarding: lab.profile().kernel,
        weight: server.weight.into(),
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: TunnelKind::Ipip,
        tunnel_flags: 0,
    });
    IpvsService {
        service: ipvs::Service {
            key: key(lab),
            scheduler: service.scheduler.as_str().to_owned(),
            flags: if lab.service().fallback().is_some() {
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
