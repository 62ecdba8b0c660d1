//! Reads every value of a topology and keeps its place. The rules between values come later, in `rules`.

use std::num::NonZeroU16;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::destination::destination;
use super::entries::{self, TopologyEntries};
use super::error::TopologyError;
use super::fields;
use super::problem::{At, Mistakes, Place, Problem, SourceText};
use super::shape;
use super::tree::{self, Node};
use crate::model::{
    ForwardingMethod, HostName, InterfaceName, LabName, Policy, Protocol, Scheduler, SshTarget,
};

/// The values of a topology file.
#[derive(Debug)]
pub(super) struct Draft {
    pub lab: LabName,
    pub method: At<ForwardingMethod>,
    pub vip: At<Ipv4Net>,
    pub port: NonZeroU16,
    pub protocol: Protocol,
    pub scheduler: Scheduler,
    pub persistence: Option<Duration>,
    pub client: HostDraft,
    pub director: HostDraft,
    pub vip_interface: Option<At<InterfaceName>>,
    pub real_servers: Vec<RealServerDraft>,
    pub policy: Policy,
}

/// What every host has; `address` is the CIP, DIP or RIP.
#[derive(Debug)]
pub(super) struct HostDraft {
    pub name: At<HostName>,
    pub address: At<Ipv4Net>,
    pub interface: Option<At<InterfaceName>>,
    pub ssh: Option<SshTarget>,
}

/// A real server.
#[derive(Debug)]
pub(super) struct RealServerDraft {
    pub host: HostDraft,
    pub weight: At<u16>,
    pub page: At<String>,
}

impl Draft {
    /// Every host: client, director, real servers.
    pub fn hosts(&self) -> impl Iterator<Item = &HostDraft> {
        [&self.client, &self.director]
            .into_iter()
            .chain(self.real_servers.iter().map(|server| &server.host))
    }
}

/// Reads a document of this shape twice: as a tree, which knows the places, and into types, which hold the values.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    source: &SourceText<'_>,
    shape: &shape::Shape,
    example: &str,
) -> Result<(Node, T), TopologyError> {
    let one = |mistake: Box<super::Mistake>| TopologyError::Mistakes(vec![*mistake]);
    let Some(root) = tree::read(source).map_err(one)? else {
        let problem = Problem::new("the file is empty").note(example);
        return Err(TopologyError::Mistakes(vec![
            source.mistake_of_file(problem),
        ]));
    };
    let mut mistakes = Mistakes::new(source);
    shape::check(&root, shape, "", root.place, &mut mistakes);
    mistakes.into_result()?;
    let values = entries::read(source).map_err(one)?;
    Ok((root, values))
}

/// Reads a topology's text.
pub(super) fn topology(source: &SourceText<'_>) -> Result<Draft, TopologyError> {
    let (root, values): (_, TopologyEntries) = document(
        source,
        &shape::TOPOLOGY,
        "a topology begins with `lab: NAME` and `mode: nat` or `mode: dr`; see topologies/dr.yaml",
    )?;
    let mut mistakes = Mistakes::new(source);
    match draft(&root, &values, source, &mut mistakes) {
        Some(draft) if mistakes.is_empty() => Ok(draft),
        _ => Err(mistakes.into_error()),
    }
}

/// `None` when a value was wrong. All values are read all the same, so that every mistake is reported at once.
fn draft(
    root: &Node,
    values: &TopologyEntries,
    source: &SourceText<'_>,
    mistakes: &mut Mistakes<'_, '_>,
) -> Option<Draft> {
    let mut top = Section {
        node: root,
        mistakes,
    };
    let lab = top.need("lab", &values.lab, fields::lab_name);
    let method = top.need("mode", &values.mode, fields::mode);
    let firewall = top.may("firewall", &values.firewall, fields::firewall);
    let selinux = top.may("selinux", &values.selinux, fields::selinux);

    let mut service = Section {
        node: root.get("service")?,
        mistakes,
    };
    let entry = &values.service;
    let vip = service.need("vip", &entry.vip, fields::address);
    let port = service.may("port", &entry.port, fields::port);
    let protocol = service.may("protocol", &entry.protocol, fields::protocol);
    let scheduler = service.may("scheduler", &entry.scheduler, fields::scheduler);
    let persistence = service.may("persistence", &entry.persistence, fields::persistence);

    let (key, node) = root.entry("client")?;
    let mut section = Section { node, mistakes };
    let entry = &values.client;
    let client = section.host(
        source,
        HostEntry {
            name: entry.name.as_deref(),
            default_name: ("client", key.place),
            address: ("cip", &entry.cip),
            interface: entry.interface.as_deref(),
            ssh: entry.ssh.as_deref(),
        },
    );

    let (key, node) = root.entry("director")?;
    let mut section = Section { node, mistakes };
    let entry = &values.director;
    let director = section.host(
        source,
        HostEntry {
            name: entry.name.as_deref(),
            default_name: ("director", key.place),
            address: ("dip", &entry.dip),
            interface: entry.interface.as_deref(),
            ssh: entry.ssh.as_deref(),
        },
    );
    let vip_interface = section.may("vip_interface", &entry.vip_interface, fields::interface);

    let nodes = root.get("real_servers")?.entries();
    let mut real_servers = Vec::with_capacity(nodes.len());
    for ((key, node), (name, entry)) in nodes.iter().zip(&values.real_servers.0) {
        let mut section = Section { node, mistakes };
        let host = section.host(
            source,
            HostEntry {
                name: None,
                default_name: (name, key.place),
                address: ("rip", &entry.rip),
                interface: entry.interface.as_deref(),
                ssh: entry.ssh.as_deref(),
            },
        );
        let weight = section.may("weight", &entry.weight, fields::weight);
        let page = section.may("page", &entry.page, fields::page);
        let server = || {
            let host = host?;
            Some(RealServerDraft {
                weight: weight?.unwrap_or(At {
                    value: 1,
                    place: key.place,
                }),
                page: page?.unwrap_or_else(|| At {
                    value: host.address.value.addr().to_string(),
                    place: host.address.place,
                }),
                host,
            })
        };
        real_servers.push(server());
    }

    let default = Policy::default();
    Some(Draft {
        lab: lab?.value,
        method: method?,
        vip: vip?,
        port: port?.map_or(WEB_PORT, |port| port.value),
        protocol: protocol?.map_or(Protocol::Tcp, |protocol| protocol.value),
        scheduler: scheduler?.map_or(Scheduler::Wrr, |scheduler| scheduler.value),
        persistence: persistence?.map(|persistence| persistence.value),
        client: client?,
        director: director?,
        vip_interface: vip_interface?,
        real_servers: real_servers.into_iter().collect::<Option<_>>()?,
        policy: Policy {
            trust_firewall: firewall?.map_or(default.trust_firewall, |policy| policy.value),
            permissive_selinux: selinux?.map_or(default.permissive_selinux, |policy| policy.value),
        },
    })
}

/// The port of a service that names none.
const WEB_PORT: NonZeroU16 = NonZeroU16::new(80).expect("80 is not 0");

/// A host as the file has it.
struct HostEntry<'a> {
    name: Option<&'a str>,
    /// Name and place, used if the entry has no `name` of its own.
    default_name: (&'a str, Place),
    /// Key and text.
    address: (&'static str, &'a str),
    interface: Option<&'a str>,
    ssh: Option<&'a str>,
}

/// A mapping being read.
struct Section<'n, 'm, 's, 'a> {
    node: &'n Node,
    mistakes: &'m mut Mistakes<'s, 'a>,
}

impl Section<'_, '_, '_, '_> {
    fn place(&self, key: &str) -> Place {
        self.node
            .get(key)
            .map_or(self.node.place, |node| node.place)
    }

    /// The value of a required key; `None` if it is wrong.
    fn need<T>(
        &mut self,
        key: &str,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<At<T>> {
        self.mistakes.take(self.place(key), read(text))
    }

    /// The value of an optional key; the outer `None` if it is wrong.
    fn may<T>(
        &mut self,
        key: &str,
        text: &Option<impl AsRef<str>>,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<Option<At<T>>> {
        match text {
            None => Some(None),
            Some(text) => self.need(key, text.as_ref(), read).map(Some),
        }
    }

    fn host(&mut self, source: &SourceText<'_>, entry: HostEntry<'_>) -> Option<HostDraft> {
        let name = match entry.name {
            Some(name) => self.need("name", name, fields::host_name),
            None => {
                let (name, place) = entry.default_name;
                self.mistakes.take(place, fields::host_name(name))
            }
        };
        let address = self.need(entry.address.0, entry.address.1, fields::address);
        let interface = self.may("interface", &entry.interface, fields::interface);
        let origin = source.origin(self.place("ssh"));
        let ssh = self.may("ssh", &entry.ssh, |text| destination(text, origin));
        Some(HostDraft {
            name: name?,
            address: address?,
            interface: interface?,
            ssh: ssh?.map(|ssh| ssh.value),
        })
    }
}
