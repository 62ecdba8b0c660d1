//! Gathers what planning needs to know of a host. Nothing is changed.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::agent::change::journal::Journal;
use crate::agent::protocol::AgentError;
use crate::agent::protocol::error::{because, host};
use crate::agent::resource::{Local, network::Network, selinux, service::systemd};
use crate::agent::system::command;
use crate::agent::system::os_release::OsRelease;
use crate::agent::system::processes;
use crate::agent::system::root::Root;
use crate::model::{InterfaceName, LabId};
use crate::netlink::route::Link;
use crate::resource::{
    AddressState, Facts, LinkFacts, NetworkFiles, OsFamily, ResourceId, ServiceManager,
};
use crate::sys::on_host;

/// Interface kinds (`IFLA_INFO_KIND`) that do not lead to another machine.
const VIRTUAL_KINDS: [&str; 9] = [
    "bridge",
    "dummy",
    "ifb",
    "ipvlan",
    "macvtap",
    "nlmon",
    "openvswitch",
    "tun",
    "vrf",
];

/// Prefixes of the names of interfaces that container and virtual-machine managers make.
const MANAGED_NAMES: [&str; 9] = [
    "docker", "br-", "virbr", "vnet", "veth", "cni", "cali", "lxc", "flannel",
];

/// Gathers the facts; `lab` is the one whose journal says which resources are ours.
pub(in crate::agent) fn gather(machine: &mut Local, lab: &LabId) -> Result<Facts, AgentError> {
    let root = machine.root().clone();
    let ssh = machine.ssh();
    let (os, family) = system(&root)?;
    let running = processes::running(&root, &["firewalld", "NetworkManager"]);
    let network = machine.network()?;
    let links = links(network)?;
    let controller_default_route = match &ssh {
        Some(ssh) => network.default_route_to(ssh.controller)?,
        None => None,
    };
    Ok(Facts {
        hostname: hostname(&root),
        os,
        family,
        service_manager: if systemd::runs(&root) {
            ServiceManager::Systemd
        } else {
            ServiceManager::SysV
        },
        network_files: network_files(&root, family),
        management: ssh.and_then(|ssh| match ssh.here {
            std::net::IpAddr::V4(here) => links
                .iter()
                .find(|link| link.addresses.iter().any(|a| a.address.addr() == here))
                .map(|link| link.name.clone()),
            std::net::IpAddr::V6(here) => interface_with_v6(&root, here),
        }),
        links,
        controller: ssh.map(|ssh| ssh.controller),
        controller_default_route,
        firewalld: running.contains("firewalld"),
        selinux: selinux::observe(&root)?.0,
        network_manager: running.contains("NetworkManager"),
        ipvsadm: has_ipvsadm(&root),
        curl: command::find("curl").is_some(),
        owned: owned(&root, lab)?,
    })
}

/// Whether the host has an ipvsadm other than the scripts that start an agent.
fn has_ipvsadm(root: &Root) -> bool {
    [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/sbin",
        "/usr/bin",
        "/bin",
    ]
    .iter()
    .map(|directory| root.join(directory).join("ipvsadm"))
    .filter(|path| path.is_file())
    .any(|path| !starts_agent(&path))
}

/// Whether a file is a short script that starts an agent.
fn starts_agent(path: &Path) -> bool {
    const MOST_BYTES: u64 = 4096;
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .is_ok_and(|_| {
            text.starts_with(b"#!") && String::from_utf8_lossy(&text).contains(on_host::AGENT)
        })
}

fn owned(root: &Root, lab: &LabId) -> Result<Vec<ResourceId>, AgentError> {
    let journal = Journal::open(root, lab)?;
    Ok(journal.entries().iter().map(|e| e.item.id()).collect())
}

fn hostname(root: &Root) -> String {
    fs::read_to_string(root.join("/proc/sys/kernel/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

fn system(root: &Root) -> Result<(String, OsFamily), AgentError> {
    let release = OsRelease::of(root);
    let family = release.family_or_guess();
    let name = release.name.unwrap_or_else(|| "unknown system".to_owned());
    match family {
        Some(family) => Ok((name, family)),
        None => Err(because(format!(
            "{name} is neither Debian-like (apt) nor RHEL-like (dnf, yum)"
        ))
        .hint("lvslab looks after hosts of these two families")
        .into()),
    }
}

/// Only network-scripts and NetworkManager's ifcfg-rh plugin read ifcfg files.
fn network_files(root: &Root, family: OsFamily) -> NetworkFiles {
    let scripts = [
        "/etc/sysconfig/network-scripts/ifup-eth",
        "/etc/init.d/network",
    ]
    .iter()
    .any(|path| root.join(path).exists());
    if family == OsFamily::Rhel && (scripts || has_ifcfg_plugin(root)) {
        NetworkFiles::System
    } else {
        NetworkFiles::Agent
    }
}

/// `/usr/lib64/NetworkManager/VERSION/libnm-settings-plugin-ifcfg-rh.so`
fn has_ifcfg_plugin(root: &Root) -> bool {
    const PLUGIN: &str = "libnm-settings-plugin-ifcfg-rh.so";
    ["/usr/lib64/NetworkManager", "/usr/lib/NetworkManager"]
        .iter()
        .map(|directory| root.join(directory))
        .any(|directory| {
            directory.join(PLUGIN).exists()
                || fs::read_dir(directory)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .any(|version| version.path().join(PLUGIN).exists())
        })
}

fn links(network: &Network) -> Result<Vec<LinkFacts>, AgentError> {
    let addresses = network.addresses()?;
    let links = network
        .socket()
        .links()
        .map_err(|error| host("cannot ask the kernel for its interfaces", error))?;
    Ok(links
        .into_iter()
        .filter_map(|link| link_facts(link, &addresses))
        .collect())
}

/// `None` for an interface whose name no topology can hold.
fn link_facts(link: Link, addresses: &[AddressState]) -> Option<LinkFacts> {
    let name: InterfaceName = link.name.parse().ok()?;
    let of_this_one = |address: &&AddressState| address.interface == name;
    Some(LinkFacts {
        index: link.index,
        mac: mac(&link.mac),
        loopback: link.loopback,
        ethernet: can_be_a_lab_interface(&link),
        up: link.up,
        addresses: addresses.iter().filter(of_this_one).cloned().collect(),
        name,
    })
}

/// Whether the interface is Ethernet to another machine: no bridge, no port of a bridge, no interface of a container. A
/// veth with an ordinary name counts, since the hosts of a sandbox are wired by veths.
fn can_be_a_lab_interface(link: &Link) -> bool {
    let virtual_kind = link
        .kind
        .as_deref()
        .is_some_and(|kind| VIRTUAL_KINDS.contains(&kind));
    let managed = MANAGED_NAMES
        .iter()
        .any(|prefix| link.name.starts_with(prefix));
    link.ethernet && !link.loopback && link.controller.is_none() && !virtual_kind && !managed
}

/// A MAC in lower case with colons.
pub(in crate::agent) fn mac(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

/// `/proc/net/if_inet6` (proc(5)): address in hexadecimal, index, prefix, scope, flags, name.
fn interface_with_v6(root: &Root, address: std::net::Ipv6Addr) -> Option<InterfaceName> {
    let table = fs::read_to_string(root.join(Path::new("/proc/thread-self/net/if_inet6"))).ok()?;
    let wanted = format!("{:032x}", u128::from(address));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.first()? == &wanted).then_some(())?;
        fields.get(5)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, kind: Option<&str>) -> Link {
        Link {
            index: 1,
            name: name.into(),
            mac: vec![0x52, 0x54, 0, 0, 0xab, 1],
            up: true,
            carrier: true,
            no_arp: false,
            loopback: false,
            ethernet: true,
            kind: kind.map(str::to_owned),
            controller: None,
        }
    }

    #[test]
    fn an_ipvsadm_is_one_that_a_package_or_a_person_brought() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        assert!(!has_ipvsadm(&root));
        let ours = root.join("/usr/local/sbin/ipvsadm");
        fs::create_dir_all(ours.parent().unwrap()).unwrap();
        fs::write(
            &ours,
            "#!/bin/sh\nexec /var/lib/lvslab/agent ipvsadm \"$@\"\n",
        )
        .unwrap();
        assert!(!has_ipvsadm(&root));
        let theirs = root.join("/usr/sbin/ipvsadm");
        fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        fs::write(&theirs, b"\x7fELF /var/lib/lvslab/agent").unwrap();
        assert!(has_ipvsadm(&root));
    }

    #[test]
    fn wires_to_other_machines_can_be_lab_interfaces() {
        for (name, kind, can) in [
            ("eth0", None, true),
            ("eth0", Some("veth"), true),
            ("ens3", None, true),
            ("bond0", Some("bond"), true),
            ("eth0.7", Some("vlan"), true),
            ("docker0", Some("bridge"), false),
            ("br-1f2e", Some("bridge"), false),
            ("veth12ab", Some("veth"), false),
            ("virbr0-nic", Some("tun"), false),
            ("tap0", Some("tun"), false),
            ("dummy0", Some("dummy"), false),
        ] {
            assert_eq!(can_be_a_lab_interface(&link(name, kind)), can, "{name}");
        }
        let mut port = link("eth1", None);
        port.controller = Some(9);
        assert!(!can_be_a_lab_interface(&port));
        let mut tunnel = link("tunl0", Some("ipip"));
        tunnel.ethernet = false;
        assert!(!can_be_a_lab_interface(&tunnel));
    }

    #[test]
    fn links_carry_their_addresses_and_macs() {
        let address = |interface: &str| AddressState {
            interface: interface.parse().unwrap(),
            address: "192.168.4.5/24".parse().unwrap(),
            label: interface.into(),
            broadcast: None,
        };
        let facts = link_facts(link("eth0", None), &[address("eth1"), address("eth0")]).unwrap();
        assert_eq!(facts.mac, "52:54:00:00:ab:01");
        assert_eq!(facts.addresses, [address("eth0")]);
        assert!(link_facts(link("weird@name", None), &[]).is_none());
    }

    #[test]
    fn ifcfg_files_are_read_by_the_system_only_where_something_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let rhel = OsFamily::Rhel;
        assert_eq!(network_files(&root, rhel), NetworkFiles::Agent);
        let plugin = root.join("/usr/lib64/NetworkManager/1.40-1.el9");
        fs::create_dir_all(&plugin).unwrap();
        fs::write(plugin.join("libnm-settings-plugin-ifcfg-rh.so"), "").unwrap();
        assert_eq!(network_files(&root, rhel), NetworkFiles::System);
        assert_eq!(network_files(&root, OsFamily::Debian), NetworkFiles::Agent);
    }

    #[test]
    fn a_system_of_no_known_family_is_named_by_its_own_name() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        fs::create_dir_all(root.join("/etc")).unwrap();
        fs::write(
            root.join("/etc/os-release"),
            "ID=debian\nPRETTY_NAME=\"D\x1b[2J 12\"\n",
        )
        .unwrap();
        assert_eq!(
            system(&root).unwrap(),
            ("D[2J 12".to_owned(), OsFamily::Debian)
        );
    }
}
