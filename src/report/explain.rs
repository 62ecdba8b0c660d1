//! `lvslab explain`: what a person would type on each host, and why; a script that can be copied.

use std::collections::BTreeMap;

use super::layout::wrap;
use super::style::{Style, Tone};
use super::{clean, headline};
use crate::model::{HostName, Lab};
use crate::plan::HostPlan;

/// The commands of every host that has a plan, in the lab's order; reasons are comments.
#[must_use]
pub fn explain(lab: &Lab, plans: &BTreeMap<HostName, HostPlan>, style: Style) -> String {
    let mut out = comment(&headline(lab), Tone::Strong, style);
    for host in lab.hosts() {
        let Some(plan) = plans.get(&host.name) else {
            continue;
        };
        out.push('\n');
        let roles = host.roles_in_words();
        let title = if host.name.as_str() == roles {
            format!("==== on {} ====", host.name)
        } else {
            format!("==== on {} ({}) ====", host.name, roles)
        };
        out += &comment(&title, Tone::Strong, style);
        for step in plan.steps.iter().filter(|step| !step.by_hand.is_empty()) {
            out.push('\n');
            out += &comment(&step.why, Tone::Muted, style);
            for command in &step.by_hand {
                out += &clean::block(command);
                out.push('\n');
            }
        }
    }
    out
}

fn comment(text: &str, tone: Tone, style: Style) -> String {
    wrap(&clean::line(text), style.columns().saturating_sub(2))
        .into_iter()
        .map(|line| format!("{}\n", style.paint(tone, &format!("# {line}"))))
        .collect()
}
