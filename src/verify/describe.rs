//! Resources and what was seen of them, in people's words.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::ipvs;
use crate::model::{Lab, Role};
use crate::resource::{
    AddressState, File, FileState, Observed, Resource, RouteState, SelinuxMode, Service,
    ServiceState,
};

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
        Resource::Selinux(selinux) => format!("SELinux is {}", mode(selinux.mode)),
        Resource::Ipvs(wanted) => format!(
            "IPVS serves {} by {} with {}",
            wanted.service.key,
            wanted.service.scheduler,
            counted(wanted.destinations.len(), "real server")
        ),
    }
}

/// `the VIP `, `the DIP `, ... where the address is one of the lab's.
pub(super) fn term(lab: &Lab, address: Ipv4Addr) -> &'static str {
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

/// What should be seen.
pub(super) fn expected(resource: &Resource) -> String {
    match resource {
        Resource::Package(_) => "installed".to_owned(),
        Resource::File(file) => format!(
            "{} of text, mode {:04o}",
            counted(file.content.lines().count(), "line"),
            file.mode
        ),
        Resource::Sysctl(sysctl) => sysctl.value.clone(),
        Resource::Link(_) => "up".to_owned(),
        Resource::Address(address) => placed(address.address, address.interface.as_str(), {
            address
                .label
                .as_deref()
                .unwrap_or(address.interface.as_str())
        }),
        Resource::DefaultRoute(route) => {
            format!("default via {} dev {}", route.via, route.interface)
        }
        Resource::Service(service) => running(service.running).to_owned(),
        Resource::Firewall(firewall) => firewall.zone.clone(),
        Resource::Selinux(selinux) => mode(selinux.mode).to_owned(),
        Resource::Ipvs(wanted) => ipvs::words(wanted),
    }
}

/// What was seen.
pub(super) fn observed(resource: &Resource, observed: &Observed) -> String {
    match (resource, observed) {
        (_, Observed::Package { version }) => match version {
            Some(version) => format!("version {version}"),
            None => "not installed".to_owned(),
        },
        (Resource::File(wanted), Observed::File { state }) => match state {
            None => "no such file".to_owned(),
            Some(state) => file(wanted, state),
        },
        (_, Observed::Sysctl { value }) => value
            .as_deref()
            .map_or("no such setting", str::trim)
            .to_owned(),
        (_, Observed::Link { up }) => match up {
            Some(true) => "up".to_owned(),
            Some(false) => "down".to_owned(),
            None => "no such interface".to_owned(),
        },
        (_, Observed::Address { occurrences }) => {
            joined(occurrences.iter().map(address), "not on this host")
        }
        (_, Observed::DefaultRoute { routes }) => {
            joined(routes.iter().map(route), "no default route")
        }
        (_, Observed::Service { state }) => match state {
            Some(state) => running(state.running).to_owned(),
            None => "no such service".to_owned(),
        },
        (_, Observed::Firewall { zone }) => zone
            .clone()
            .unwrap_or_else(|| "firewalld does not run".to_owned()),
        (_, Observed::Selinux { live, configured }) => match (live, configured) {
            (None, _) => "SELinux is absent".to_owned(),
            (Some(live), Some(configured)) if live != configured => {
                format!("{} now, {} after a reboot", mode(*live), mode(*configured))
            }
            (Some(live), _) => mode(*live).to_owned(),
        },
        (Resource::Ipvs(wanted), Observed::Ipvs { status }) => {
            ipvs::differences(wanted, status.as_ref()).unwrap_or_else(|| ipvs::words(wanted))
        }
        _ => "something of another kind".to_owned(),
    }
}

/// The part of a service that is about the running system: whatever the host does at boot is taken as wanted.
pub(super) fn service_now(wanted: &Service, state: Option<ServiceState>) -> Service {
    Service {
        enabled: state.map_or(wanted.enabled, |state| state.enabled),
        ..wanted.clone()
    }
}

/// The part of a service that is about the next boot.
pub(super) fn service_at_boot(wanted: &Service, state: Option<ServiceState>) -> Service {
    Service {
        running: state.map_or(wanted.running, |state| state.running),
        ..wanted.clone()
    }
}

/// `192.168.4.15/32 on lo labelled lo:0`.
pub(super) fn address(state: &AddressState) -> String {
    placed(state.address, state.interface.as_str(), &state.label)
}

fn placed(address: ipnet::Ipv4Net, interface: &str, label: &str) -> String {
    if label == interface || label.is_empty() {
        format!("{address} on {interface}")
    } else {
        format!("{address} on {interface} labelled {label}")
    }
}

fn route(state: &RouteState) -> String {
    match state.via {
        Some(via) => format!("default via {via} dev {}", state.interface),
        None => format!("default dev {}", state.interface),
    }
}

fn running(runs: bool) -> &'static str {
    if runs { "runs" } else { "does not run" }
}

/// `starts at boot`, or not.
pub(super) fn enabled(enabled: bool) -> &'static str {
    if enabled {
        "starts at boot"
    } else {
        "does not start at boot"
    }
}

fn mode(mode: SelinuxMode) -> &'static str {
    match mode {
        SelinuxMode::Enforcing => "enforcing",
        SelinuxMode::Permissive => "permissive",
        SelinuxMode::Disabled => "disabled",
    }
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

/// Everything about a file that is not as planned, or its content where all is.
fn file(wanted: &File, state: &FileState) -> String {
    let mut words = Vec::new();
    if state.mode != wanted.mode & 0o7777 {
        words.push(format!("mode {:04o}", state.mode));
    }
    if (state.uid, state.gid) != (0, 0) {
        words.push(format!("owner {}:{} instead of 0:0", state.uid, state.gid));
    }
    let same = state.content().as_deref() == Some(wanted.content.as_bytes());
    if let Some(other) = state.read_instead.as_ref().filter(|_| same) {
        words.push(format!(
            "{other} is newer, says something else, and is what boot reads"
        ));
    }
    if !same || words.is_empty() {
        words.push(match BASE64.decode(&state.content_base64) {
            Ok(bytes) => content(&wanted.content, &bytes),
            Err(_) => "content the agent did not encode properly".to_owned(),
        });
    }
    words.join(", ")
}

/// Where the content first differs, or how long it is where it does not.
fn content(wanted: &str, found: &[u8]) -> String {
    let Ok(found) = std::str::from_utf8(found) else {
        return format!("{}, not text", counted(found.len(), "byte"));
    };
    if found == wanted {
        return format!(
            "{} of text, as planned",
            counted(found.lines().count(), "line")
        );
    }
    let (mut wanted, mut seen) = (wanted.lines(), found.lines());
    for number in 1.. {
        match (wanted.next(), seen.next()) {
            (Some(wanted), Some(seen)) if wanted == seen => {}
            (Some(wanted), Some(seen)) => {
                return format!("line {number} is `{seen}` instead of `{wanted}`");
            }
            (Some(wanted), None) => return format!("line {number} is missing: `{wanted}`"),
            (None, Some(seen)) => return format!("line {number} is not planned: `{seen}`"),
            (None, None) => break,
        }
    }
    "the same lines with other line ends".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_described_by_its_first_difference() {
        let wanted = "DEVICE=lo:0\nNETMASK=255.255.255.255\n";
        let seen = |text: &str| content(wanted, text.as_bytes());
        assert_eq!(
            seen("DEVICE=lo:0\nNETMASK=255.255.255.0\n"),
            "line 2 is `NETMASK=255.255.255.0` instead of `NETMASK=255.255.255.255`"
        );
        assert_eq!(
            seen("DEVICE=lo:0\n"),
            "line 2 is missing: `NETMASK=255.255.255.255`"
        );
        assert_eq!(
            seen("DEVICE=lo:0\nNETMASK=255.255.255.255\nX=1\n"),
            "line 3 is not planned: `X=1`"
        );
        assert_eq!(
            seen("DEVICE=lo:0\nNETMASK=255.255.255.255"),
            "the same lines with other line ends"
        );
        assert_eq!(content(wanted, &[0xff, 0xfe]), "2 bytes, not text");
    }
}
