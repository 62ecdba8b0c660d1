//! What a boot would set: "works now, will not survive a reboot" is a verdict of its own.

use super::planned::named;
use super::{Draft, Judged};
use crate::plan::{HostPlan, Step};
use crate::resource::{Resource, Sysctl};
use crate::verify::graph::Finding;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, plan: &HostPlan) -> Vec<Finding> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.resource {
            Resource::Sysctl(wanted) => Some(sysctl(view, plan, step, wanted)),
            _ => None,
        })
        .collect()
}

fn sysctl(view: View<'_>, plan: &HostPlan, step: &Step, wanted: &Sysctl) -> Finding {
    let host = &plan.host;
    let entry = view.boot_sysctl(host, &wanted.key);
    let fix = match &entry {
        Ok(entry) => entry
            .set
            .as_ref()
            .map(|(_, file)| delete_lines(&wanted.key, file)),
        Err(_) => None,
    };
    let judged = entry.map(|entry| match &entry.set {
        Some((value, _)) if value.trim() == wanted.value => Judged::new(true, wanted.value.clone()),
        Some((value, file)) => Judged::new(false, format!("{}, set by {file}", value.trim())),
        None => Judged::new(false, "no file sets it"),
    });
    Draft::topic(
        host,
        format_args!("boot sysctl {}", wanted.key),
        format!("{} is {} after a reboot", wanted.key, wanted.value),
    )
    .after_reboot()
    .expected(wanted.value.clone())
    .why(format!(
        "A setting lives until the next boot unless a file sets it again. {}",
        step.why
    ))
    .fix(fix)
    .needs(named(
        host,
        plan,
        |resource| matches!(resource, Resource::File(file) if file.content.contains(&wanted.key)),
    ))
    .judged(judged)
}

/// Takes the setting out of the file that has the last word, in either spelling sysctl.conf(5) knows.
fn delete_lines(key: &str, file: &str) -> String {
    let pattern: String = key
        .chars()
        .map(|c| match c {
            '.' | '/' => "[./]".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("sed -i '\\|^[[:space:]]*-\\?{pattern}[[:space:]]*=|d' {file}")
}
