//! Resources and what was seen of them, in people's words.

use std::net::IpAddr;

use crate::model::{Lab, Role};
use crate::resource::{AddressState, Resource};

/// What should be so: `lo:0 has the VIP 192.168.4.15/32`.
#[must_use]
pub fn summary(lab: &Lab, resource: &Resource) -> String {
    match resource {
        Resource::Package(package) => format!("{} is installed", package.name),
        Resource::File(file) => format!("{} is as planned", file.path),
        Resource::Sysctl(sysctl) => format!("{} is {}", sysctl.key, sysctl.value),
        Resource::Link(link) => format!("{} is up", link.interface),
        Resource::Address(address) => format!(
            "{} has {}{}",
            address
                .label
                .as_deref()
                .unwrap_or(address.interface.as_str()),
            term(lab, address.address.addr()),
            address.address
        ),
        Resource::DefaultRoute(route) => {
            format!(
                "the default route goes through {}{}",
                term(lab, route.via),
                route.via
            )
        }
        Resource::Service(service) => format!("{} {}", service.name, running(service.running)),
        Resource::Firewall(firewall) => {
            format!("firewalld's default zone is {}", firewall.zone)
        }
        Resource::Selinux(selinux) => format!("SELinux is {}", selinux.mode.as_str()),
        Resource::Ipvs(wanted) => format!(
            "IPVS serves {} by {} with {}",
            wanted.service.key,
            wanted.service.scheduler,
            counted(wanted.destinations.len(), "real server")
        ),
    }
}

/// `the VIP `, `the DIP `, ... where the address is one of the lab's.
pub(super) fn term(lab: &Lab, address: impl Into<IpAddr>) -> &'static str {
    let address = address.into();
    if address == lab.vip() {
        return "the VIP ";
    }
    if address == lab.dip().addr() {
        return "the DIP ";
    }
    if address == lab.cip().addr() {
        return "the CIP ";
    }
    let is_rip = lab
        .hosts()
        .iter()
        .filter(|host| host.is(Role::RealServer))
        .flat_map(|host| &host.attachments)
        .any(|attachment| attachment.address.addr() == address);
    if is_rip { "the RIP " } else { "" }
}

/// `192.168.4.15/32 on lo labelled lo:0`.
pub(super) fn address(state: &AddressState) -> String {
    placed(state.address, state.interface.as_str(), &state.label)
}

fn placed(address: ipnet::IpNet, interface: &str, label: &str) -> String {
    if label == interface || label.is_empty() {
        format!("{address} on {interface}")
    } else {
        format!("{address} on {interface} labelled {label}")
    }
}

fn running(runs: bool) -> &'static str {
    if runs { "runs" } else { "does not run" }
}

/// `1 line`, `2 lines`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// The texts with commas between them, or `nothing` where there are none.
pub(super) fn joined(texts: impl Iterator<Item = String>, nothing: &str) -> String {
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() {
        nothing.to_owned()
    } else {
        texts.join(", ")
    }
}
