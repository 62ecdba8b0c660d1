//! What holds for the plan of any lab on any kind of host.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::cases::case;
use super::*;
use crate::model::{ForwardingMethod, Role};

fn position(plan: &HostPlan, wanted: impl Fn(&Resource) -> bool) -> Option<usize> {
    plan.steps.iter().position(|step| wanted(&step.resource))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_host_gets_a_plan_in_a_sound_order((lab, facts) in case()) {
        let plans = plan(&lab, &facts);
        prop_assert_eq!(plans.len(), lab.hosts().len());
        for host in lab.hosts() {
            let plan = match &plans[&host.name] {
                Ok(plan) => plan,
                Err(error) => return Err(TestCaseError::fail(format!("{}: {error}", host.name))),
            };
            let ids: BTreeSet<String> = plan.steps.iter().map(|step| step.resource.id().0).collect();
            prop_assert_eq!(ids.len(), plan.steps.len(), "identities are unique");

            for step in &plan.steps {
                prop_assert!(step.why.ends_with(['.', ')']) && !step.why.contains('\n'), "{}", step.why);
                prop_assert!(!step.why.contains("  "), "{}", step.why);
                prop_assert!(step.by_hand.iter().all(|line| !line.contains('\n')));
                let text = serde_json::to_string(&step).expect("JSON");
                prop_assert!(!text.contains("mgmt0"), "the management interface is left alone: {text}");
                let of_plan = plan.interfaces.values().any(|name| text.contains(name.as_str()));
                let networked = matches!(step.resource, Resource::Link(_) | Resource::DefaultRoute(_));
                prop_assert!(!networked || of_plan, "{text}");
            }

            // What a resource needs comes before it.
            let first_address = position(plan, |r| matches!(r, Resource::Address(_))).expect("an address");
            for (at, step) in plan.steps.iter().enumerate() {
                match &step.resource {
                    Resource::Sysctl(_) => prop_assert!(at < first_address, "settings come before addresses"),
                    Resource::Address(address) if address.label.is_none() => {
                        let link = position(plan, |r| matches!(r, Resource::Link(l) if l.interface == address.interface));
                        prop_assert!(link.is_some_and(|link| link < at), "up before the address");
                    }
                    Resource::DefaultRoute(_) => prop_assert!(
                        !plan.steps[at..].iter().any(|s| matches!(s.resource, Resource::Address(_))),
                        "addresses come before the route"
                    ),
                    Resource::Service(service) => for path in &service.restart_on {
                        let file = position(plan, |r| matches!(r, Resource::File(f) if f.path == *path));
                        prop_assert!(file.is_some_and(|file| file < at), "files come before services");
                    },
                    Resource::Package(_) => prop_assert_eq!(at, 0),
                    _ => {}
                }
            }

            // Live settings and the file for the next boot agree.
            let sysctls: Vec<_> = plan.steps.iter().filter_map(|step| match &step.resource {
                Resource::Sysctl(sysctl) => Some(format!("{} = {}", sysctl.key, sysctl.value)),
                _ => None,
            }).collect();
            let written: Vec<String> = file(plan, "/etc/sysctl.d/90-lvslab.conf")
                .map(|file| file.content.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
                .unwrap_or_default();
            prop_assert_eq!(&sysctls, &written);

            let vip_on_lo = position(plan, |r| matches!(r, Resource::Address(a) if a.interface.as_str() == "lo"));
            let has = |method, role| lab.method() == method && host.is(role);
            let hidden = has(ForwardingMethod::Dr, Role::RealServer);
            prop_assert_eq!(vip_on_lo.is_some(), hidden);
            let forwards = has(ForwardingMethod::Nat, Role::Director);
            prop_assert_eq!(sysctls.len(), 4 * usize::from(hidden) + usize::from(forwards));

            let routes = plan.steps.iter().filter(|s| matches!(s.resource, Resource::DefaultRoute(_))).count();
            let routed = has(ForwardingMethod::Nat, Role::RealServer);
            prop_assert_eq!(routes, usize::from(routed), "only NAT real servers get a default route");

            let tables: Vec<_> = plan.steps.iter().filter_map(|step| match &step.resource {
                Resource::Ipvs(ipvs) => Some(ipvs),
                _ => None,
            }).collect();
            prop_assert_eq!(tables.len(), usize::from(host.is(Role::Director)));
            for table in tables {
                prop_assert_eq!(table.destinations.len(), lab.real_servers().len());
                for server in lab.real_servers() {
                    let entries: Vec<_> = table.destinations.iter()
                        .filter(|d| d.address == std::net::IpAddr::from(server.address()))
                        .collect();
                    prop_assert_eq!(entries.len(), 1, "every real server once");
                    prop_assert_eq!(entries[0].weight, u32::from(server.weight));
                    prop_assert_eq!(entries[0].port, lab.service().port.get());
                }
            }
        }
    }

    /// What leaves a plan is put back, so a second run must ask for the same as the first.
    #[test]
    fn the_plan_after_applying_it_is_the_same((lab, facts) in case()) {
        let before = plan(&lab, &facts);
        let mut after = facts;
        for (name, plan) in &before {
            let Ok(plan) = plan else { return Err(TestCaseError::fail("no plan")) };
            let facts = after.get_mut(name).expect("facts");
            for step in &plan.steps {
                let id = step.resource.id();
                let present = match &step.resource {
                    Resource::Address(address) => {
                        let link = facts.links.iter_mut().find(|l| l.name == address.interface).expect("a link");
                        let there = link.addresses.iter().any(|a| a.address == address.address);
                        if !there {
                            link.addresses.push(AddressState {
                                interface: address.interface.clone(),
                                address: address.address,
                                label: address.label.clone().unwrap_or_default(),
                                broadcast: None,
                            });
                        }
                        there
                    }
                    Resource::Link(link) => {
                        let link = facts.links.iter_mut().find(|l| l.name == link.interface).expect("a link");
                        std::mem::replace(&mut link.up, true)
                    }
                    Resource::Selinux(selinux) => facts.selinux.replace(selinux.mode) == Some(selinux.mode),
                    _ => false,
                };
                if !present {
                    facts.owned.push(id);
                }
            }
        }
        prop_assert_eq!(plan(&lab, &after), before);
    }
}
