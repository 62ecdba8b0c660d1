//! No rule of a host's packet filter takes the lab's packets away or sends them elsewhere.

use super::target::Target;
use super::{Draft, Judged};
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::packet_filter::{Fate, Obstacle, obstacles, packets};
use crate::verify::view::Gap;

const NOTHING: &str = "no rule that drops or diverts them";

pub(super) fn check(target: Target<'_>) -> Finding {
    let name = target.name();
    let packets = packets(target.lab(), target.host, target.interfaces());
    let found = target.view.before(name).and_then(|found| {
        obstacles(&found.firewall, &packets).map_err(|cause| Gap {
            hint: Some("install nftables, or look at the rules yourself".to_owned()),
            ..Gap::untold(name, cause)
        })
    });
    let fix: Vec<String> = found
        .iter()
        .flatten()
        .map(|obstacle| obstacle.stop.lift.clone())
        .collect();
    let why = match found.as_deref() {
        Ok([Obstacle { packet, stop }, ..]) => match stop.fate {
            Fate::Dropped => format!(
                "It takes {packet} away, so connections hang or are refused although everything else is right."
            ),
            Fate::Diverted => format!(
                "It sends {packet} elsewhere, so they are refused or not balanced although everything else is right."
            ),
        },
        _ => {
            "A packet filter works unseen: everything else can be right and connections still hang."
                .to_owned()
        }
    };
    Draft::new(
        name,
        Subject::PacketFilter,
        format!("{name}'s firewall lets the lab's packets through"),
    )
    .expected(NOTHING)
    .why(why)
    .fix(fix)
    .needs([target.id(Subject::FirewalldZone)])
    .judged(found.map(|found| Judged::new(found.is_empty(), words(&found))))
}

fn words(found: &[Obstacle]) -> String {
    if found.is_empty() {
        return NOTHING.to_owned();
    }
    let rules: Vec<&str> = found
        .iter()
        .map(|obstacle| obstacle.stop.rule.as_str())
        .collect();
    rules.join("; ")
}
