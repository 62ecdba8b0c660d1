//! Which machines and wires a lab needs: the part of a [`Lab`] the sandbox is about. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::addresses::MAC_PREFIX;
use super::description::GuestInterface;
use crate::model::{Host, HostName, Lab};

/// Machines and wires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Number of layer-2 segments.
    pub segments: usize,
    /// Machines, in the lab's order.
    pub hosts: Vec<LayoutHost>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutHost {
    pub name: HostName,
    /// Lab interfaces.
    pub interfaces: Vec<GuestInterface>,
    /// The other machines by lab address.
    pub neighbours: Vec<(Ipv4Net, HostName)>,
}

impl Layout {
    /// What `lab` needs.
    #[must_use]
    pub fn of(lab: &Lab) -> Self {
        let mut macs = BTreeSet::new();
        let hosts = lab
            .hosts()
            .iter()
            .map(|host| LayoutHost {
                name: host.name.clone(),
                interfaces: interfaces(host, &mut macs),
                neighbours: neighbours(lab, host),
            })
            .collect();
        Self {
            segments: lab.networks().len(),
            hosts,
        }
    }

    /// The first difference, in words, from the running sandbox's point of view; `None` when both are alike.
    #[must_use]
    pub fn difference(&self, wanted: &Self) -> Option<String> {
        for host in &wanted.hosts {
            match self.hosts.iter().find(|other| other.name == host.name) {
                None => return Some(format!("it has no host {}", host.name)),
                Some(other) if other.interfaces != host.interfaces => {
                    return Some(format!(
                        "{} has {} there, the topology gives it {}",
                        host.name,
                        list(&other.interfaces),
                        list(&host.interfaces)
                    ));
                }
                Some(_) => {}
            }
        }
        let extra = self
            .hosts
            .iter()
            .find(|host| wanted.hosts.iter().all(|other| other.name != host.name));
        if let Some(extra) = extra {
            return Some(format!("the topology has no host {}", extra.name));
        }
        (self.segments != wanted.segments).then(|| {
            format!(
                "it has {} segments, the topology {}",
                self.segments, wanted.segments
            )
        })
    }
}

/// Its cables.
fn interfaces(host: &Host, macs: &mut BTreeSet<String>) -> Vec<GuestInterface> {
    host.attachments
        .iter()
        .zip(host.wired())
        .map(|(attachment, name)| GuestInterface {
            name,
            segment: attachment.network.place(),
            mac: mac(attachment.network.place(), attachment.address.addr(), macs),
        })
        .collect()
}

/// A MAC one can read: the segment, then the last two bytes of the address. In networks larger than /16 two
/// hosts may share those; the third byte keeps them apart.
fn mac(segment: usize, address: Ipv4Addr, taken: &mut BTreeSet<String>) -> String {
    let [x, y] = MAC_PREFIX;
    let [_, _, high, low] = address.octets();
    let segment = u8::try_from(segment).unwrap_or(u8::MAX);
    let mut mac = String::new();
    for round in 0..=u8::MAX {
        mac = format!("{x:02x}:{y:02x}:{round:02x}:{segment:02x}:{high:02x}:{low:02x}");
        if taken.insert(mac.clone()) {
            break;
        }
    }
    mac
}

fn neighbours(lab: &Lab, host: &Host) -> Vec<(Ipv4Net, HostName)> {
    lab.hosts()
        .iter()
        .filter(|other| other.name != host.name)
        .flat_map(|other| {
            other
                .attachments
                .iter()
                .map(|attachment| (attachment.address, other.name.clone()))
        })
        .collect()
}

fn list(interfaces: &[GuestInterface]) -> String {
    interfaces
        .iter()
        .map(|interface| {
            format!(
                "{} ({}) on segment {}",
                interface.name, interface.mac, interface.segment
            )
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU16;

    use super::*;
    use crate::model::{
        Attachment, ForwardingMethod, LabParts, Network, NetworkId, Policy, Protocol, RealServer,
        Role, Scheduler, VirtualService,
    };

    fn host(name: &str, role: Role, attachments: &[(usize, &str)]) -> Host {
        Host {
            name: name.parse().unwrap(),
            roles: [role].into(),
            attachments: attachments
                .iter()
                .map(|&(place, address)| Attachment {
                    network: NetworkId::new(place),
                    address: address.parse().unwrap(),
                    interface: None,
                })
                .collect(),
            ssh: None,
        }
    }

    fn lab(mode: ForwardingMethod, vip: &str, hosts: Vec<Host>) -> Lab {
        let real_servers = hosts
            .iter()
            .filter(|host| host.is(Role::RealServer))
            .map(|host| RealServer {
                host: host.name.clone(),
                rip: host.attachments[0].address,
                port: NonZeroU16::new(80).unwrap(),
                weight: 1,
                method: mode,
                page: host.attachments[0].address.addr().to_string(),
            })
            .collect();
        let attachments = hosts.iter().flat_map(|host| &host.attachments);
        let prefixes: BTreeMap<NetworkId, Ipv4Net> = attachments
            .map(|attachment| (attachment.network, attachment.address.trunc()))
            .collect();
        let networks = prefixes
            .into_iter()
            .map(|(network, prefix)| Network {
                name: format!("network{network}").parse().unwrap(),
                prefix,
            })
            .collect();
        Lab::from_checked(LabParts {
            id: mode.profile().keyword.parse().unwrap(),
            networks,
            hosts,
            services: vec![VirtualService {
                vip: vip.parse().unwrap(),
                port: NonZeroU16::new(80).unwrap(),
                protocol: Protocol::Tcp,
                scheduler: Scheduler::Wrr,
                persistence: None,
                real_servers,
            }],
            policy: Policy::default(),
        })
    }

    /// The NAT lab of the course.
    pub(crate) fn nat() -> Lab {
        lab(
            ForwardingMethod::Nat,
            "192.168.4.5/24",
            vec![
                host("client", Role::Client, &[(0, "192.168.4.10/24")]),
                host(
                    "director",
                    Role::Director,
                    &[(0, "192.168.4.5/24"), (1, "192.168.2.5/24")],
                ),
                host("web1", Role::RealServer, &[(1, "192.168.2.100/24")]),
                host("web2", Role::RealServer, &[(1, "192.168.2.200/24")]),
            ],
        )
    }

    /// The DR lab of the course.
    pub(crate) fn dr() -> Lab {
        lab(
            ForwardingMethod::Dr,
            "192.168.4.15/24",
            vec![
                host("client", Role::Client, &[(0, "192.168.4.10/24")]),
                host("director", Role::Director, &[(0, "192.168.4.5/24")]),
                host("web1", Role::RealServer, &[(0, "192.168.4.100/24")]),
                host("web2", Role::RealServer, &[(0, "192.168.4.200/24")]),
            ],
        )
    }

    #[test]
    fn the_nat_lab_has_two_segments_and_the_director_is_on_both() {
        let layout = Layout::of(&nat());
        assert_eq!(layout.segments, 2);
        let wires: Vec<(String, String)> = layout
            .hosts
            .iter()
            .map(|host| (host.name.to_string(), list(&host.interfaces)))
            .collect();
        let expected = [
            ("client", "eth0 (52:54:00:00:04:0a) on segment 0"),
            (
                "director",
                "eth0 (52:54:00:00:04:05) on segment 0, eth1 (52:54:00:01:02:05) on segment 1",
            ),
            ("web1", "eth1 (52:54:00:01:02:64) on segment 1"),
            ("web2", "eth1 (52:54:00:01:02:c8) on segment 1"),
        ]
        .map(|(name, wires)| (name.to_owned(), wires.to_owned()));
        assert_eq!(wires, expected);
        let of_web1: Vec<String> = layout.hosts[2]
            .neighbours
            .iter()
            .map(|(address, name)| format!("{} {name}", address.addr()))
            .collect();
        assert_eq!(
            of_web1,
            [
                "192.168.4.10 client",
                "192.168.4.5 director",
                "192.168.2.5 director",
                "192.168.2.200 web2"
            ]
        );
    }

    #[test]
    fn an_interface_that_the_topology_names_is_not_given_twice() {
        let mut director = host(
            "director",
            Role::Director,
            &[(0, "192.168.4.5/24"), (1, "192.168.2.5/24")],
        );
        let names = |director: &Host| -> Vec<String> {
            interfaces(director, &mut BTreeSet::new())
                .iter()
                .map(|interface| interface.name.to_string())
                .collect()
        };
        assert_eq!(names(&director), ["eth0", "eth1"]);
        director.attachments[1].interface = Some("eth0".parse().unwrap());
        assert_eq!(names(&director), ["eth1", "eth0"]);
        director.attachments[1].interface = None;
        director.attachments[0].interface = Some("eth1".parse().unwrap());
        assert_eq!(names(&director), ["eth1", "eth2"]);
    }

    #[test]
    fn addresses_that_end_alike_get_different_macs() {
        let mut taken = BTreeSet::new();
        assert_eq!(
            mac(0, Ipv4Addr::new(10, 1, 4, 5), &mut taken),
            "52:54:00:00:04:05"
        );
        assert_eq!(
            mac(0, Ipv4Addr::new(10, 2, 4, 5), &mut taken),
            "52:54:01:00:04:05"
        );
    }

    #[test]
    fn a_difference_is_told_in_words() {
        let running = Layout::of(&dr());
        assert_eq!(running.difference(&running), None);
        let mut more = running.clone();
        more.hosts.push(LayoutHost {
            name: "web3".parse().unwrap(),
            interfaces: Vec::new(),
            neighbours: Vec::new(),
        });
        assert_eq!(running.difference(&more).unwrap(), "it has no host web3");
        assert_eq!(
            more.difference(&running).unwrap(),
            "the topology has no host web3"
        );
        let nat = Layout::of(&nat());
        assert_eq!(
            running.difference(&nat).unwrap(),
            "director has eth0 (52:54:00:00:04:05) on segment 0 there, the topology gives it \
             eth0 (52:54:00:00:04:05) on segment 0, eth1 (52:54:00:01:02:05) on segment 1"
        );
    }
}
