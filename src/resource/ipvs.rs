//! An IPVS service: its configuration and the set of its destinations; never its counters.

use std::net::SocketAddr;

use super::{Change, IpvsService};
use crate::ipvs::{Destination, Forwarding, Granularity, Service, ServiceStatus, TunnelKind};

impl IpvsService {
    /// What `found`, the same service, has in place of what this one asks for; `None` where nothing differs. Neither the
    /// order of the destinations nor traffic counts.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Option<String> {
        let configured = parts(&found.service, found.destinations.iter());
        let wanted = parts(&self.service, self.destinations.iter());
        match compare(Some(configured), wanted)? {
            Change::Value { from, to } | Change::Text { from, to } => {
                Some(from.unwrap_or_else(|| format!("not there: {to}")))
            }
        }
    }
}

pub(super) fn diff(desired: &IpvsService, status: Option<&ServiceStatus>) -> Option<Change> {
    let wanted = parts(&desired.service, desired.destinations.iter());
    compare(status.map(configured), wanted)
}

/// From the service as it is to the service as it was, for putting it back.
pub(super) fn undo(before: Option<&ServiceStatus>, now: Option<&ServiceStatus>) -> Option<Change> {
    match (before, now) {
        (None, None) => None,
        (None, Some(now)) => Some(Change::value(
            Some(configured(now).join(", ")),
            "no such service",
        )),
        (Some(before), now) => compare(now.map(configured), configured(before)),
    }
}

fn configured(status: &ServiceStatus) -> Vec<String> {
    parts(
        &status.service,
        status.destinations.iter().map(|d| &d.destination),
    )
}

/// Only what differs is named, so that one weight among fifty real servers can be seen.
fn compare(found: Option<Vec<String>>, wanted: Vec<String>) -> Option<Change> {
    let Some(found) = found else {
        return Some(Change::value(None, wanted.join(", ")));
    };
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|p| !those.contains(p))
            .cloned()
            .collect()
    };
    let (surplus, missing) = (only(&found, &wanted), only(&wanted, &found));
    match (surplus.as_slice(), missing.as_slice()) {
        ([], []) => None,
        (surplus, []) => Some(Change::value(
            Some(surplus.join(", ")),
            "no such destination",
        )),
        ([], missing) => Some(Change::value(None, missing.join(", "))),
        (surplus, missing) => Some(Change::value(Some(surplus.join(", ")), missing.join(", "))),
    }
}

/// One text for the service and one per destination, equal exactly when their configuration is.
fn parts<'a>(
    service: &Service,
    destinations: impl Iterator<Item = &'a Destination>,
) -> Vec<String> {
    let mut parts = vec![describe_service(service)];
    parts.extend(destinations.map(describe_destination));
    parts
}

fn describe_service(service: &Service) -> String {
    let mut text = service.scheduler.clone();
    if service.flags != 0 {
        text.push_str(&format!(" flags {:#x}", service.flags));
    }
    if let Some(seconds) = service.persistence {
        text.push_str(&format!(" persistent {seconds}"));
    }
    match service.granularity {
        None => {}
        Some(Granularity::Mask(mask)) => text.push_str(&format!(" mask {mask}")),
        Some(Granularity::Prefix(prefix)) => text.push_str(&format!(" mask {prefix}")),
    }
    if let Some(engine) = &service.engine {
        text.push_str(&format!(" pe {engine}"));
    }
    text
}

fn describe_destination(destination: &Destination) -> String {
    let mut text = SocketAddr::new(destination.address, destination.port).to_string();
    text.push_str(match destination.forwarding {
        Forwarding::Masquerade => " masquerading",
        Forwarding::Local => " local",
        Forwarding::Tunnel => " tunnelling",
        Forwarding::Route => " gatewaying",
        Forwarding::Bypass => " bypass",
    });
    if destination.forwarding == Forwarding::Tunnel {
        match destination.tunnel {
            TunnelKind::Ipip => {}
            TunnelKind::Gue { port } => text.push_str(&format!(" gue port {port}")),
            TunnelKind::Gre => text.push_str(" gre"),
        }
        if destination.tunnel_flags != 0 {
            text.push_str(&format!(" tunnel flags {:#x}", destination.tunnel_flags));
        }
    }
    text.push_str(&format!(" weight {}", destination.weight));
    let (upper, lower) = (destination.upper_threshold, destination.lower_threshold);
    if (upper, lower) != (0, 0) {
        text.push_str(&format!(" connections {lower} to {upper}"));
    }
    text
}
