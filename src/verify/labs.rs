//! Labs and plans for the tests, as the topology reader and the planner make them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::ipvs::{self, Forwarding, ServiceKey, Transport};
use crate::model::{
    Attachment, Host, HostName, InterfaceName, Lab, LabParts, Mode, Policy, Protocol, RealServer,
    Role, Scheduler, VirtualService,
};
use crate::plan::{HostPlan, Step};
use crate::resource::{
    Address, DefaultRoute, File, IpvsService, Link, Package, Resource, Service, Sysctl,
};

/// The DR or NAT lab of the course, with these weights for web1, web2, ...
pub(crate) fn lab(mode: Mode, scheduler: Scheduler, weights: &[u16]) -> Lab {
    let rip = |at: usize| match mode {
        Mode::Nat => format!("192.168.2.{}/24", 100 + at * 10),
        Mode::Dr => format!("192.168.4.{}/24", 100 + at * 10),
    };
    let inner = usize::from(mode == Mode::Nat);
    let on = |segment, address: &str| Attachment {
        segment,
        address: address.parse().unwrap(),
        interface: None,
    };
    let host = |name: &str, role, attachments| Host {
        name: name.parse().unwrap(),
        role,
        attachments,
        ssh: None,
    };
    let mut hosts = vec![host("client", Role::Client, vec![on(0, "192.168.4.10/24")])];
    hosts.push(match mode {
        Mode::Nat => host(
            "director",
            Role::Director,
            vec![on(0, "192.168.4.5/24"), on(1, "192.168.2.5/24")],
        ),
        Mode::Dr => host("director", Role::Director, vec![on(0, "192.168.4.5/24")]),
    });
    let name = |at: usize| format!("web{}", at + 1);
    for at in 0..weights.len() {
        hosts.push(host(&name(at), Role::RealServer, vec![on(inner, &rip(at))]));
    }
    let real_servers = weights.iter().enumerate().map(|(at, weight)| {
        let rip: ipnet::Ipv4Net = rip(at).parse().unwrap();
        RealServer {
            host: name(at).parse().unwrap(),
            rip,
            weight: *weight,
            page: rip.addr().to_string(),
        }
    });
    Lab::from_checked(LabParts {
        name: mode.as_str().parse().unwrap(),
        mode,
        service: VirtualService {
            vip: match mode {
                Mode::Nat => "192.168.4.5/24",
                Mode::Dr => "192.168.4.15/24",
            }
            .parse()
            .unwrap(),
            port: 80.try_into().unwrap(),
            protocol: Protocol::Tcp,
            scheduler,
            persistence: None,
        },
        hosts,
        real_servers: real_servers.collect(),
        policy: Policy::default(),
    })
}

/// A plan per host, in the shape the planner gives a Debian sandbox.
pub(crate) fn plans(lab: &Lab) -> Vec<HostPlan> {
    lab.hosts().iter().map(|host| plan(lab, host)).collect()
}

fn plan(lab: &Lab, host: &Host) -> HostPlan {
    let interfaces: BTreeMap<usize, InterfaceName> = host
        .attachments
        .iter()
        .map(|a| (a.segment, format!("eth{}", a.segment).parse().unwrap()))
        .collect();
    let mut steps = Vec::new();
    if host.role == Role::RealServer {
        web_server(lab, host, &mut steps);
    }
    let sysctls: &[(&str, &str)] = match (lab.mode(), host.role) {
        (Mode::Nat, Role::Director) => &[("net.ipv4.ip_forward", "1")],
        (Mode::Dr, Role::RealServer) => &[
            ("net.ipv4.conf.all.arp_ignore", "1"),
            ("net.ipv4.conf.lo.arp_ignore", "1"),
            ("net.ipv4.conf.all.arp_announce", "2"),
            ("net.ipv4.conf.lo.arp_announce", "2"),
        ],
        _ => &[],
    };
    if !sysctls.is_empty() {
        let lines = sysctls
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"));
        steps.push(file(
            "/etc/sysctl.d/90-lvslab.conf",
            &lines.collect::<String>(),
        ));
    }
    for (key, value) in sysctls {
        steps.push(step(
            Resource::Sysctl(Sysctl {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            }),
            "Only the director may answer ARP for the VIP.",
            &[&format!("sysctl -w {key}={value}")],
        ));
    }
    for attachment in &host.attachments {
        let interface = &interfaces[&attachment.segment];
        attach(interface, attachment.address, None, &mut steps);
    }
    if lab.mode() == Mode::Dr {
        let (interface, prefix) = match host.role {
            Role::Client => (None, 0),
            Role::Director => (Some("eth0"), 24),
            Role::RealServer => (Some("lo"), 32),
        };
        if let Some(interface) = interface {
            let vip = ipnet::Ipv4Net::new(lab.vip(), prefix).unwrap();
            let label = format!("{interface}:0");
            attach(&interface.parse().unwrap(), vip, Some(label), &mut steps);
        }
    }
    if (lab.mode(), host.role) == (Mode::Nat, Role::RealServer) {
        let via = lab.dip().addr();
        steps.push(step(
            Resource::DefaultRoute(DefaultRoute {
                via,
                interface: interfaces[&1].clone(),
            }),
            "Answers to the client must go back through the director, which puts the VIP back as their source.",
            &[&format!("ip route add default via {via} dev eth1")],
        ));
    }
    if host.role == Role::Director {
        steps.push(virtual_service(lab));
    }
    HostPlan {
        host: host.name.clone(),
        interfaces,
        steps,
    }
}

fn web_server(lab: &Lab, host: &Host, steps: &mut Vec<Step>) {
    let page = &lab.real_server(host.name.as_str()).unwrap().page;
    steps.push(step(
        Resource::Package(Package {
            name: "apache2".to_owned(),
        }),
        "The web server answers the requests.",
        &["apt-get install -y apache2"],
    ));
    steps.push(file("/var/www/html/index.html", &format!("{page}\n")));
    steps.push(step(
        Resource::Service(Service {
            name: "apache2".to_owned(),
            running: true,
            enabled: true,
            restart_on: Vec::new(),
        }),
        "The web server must run now and after a reboot.",
        &["service apache2 start", "update-rc.d apache2 enable"],
    ));
}

fn attach(
    interface: &InterfaceName,
    address: ipnet::Ipv4Net,
    label: Option<String>,
    steps: &mut Vec<Step>,
) {
    let shown = label.clone().unwrap_or_else(|| interface.to_string());
    steps.push(file(
        &format!("/etc/sysconfig/network-scripts/ifcfg-{shown}"),
        &format!("DEVICE={shown}\nIPADDR={}\n", address.addr()),
    ));
    if label.is_none() {
        steps.push(step(
            Resource::Link(Link {
                interface: interface.clone(),
            }),
            "An interface that is down neither sends nor receives.",
            &[&format!("ip link set {interface} up")],
        ));
    }
    steps.push(step(
        Resource::Address(Address {
            interface: interface.clone(),
            address,
            label,
        }),
        "The lab's hosts find each other by these addresses.",
        &[&format!(
            "ip address add {address} dev {interface} label {shown}"
        )],
    ));
}

fn virtual_service(lab: &Lab) -> Step {
    let destinations = lab.real_servers().iter().map(|server| ipvs::Destination {
        address: server.address().into(),
        port: lab.service().port.get(),
        forwarding: match lab.mode() {
            Mode::Nat => Forwarding::Masquerade,
            Mode::Dr => Forwarding::Route,
        },
        weight: server.weight.into(),
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: ipvs::model::TunnelKind::default(),
        tunnel_flags: 0,
    });
    let service = ipvs::Service {
        key: ServiceKey::Address {
            transport: Transport::Tcp,
            address: IpAddr::V4(lab.vip()),
            port: lab.service().port.get(),
        },
        scheduler: lab.service().scheduler.to_string(),
        flags: 0,
        persistence: lab
            .service()
            .persistence
            .and_then(|time| NonZeroU32::new(u32::try_from(time.as_secs()).unwrap())),
        granularity: None,
        engine: None,
    };
    step(
        Resource::Ipvs(IpvsService {
            service,
            destinations: destinations.collect(),
        }),
        "The director balances what clients send to the VIP.",
        &["ipvsadm -A ..."],
    )
}

fn file(path: &str, content: &str) -> Step {
    step(
        Resource::File(File {
            path: path.to_owned(),
            content: content.to_owned(),
            mode: 0o644,
        }),
        "What a boot or the web server reads.",
        &[&format!("cat > {path}")],
    )
}

fn step(resource: Resource, why: &str, by_hand: &[&str]) -> Step {
    Step {
        resource,
        why: why.to_owned(),
        by_hand: by_hand.iter().map(|&line| line.to_owned()).collect(),
    }
}

/// The name of a lab's host.
pub(crate) fn name(host: &str) -> HostName {
    host.parse().unwrap()
}
