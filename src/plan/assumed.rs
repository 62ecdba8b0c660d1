//! Facts without asking: exact for the sandbox, which makes its machines itself, and an assumption for others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use crate::model::{Host, HostName, InterfaceName, Lab};
use crate::resource::{
    AddressState, Facts, LinkFacts, NetworkFiles, OsFamily, SelinuxMode, ServiceManager,
};

/// QEMU's user network as a sandbox host sees it: itself from `.21` on, the controller as `.2`.
const SANDBOX_CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const SANDBOX_FIRST_HOST: u8 = 21;

/// Facts of every host of `lab` for a plan that asks nobody.
///
/// A sandbox host is Debian 12 without systemd. It has `mgmt0`, and an interface per network without an address, called
/// `eth<network>` unless the topology names it. Another machine is assumed to be as in the course: RHEL 7 with firewalld,
/// NetworkManager and SELinux enforcing, and interfaces of the same names, none configured.
#[must_use]
pub fn assumed_facts(lab: &Lab) -> BTreeMap<HostName, Facts> {
    lab.hosts()
        .iter()
        .enumerate()
        .filter_map(|(number, host)| {
            let facts = if host.ssh.is_some() {
                machine(host)?
            } else {
                sandbox_host(host, number)?
            };
            Some((host.name.clone(), facts))
        })
        .collect()
}

/// `None` cannot happen: the constant names are interface names.
fn sandbox_host(host: &Host, number: usize) -> Option<Facts> {
    let management: InterfaceName = "mgmt0".parse().ok()?;
    // A 253rd host has no address there; the address is not used for planning beyond being some address.
    let last = SANDBOX_FIRST_HOST.saturating_add(u8::try_from(number).unwrap_or(u8::MAX));
    let mut links = vec![loopback()?];
    let mut mgmt0 = link(management.clone(), 2);
    mgmt0.up = true;
    mgmt0.addresses = vec![address(&management, Ipv4Addr::new(10, 0, 2, last), 24)];
    links.push(mgmt0);
    links.extend(lab_links(host, 3));
    Some(Facts {
        hostname: host.name.to_string(),
        os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        family: OsFamily::Debian,
        service_manager: ServiceManager::SysV,
        network_files: NetworkFiles::Agent,
        links,
        management: Some(management),
        controller: Some(IpAddr::V4(SANDBOX_CONTROLLER)),
        controller_default_route: None,
        firewalld: false,
        selinux: None,
        network_manager: false,
        ipvsadm: false,
        curl: true,
        owned: Vec::new(),
    })
}

fn machine(host: &Host) -> Option<Facts> {
    let mut links = vec![loopback()?];
    links.extend(lab_links(host, 2));
    Some(Facts {
        hostname: host.name.to_string(),
        os: "assumed to be like RHEL 7".to_owned(),
        family: OsFamily::Rhel,
        service_manager: ServiceManager::Systemd,
        network_files: NetworkFiles::System,
        links,
        management: None,
        controller: None,
        controller_default_route: None,
        firewalld: true,
        selinux: Some(SelinuxMode::Enforcing),
        network_manager: true,
        ipvsadm: false,
        curl: true,
        owned: Vec::new(),
    })
}

fn loopback() -> Option<LinkFacts> {
    let name: InterfaceName = "lo".parse().ok()?;
    Some(LinkFacts {
        loopback: true,
        ethernet: false,
        up: true,
        addresses: vec![address(&name, Ipv4Addr::LOCALHOST, 8)],
        ..link(name, 1)
    })
}

/// One unconfigured interface per attachment.
fn lab_links(host: &Host, first_index: u32) -> Vec<LinkFacts> {
    (first_index..)
        .zip(host.wired())
        .map(|(index, name)| link(name, index))
        .collect()
}

fn link(name: InterfaceName, index: u32) -> LinkFacts {
    LinkFacts {
        name,
        index,
        mac: String::new(),
        loopback: false,
        ethernet: true,
        up: false,
        addresses: Vec::new(),
    }
}

fn address(interface: &InterfaceName, address: Ipv4Addr, prefix: u8) -> AddressState {
    let net = Ipv4Net::new_assert(address, prefix);
    AddressState {
        interface: interface.clone(),
        address: net.into(),
        label: interface.to_string(),
        broadcast: (prefix < 31 && !address.is_loopback()).then(|| net.broadcast()),
    }
}
