//! No rule of a host's packet filter takes the lab's packets away.

use super::planned::named;
use super::{Draft, Judged};
use crate::model::Host;
use crate::plan::HostPlan;
use crate::resource::Resource;
use crate::verify::firewall::{Obstacle, obstacles, packets};
use crate::verify::graph::Finding;
use crate::verify::view::{Gap, View};

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Finding {
    let name = &host.name;
    let packets = packets(view.lab(), host, plan);
    let found = view.before(name).and_then(|found| {
        obstacles(&found.firewall, &packets).map_err(|cause| Gap {
            hint: Some("install nftables, or look at the rules yourself".to_owned()),
            ..Gap::untold(name, cause)
        })
    });
    let fix: Vec<String> = found
        .iter()
        .flatten()
        .map(|obstacle| obstacle.lift.clone())
        .collect();
    let why = match found.as_deref() {
        Ok([first, ..]) => format!(
            "It takes {} away, so connections hang or are refused although everything else is right.",
            first.packet
        ),
        _ => {
            "A packet filter works unseen: everything else can be right and connections still hang."
                .to_owned()
        }
    };
    Draft::topic(
        name,
        "firewall",
        format!("{name}'s firewall lets the lab's packets through"),
    )
    .expected("no rule that drops them")
    .why(why)
    .fix(fix)
    .needs(named(name, plan, |resource| {
        matches!(resource, Resource::Firewall(_))
    }))
    .judged(found.map(|found| Judged::new(found.is_empty(), words(&found))))
}

fn words(found: &[Obstacle]) -> String {
    if found.is_empty() {
        return "no rule that drops them".to_owned();
    }
    let rules: Vec<&str> = found
        .iter()
        .map(|obstacle| obstacle.rule.as_str())
        .collect();
    rules.join("; ")
}
