//! `lvslab plan`: per host, in order of application, what will be true and why; on request what would change.

use std::collections::BTreeMap;

use super::layout::wrap;
use super::style::{Style, Tone};
use super::{clean, diff, headline};
use crate::model::{HostName, Lab};
use crate::plan::HostPlan;
use crate::resource::{Change, Resource, ResourceId};
use crate::verify::summary;

/// What one host's part of the plan is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Section<'a> {
    /// The plan.
    Plan(&'a HostPlan),
    /// The plan with what applying it would change; a resource that is not in the map is as planned.
    Diff(&'a HostPlan, &'a BTreeMap<ResourceId, Change>),
    /// There is none, and why: a lower-case fragment.
    Missing(String),
}

/// The text for the hosts in the lab's order; hosts that are not in `sections` are left out.
#[must_use]
pub fn plan(
    lab: &Lab,
    sections: &BTreeMap<HostName, Section<'_>>,
    notes: &[String],
    style: Style,
) -> String {
    let mut out = format!("{}\n", style.paint(Tone::Strong, &headline(lab)));
    for note in notes {
        for line in wrap(&clean::line(note), style.columns()) {
            out += &format!("{line}\n");
        }
    }
    for host in lab.hosts() {
        let Some(section) = sections.get(&host.name) else {
            continue;
        };
        out += &format!("\n{}", style.paint(Tone::Strong, host.name.as_str()));
        let roles = host.roles_in_words();
        if host.name.as_str() != roles {
            out += &format!(" · {roles}");
        }
        out += &match section {
            Section::Plan(plan) => {
                format!("{}\n{}", interfaces(plan), steps(lab, plan, None, style))
            }
            Section::Diff(plan, changes) => format!(
                "{}{}\n{}",
                interfaces(plan),
                if changes.is_empty() {
                    " · nothing to change"
                } else {
                    ""
                },
                steps(lab, plan, Some(changes), style)
            ),
            Section::Missing(why) => {
                format!("\n  {} {}\n", style.paint(Tone::Bad, "✗"), clean::line(why))
            }
        };
    }
    out
}

/// What will be true, in one line.
fn truth(lab: &Lab, resource: &Resource) -> String {
    clean::line(&match resource {
        Resource::File(file) if file.mode == 0o644 => file.path.clone(),
        Resource::File(file) => format!("{} with mode {:04o}", file.path, file.mode),
        other => summary(lab, other),
    })
}

fn interfaces(plan: &HostPlan) -> String {
    plan.interfaces
        .values()
        .map(|interface| format!(" · {interface}"))
        .collect()
}

fn steps(
    lab: &Lab,
    plan: &HostPlan,
    changes: Option<&BTreeMap<ResourceId, Change>>,
    style: Style,
) -> String {
    let mut out = String::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let id = step.resource.id();
        let Some(changes) = changes else {
            out += &format!("  {:>2}  {}\n", at + 1, truth(lab, &step.resource));
            for line in wrap(&step.why, style.columns().saturating_sub(6)) {
                out += &format!("      {}\n", style.paint(Tone::Muted, &line));
            }
            if let Resource::File(file) = &step.resource {
                for line in file.content.lines() {
                    out += &format!("      │ {}\n", clean::line(line));
                }
            }
            continue;
        };
        let Some(change) = changes.get(&id) else {
            continue;
        };
        out += &format!("  {:>2}  {}\n", at + 1, clean::line(&id.0));
        let path = id.0.strip_prefix("file ").unwrap_or(&id.0);
        for line in diff::change(path, change, style).lines() {
            out += &format!("      {line}\n");
        }
    }
    out
}
