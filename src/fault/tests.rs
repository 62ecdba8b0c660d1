//! The table as a whole: every fault fits somewhere, names a check that exists, and can be taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{ForwardingMethod, Scheduler};
use crate::plan::{assumed_facts, plan};
use crate::verify::check;
use crate::verify::fixtures::healthy;
use crate::verify::fixtures::labs::{lab, name};

struct World {
    lab: Lab,
    facts: BTreeMap<HostName, Facts>,
    plans: BTreeMap<HostName, HostPlan>,
}

impl World {
    fn new(mode: ForwardingMethod, weights: &[u16]) -> Self {
        Self::of(lab(mode, Scheduler::Wrr, weights))
    }

    /// A course lab on another port, with persistence.
    fn on_port(text: &str, port: u16) -> Self {
        let service = format!("port: {port}\n  persistence: 60");
        let text = text.replace("port: 80", &service);
        Self::of(crate::topology::parse(&text, "lab.yaml", None).unwrap())
    }

    fn of(lab: Lab) -> Self {
        let facts = assumed_facts(&lab);
        let plans = plan(&lab, &facts)
            .into_iter()
            .map(|(host, plan)| (host, plan.unwrap()))
            .collect();
        Self { lab, facts, plans }
    }

    fn planned(&self) -> PlannedLab<'_> {
        PlannedLab {
            lab: &self.lab,
            facts: &self.facts,
            plans: &self.plans,
        }
    }

    fn all(&self) -> Vec<Fault> {
        catalogue()
            .flat_map(|kind| self.planned().fitting(kind))
            .collect()
    }
}

fn labs() -> Vec<World> {
    let weights: [&[u16]; 4] = [&[1], &[1, 1], &[1, 3, 0], &[5, 2, 3, 1, 1, 1, 1, 1]];
    [ForwardingMethod::Nat, ForwardingMethod::Dr]
        .into_iter()
        .flat_map(|mode| weights.map(|weights| World::new(mode, weights)))
        .chain([
            World::on_port(include_str!("../../topologies/nat.yaml"), 8080),
            World::on_port(include_str!("../../topologies/dr.yaml"), 8081),
        ])
        .collect()
}

#[test]
fn there_are_many_faults_and_each_has_a_name_of_its_own() {
    let names: BTreeSet<_> = catalogue().map(|kind| kind.name).collect();
    assert_eq!(names.len(), FaultId::ALL.len());
    assert!(names.len() >= 40, "{}", names.len());
    for mode in [ForwardingMethod::Nat, ForwardingMethod::Dr] {
        let world = World::new(mode, &[1, 1]);
        let fitting = catalogue();
        let count = fitting.filter(|kind| !world.planned().fitting(kind).is_empty());
        assert!(count.count() >= 24, "{mode}");
    }
}

/// Only the third hint names the host.
#[test]
fn the_first_two_hints_do_not_say_which_host_it_is() {
    for world in labs() {
        for fault in world.all() {
            let hints = [fault.kind.symptom, fault.kind.layer.where_to_look()];
            let said = hints
                .iter()
                .flat_map(|hint| hint.split(|c: char| !c.is_ascii_alphanumeric()))
                .any(|word| *word == *fault.host.as_str());
            assert!(!said, "{} on {}: {hints:?}", fault.kind.name, fault.host);
        }
    }
}

#[test]
fn every_fault_fits_a_course_lab() {
    let worlds = [
        World::new(ForwardingMethod::Nat, &[1, 1]),
        World::new(ForwardingMethod::Dr, &[1, 1]),
    ];
    for kind in catalogue() {
        let fits = |world: &World| !world.planned().fitting(kind).is_empty();
        assert!(worlds.iter().any(fits), "{}", kind.name);
    }
}

#[test]
fn the_cause_that_a_fault_names_is_a_check_that_is_made() {
    for world in labs() {
        let plans: Vec<HostPlan> = world.plans.values().cloned().collect();
        let verdict = check(&healthy::evidence(&world.lab, &plans));
        for fault in world.all() {
            let cause = &fault.damage.cause;
            let found = verdict.find(cause);
            assert!(
                found.is_some(),
                "{} on {}: {cause}",
                fault.kind.name,
                fault.host
            );
            assert_eq!(found.unwrap().host, fault.host, "{}", fault.kind.name);
        }
    }
}

#[test]
fn what_works_until_reboot_is_about_the_boot_and_nothing_else_is() {
    for kind in catalogue() {
        let until = kind.effect == Effect::UntilReboot;
        assert_eq!(until, kind.layer == Layer::Boot, "{}", kind.name);
    }
}

#[test]
fn lines_are_what_a_shell_can_read() {
    for world in labs() {
        for fault in world.all() {
            for lines in [&fault.damage.inflict, &fault.damage.undo] {
                let status = std::process::Command::new("sh")
                    .args(["-n", "-c", &lines.join("\n")])
                    .status()
                    .unwrap();
                assert!(status.success(), "{}: {lines:?}", fault.kind.name);
            }
            assert!(!fault.damage.inflict.is_empty(), "{}", fault.kind.name);
            assert!(!fault.damage.setting.is_empty(), "{}", fault.kind.name);
        }
    }
}

#[test]
fn the_faults_of_the_course_labs_are_these() {
    let mut text = String::new();
    for mode in [ForwardingMethod::Nat, ForwardingMethod::Dr] {
        let world = World::new(mode, &[1, 1]);
        text += &format!("== {mode}\n");
        for kind in catalogue() {
            for fault in world.planned().fitting(kind).into_iter().take(1) {
                let damage = &fault.damage;
                text += &format!("{} ({})\n", kind.name, damage.cause);
                for line in &damage.inflict {
                    text += &format!("    {line}\n");
                }
                for line in &damage.undo {
                    text += &format!("  - {line}\n");
                }
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_seed_chooses_the_same_fault_every_time_and_all_get_their_turn() {
    let world = World::new(ForwardingMethod::Nat, &[1, 1]);
    let chosen = |seed| {
        let fault = world.planned().random(seed).unwrap();
        (fault.kind.name, fault.host.to_string())
    };
    assert_eq!(chosen(7), chosen(7));
    let seen: BTreeSet<_> = (0..2000).map(chosen).collect();
    assert_eq!(seen.len(), world.all().len());
}

#[test]
fn mistakes_are_told_with_what_would_fit() {
    let world = World::new(ForwardingMethod::Dr, &[1, 1]);
    let told = |fault: &str, host: Option<&str>| {
        let host = host.map(name);
        world
            .planned()
            .find(fault, host.as_ref())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        told("httpd-stoped", None),
        "there is no fault `httpd-stoped`"
    );
    assert_eq!(nearest("httpd-stoped"), Some(FaultId::HttpdStopped));
    assert_eq!(nearest("x"), None);
    assert_eq!(
        told("no-gateway", None),
        "`no-gateway` fits no host of lab dr"
    );
    assert_eq!(
        told("vip-missing", Some("client")),
        "`vip-missing` does not fit client; it fits web1, web2, director"
    );
    let fault = world.planned().find("vip-missing", None).unwrap();
    assert_eq!(fault.host.as_str(), "web1");
}

#[test]
fn the_interface_a_host_is_managed_through_is_not_cut() {
    let mut world = World::new(ForwardingMethod::Dr, &[1, 1]);
    for facts in world.facts.values_mut() {
        facts.management = Some("eth0".parse().unwrap());
    }
    let error = world.planned().find("link-down", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`link-down` would cut web1 off: it is managed through the same interface"
    );
    assert!((0..200).all(|seed| world.planned().random(seed).unwrap().damage.cuts.is_none()));
}
