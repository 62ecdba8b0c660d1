//! A plan meets every requirement of its host, now and after a boot: the two ways in which a host is described agree.

use std::time::Duration;

use proptest::prelude::*;

use super::cases::case;
use super::*;
use crate::keeper::{BootFile, BootFiles, System, after_boot};
use crate::model::LabParts;
use crate::requirement::{
    Hop, HostAddress, HostState, LinkState, Program, Requirement, Route, SettingStates, Sourced,
    Unset, Verdict, WebState, judge, of_host, settings_asked,
};

/// A host with its plan.
struct Planned<'a> {
    facts: &'a Facts,
    plan: &'a HostPlan,
    requirements: Vec<Requirement>,
}

impl Planned<'_> {
    fn interfaces(&self) -> crate::requirement::Interfaces {
        self.plan.interfaces.clone().into_iter().collect()
    }

    fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.plan.steps.iter().map(|step| &step.resource)
    }

    /// The host once the plan has been applied.
    fn now(&self) -> HostState {
        let mut state = HostState {
            programs: Some(self.programs()),
            links: Some(
                self.facts
                    .links
                    .iter()
                    .map(|link| LinkState {
                        name: link.name.clone(),
                        up: link.up,
                    })
                    .collect(),
            ),
            addresses: Some(self.addresses_of_the_machine()),
            settings: SettingStates {
                others: Unset::Zero,
                ..SettingStates::default()
            },
            ipvs: Some(Vec::new()),
            firewall: Some(Sourced::seen(
                self.facts.firewalld.then(|| "public".to_owned()),
            )),
            selinux: Some(Sourced::seen(self.facts.selinux)),
            web: Some(WebState {
                running: false,
                ..self.web_files()
            }),
            ..HostState::default()
        };
        for resource in self.resources() {
            apply(resource, &mut state);
        }
        state
    }

    fn programs(&self) -> std::collections::BTreeSet<Program> {
        let installed = self.resources().any(
            |resource| matches!(resource, Resource::Package(package) if package.name == "curl"),
        );
        (self.facts.curl || installed)
            .then_some(Program::Curl)
            .into_iter()
            .collect()
    }

    fn addresses_of_the_machine(&self) -> Vec<Sourced<HostAddress>> {
        let links = self.facts.links.iter();
        links
            .flat_map(|link| &link.addresses)
            .map(|state| {
                Sourced::seen(HostAddress {
                    interface: state.interface.clone(),
                    address: v4(state.address),
                })
            })
            .collect()
    }

    /// What Apache's files say, wherever it runs.
    fn web_files(&self) -> WebState {
        let system = System::of(self.facts);
        let state = after_boot(&self.boot_files(), &system, &[]);
        state.web.expect("a keeper of the web server")
    }

    /// The files that a boot finds: the plan's, and those that come with the system and its packages.
    fn boot_files(&self) -> BootFiles {
        let mut files = BootFiles::default();
        let mut write = |path: &str, text: &str| {
            let (text, written) = (text.to_owned(), Duration::ZERO);
            files.add(path, BootFile { text, written });
        };
        let rhel = self.facts.family == OsFamily::Rhel;
        let ports = match rhel {
            true => "/etc/httpd/conf/httpd.conf",
            false => "/etc/apache2/ports.conf",
        };
        write(ports, "Listen 80\n");
        if rhel {
            self.write_configuration_of_the_machine(&mut write);
        }
        for resource in self.resources() {
            match resource {
                Resource::File(file) => write(&file.path, &file.content),
                Resource::Firewall(wanted) => write(
                    "/etc/firewalld/firewalld.conf",
                    &format!("DefaultZone={}\n", wanted.zone),
                ),
                Resource::Selinux(wanted) => write(
                    "/etc/selinux/config",
                    &format!("SELINUX={}\n", wanted.mode.as_str()),
                ),
                _ => {}
            }
        }
        let started = self.resources().filter_map(|resource| match resource {
            Resource::Service(service) if service.enabled => Some(service.name.as_str()),
            _ => None,
        });
        for service in started.chain(self.facts.firewalld.then_some("firewalld")) {
            match self.facts.service_manager {
                ServiceManager::Systemd => files.link(
                    format!("/etc/systemd/system/multi-user.target.wants/{service}.service"),
                    format!("/lib/systemd/system/{service}.service"),
                ),
                ServiceManager::SysV => files.link(
                    format!("/etc/rc2.d/S01{service}"),
                    format!("../init.d/{service}"),
                ),
            }
        }
        files
    }

    /// ifcfg files of the machine's own. Where the plan leaves the gateway to the person, the person has done so.
    fn write_configuration_of_the_machine(&self, write: &mut impl FnMut(&str, &str)) {
        let gateway = self
            .plan
            .steps
            .iter()
            .find_map(|step| match &step.resource {
                Resource::DefaultRoute(route) if step.why.ends_with("there, too.)") => Some(route),
                _ => None,
            });
        for link in &self.facts.links {
            for state in &link.addresses {
                let mut text = format!(
                    "IPADDR={}\nPREFIX={}\n",
                    state.address.addr(),
                    state.address.prefix_len()
                );
                if let Some(route) = gateway.filter(|route| route.interface == link.name) {
                    text += &format!("GATEWAY={}\n", route.via);
                }
                write(
                    &format!("/etc/sysconfig/network-scripts/ifcfg-{}", link.name),
                    &text,
                );
            }
        }
    }

    /// The host after a boot, as the keepers predict it. A Debian machine brings up its own addresses by means that
    /// no keeper reads yet; packages stay.
    fn after_boot(&self) -> HostState {
        let system = System::of(self.facts);
        let keys = settings_asked(&self.requirements, &self.interfaces());
        let mut state = after_boot(&self.boot_files(), &system, &keys);
        state.programs = Some(self.programs());
        if self.facts.family == OsFamily::Debian {
            let own = self.addresses_of_the_machine();
            let links = state.links.get_or_insert_default();
            links.extend(own.iter().map(|address| LinkState {
                name: address.value.interface.clone(),
                up: true,
            }));
            state.addresses.get_or_insert_default().extend(own);
        }
        state
    }
}

/// What a resource that was made true changes.
fn apply(resource: &Resource, state: &mut HostState) {
    match resource {
        Resource::Link(up) => {
            let mut links = state.links.iter_mut().flatten();
            let link = links.find(|link| link.name == up.interface);
            link.expect("a link of the host").up = true;
        }
        Resource::Address(address) => {
            state
                .addresses
                .get_or_insert_default()
                .push(Sourced::seen(HostAddress {
                    interface: address.interface.clone(),
                    address: v4(address.address),
                }))
        }
        Resource::DefaultRoute(route) => state.routes.push(Sourced::seen(Route {
            to: ipnet::Ipv4Net::default(),
            hop: Hop::Gateway {
                via: v4(route.via.into()).addr(),
                interface: route.interface.clone(),
            },
        })),
        Resource::Sysctl(sysctl) => {
            let mut keys = vec![sysctl.key.clone()];
            if sysctl.key == "net.ipv4.ip_forward" {
                // The kernel sets it for every interface.
                let links = state.links.iter().flatten();
                keys.extend(links.map(|link| format!("net.ipv4.conf.{}.forwarding", link.name)));
            }
            for key in keys {
                let value = Sourced::seen(sysctl.value.clone());
                state.settings.values.insert(key, value);
            }
        }
        Resource::Service(service) => {
            if let Some(web) = &mut state.web {
                web.running |= service.running && ["httpd", "apache2"].contains(&&*service.name);
            }
        }
        Resource::Firewall(firewall) => {
            state.firewall = Some(Sourced::seen(Some(firewall.zone.clone())));
        }
        Resource::Selinux(selinux) => state.selinux = Some(Sourced::seen(Some(selinux.mode))),
        Resource::Ipvs(service) => state
            .ipvs
            .get_or_insert_default()
            .push(Sourced::seen(service.clone())),
        Resource::Package(_) | Resource::File(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_requirement_is_met_by_the_plan_and_again_after_a_boot((lab, facts) in case()) {
        let plans = plan(&lab, &facts);
        for host in lab.hosts() {
            let Ok(plan) = &plans[&host.name] else {
                return Err(TestCaseError::fail("no plan"));
            };
            let planned = Planned {
                facts: &facts[&host.name],
                plan,
                requirements: of_host(&lab, host),
            };
            let interfaces = planned.interfaces();
            for (when, state) in [("now", planned.now()), ("after a boot", planned.after_boot())] {
                for requirement in &planned.requirements {
                    let verdict = judge(requirement, &interfaces, &state);
                    prop_assert!(
                        matches!(verdict, Verdict::Holds { .. }),
                        "{} {when}: {}: {verdict:?}", host.name, requirement.need
                    );
                }
            }
        }
    }
}

/// The course's lab with a second service, on another VIP and port, served by the same real servers.
fn with_second_service(text: &str) -> Lab {
    let lab = lab(text);
    let mut second = lab.service().clone();
    second.port = std::num::NonZeroU16::new(8080).expect("a port");
    if lab.profile().real_server_vip.is_some() {
        second.vip = "192.168.4.16/24".parse().expect("an address");
    }
    for server in &mut second.real_servers {
        server.port = second.port;
    }
    Lab::from_checked(LabParts {
        id: lab.id().clone(),
        networks: lab.networks().to_vec(),
        hosts: lab.hosts().to_vec(),
        services: vec![lab.service().clone(), second],
        policy: lab.policy(),
    })
}

#[test]
fn a_second_service_is_kept_like_the_first() {
    for text in [DR, NAT] {
        let lab = with_second_service(text);
        for host in lab.hosts() {
            let facts = assumed(&lab, host.name.as_str());
            let plan = planned_ok(&lab, host.name.as_str(), facts.clone());
            let planned = Planned {
                facts: &facts,
                plan: &plan,
                requirements: of_host(&lab, host),
            };
            let interfaces = planned.interfaces();
            for state in [planned.now(), planned.after_boot()] {
                for requirement in &planned.requirements {
                    let verdict = judge(requirement, &interfaces, &state);
                    let name = &host.name;
                    assert!(
                        verdict.is_met(),
                        "{name}: {}: {verdict:?}",
                        requirement.need
                    );
                }
            }
        }
    }
    let lab = with_second_service(DR);
    let labels = |name: &str| -> Vec<String> {
        let plan = planned_ok(&lab, name, assumed(&lab, name));
        let steps = plan.steps.iter();
        steps
            .filter_map(|step| match &step.resource {
                Resource::Address(address) => address.label.clone(),
                _ => None,
            })
            .collect()
    };
    assert_eq!(labels("director"), ["eth0:0", "eth0:1"]);
    assert_eq!(labels("web1"), ["lo:0", "lo:1"]);
}

/// Without any of the files that a boot reads some requirement no longer holds, so the agreement above is no accident.
#[test]
fn every_file_that_a_boot_reads_is_needed_in_the_sandbox() {
    for text in [DR, NAT] {
        let lab = lab(text);
        for host in lab.hosts() {
            let facts = assumed(&lab, host.name.as_str());
            let whole = planned_ok(&lab, host.name.as_str(), facts.clone());
            let read = whole.steps.iter().enumerate();
            for (at, step) in read.filter(|(_, step)| step.purpose.is_read_at_boot()) {
                let mut plan = whole.clone();
                plan.steps.remove(at);
                let planned = Planned {
                    facts: &facts,
                    plan: &plan,
                    requirements: of_host(&lab, host),
                };
                let (state, interfaces) = (planned.after_boot(), planned.interfaces());
                let mut requirements = planned.requirements.iter();
                let met = requirements.all(|one| judge(one, &interfaces, &state).is_met());
                assert!(!met, "{}: {:?} is not needed", host.name, step.purpose);
            }
        }
    }
}

/// Requirements are about IPv4 so far.
fn v4(address: ipnet::IpNet) -> ipnet::Ipv4Net {
    match address {
        ipnet::IpNet::V4(address) => address,
        ipnet::IpNet::V6(address) => panic!("an IPv6 address in a lab: {address}"),
    }
}
