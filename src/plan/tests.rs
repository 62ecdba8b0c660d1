//! Plans for the course's labs on both families, what is refused, and what holds for any lab.

mod cases;
mod files;
mod interfaces;
mod invariants;
mod refusals;
mod requirements;
mod whole;

use std::collections::BTreeMap;

use crate::model::{HostName, Lab};
use crate::plan::{HostPlan, assumed_facts, plan};
use crate::resource::{
    AddressState, Facts, File, LinkFacts, NetworkFiles, OsFamily, Resource, SelinuxMode,
    ServiceManager,
};
use crate::topology::parse;

const DR: &str = include_str!("../../topologies/dr.yaml");
const NAT: &str = include_str!("../../topologies/nat.yaml");

fn lab(text: &str) -> Lab {
    parse(text, "lab.yaml", None).unwrap_or_else(|error| panic!("{error}"))
}

/// The same lab on machines of their own.
fn machines(text: &str) -> Lab {
    let names = ["client", "director", "web1", "web2"];
    let hosts: String = names
        .iter()
        .map(|name| format!("  {name}: {{ ssh: root@{name} }}\n"))
        .collect();
    let inventory = crate::topology::Inventory {
        text: &format!("hosts:\n{hosts}"),
        file_name: "inventory.yaml",
        directory: std::path::Path::new("/"),
        home: None,
    };
    parse(text, "lab.yaml", Some(inventory)).unwrap_or_else(|error| panic!("{error}"))
}

fn host(name: &str) -> HostName {
    name.parse().expect("a host name")
}

/// The plan of one host of a lab with these facts for it.
fn planned(lab: &Lab, name: &str, facts: Facts) -> Result<HostPlan, crate::plan::PlanError> {
    let mut plans = plan(lab, &BTreeMap::from([(host(name), facts)]));
    assert_eq!(plans.len(), 1, "one host has facts");
    plans.remove(&host(name)).expect("the host's plan")
}

fn planned_ok(lab: &Lab, name: &str, facts: Facts) -> HostPlan {
    planned(lab, name, facts).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is assumed of one host.
fn assumed(lab: &Lab, name: &str) -> Facts {
    assumed_facts(lab).remove(&host(name)).expect("facts")
}

/// A machine with these interfaces: name and addresses; all up.
fn machine(family: OsFamily, links: &[(&str, &[&str])]) -> Facts {
    let link = |(index, (name, addresses)): (usize, &(&str, &[&str]))| LinkFacts {
        name: name.parse().expect("an interface name"),
        index: u32::try_from(index).expect("small") + 1,
        mac: if *name == "lo" {
            String::new()
        } else {
            format!("52:54:00:00:00:{index:02x}")
        },
        loopback: *name == "lo",
        ethernet: *name != "lo" && !name.starts_with("docker"),
        up: true,
        addresses: addresses
            .iter()
            .map(|text| AddressState {
                interface: name.parse().expect("an interface name"),
                address: text.parse().expect("an address"),
                label: (*name).to_owned(),
                broadcast: None,
            })
            .collect(),
    };
    let rhel = family == OsFamily::Rhel;
    Facts {
        hostname: "machine".to_owned(),
        os: if rhel {
            "CentOS Linux 7 (Core)"
        } else {
            "Debian GNU/Linux 12 (bookworm)"
        }
        .to_owned(),
        family,
        service_manager: ServiceManager::Systemd,
        network_files: if rhel {
            NetworkFiles::System
        } else {
            NetworkFiles::Agent
        },
        links: [("lo", &["127.0.0.1/8"][..])]
            .iter()
            .chain(links)
            .enumerate()
            .map(link)
            .collect(),
        management: None,
        controller: None,
        controller_default_route: None,
        firewalld: rhel,
        selinux: rhel.then_some(SelinuxMode::Enforcing),
        network_manager: rhel,
        ipvsadm: false,
        curl: true,
        owned: Vec::new(),
    }
}

fn files(plan: &HostPlan) -> impl Iterator<Item = &File> {
    plan.steps.iter().filter_map(|step| match &step.resource {
        Resource::File(file) => Some(file),
        _ => None,
    })
}

fn file<'a>(plan: &'a HostPlan, path: &str) -> Option<&'a File> {
    files(plan).find(|file| file.path == path)
}
