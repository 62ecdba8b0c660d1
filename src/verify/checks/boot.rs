//! What a boot would set: "works now, will not survive a reboot" is a verdict of its own.

use super::planned::named;
use super::{Draft, Judged};
use crate::agent::protocol::BootSysctl;
use crate::model::Host;
use crate::plan::{HostPlan, Step};
use crate::resource::{Resource, ResourceId, Sysctl};
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::probes;
use crate::verify::view::{Seen, View};

pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Vec<Finding> {
    let planned = |id: &ResourceId| plan.steps.iter().any(|step| step.resource.id() == *id);
    let others = probes::effective_sysctls(view.lab(), host, plan)
        .into_iter()
        .filter(|sysctl| !planned(&Resource::Sysctl(sysctl.clone()).id()))
        .map(|sysctl| not_undone(view, plan, &sysctl));
    plan.steps
        .iter()
        .filter_map(|step| match &step.resource {
            Resource::Sysctl(wanted) => Some(sysctl(view, plan, step, wanted)),
            _ => None,
        })
        .chain(others)
        .collect()
}

fn sysctl(view: View<'_>, plan: &HostPlan, step: &Step, wanted: &Sysctl) -> Finding {
    let host = &plan.host;
    let entry = view.boot_sysctl(host, &wanted.key);
    let fix = delete_line(&entry);
    let judged = entry.map(|entry| match &entry.set {
        Some((value, _)) if value.trim() == wanted.value => Judged::new(true, wanted.value.clone()),
        Some((value, file)) => Judged::new(false, format!("{}, set by {file}", value.trim())),
        None => Judged::new(false, "no file sets it"),
    });
    Draft::new(
        host,
        Subject::BootSetting(wanted.key.clone()),
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

/// A setting beside the planned ones that decides together with them: no file need set it, and none may undo them.
fn not_undone(view: View<'_>, plan: &HostPlan, live: &Sysctl) -> Finding {
    let host = &plan.host;
    let forwarding = live.key.ends_with(".forwarding");
    let entry = view.boot_sysctl(host, &live.key);
    let fix = delete_line(&entry);
    let judged = entry.map(|entry| match &entry.set {
        None => Judged::new(true, "no file sets it"),
        Some((value, file)) => Judged::new(
            match value.trim().parse::<i64>() {
                Ok(value) if forwarding => value != 0,
                Ok(value) => value <= 2,
                Err(_) => false,
            },
            format!("{}, set by {file}", value.trim()),
        ),
    });
    let (expected, why) = if forwarding {
        (
            "1, or no file sets it",
            "Forwarding is asked of the interface that a packet arrives on; a file that switches it off there \
             undoes ip_forward at the next boot.",
        )
    } else {
        (
            "at most 2, or no file sets it",
            "The kernel takes the larger of `all` and the interface, so a file that raises either of them decides \
             after the next boot.",
        )
    };
    Draft::new(
        host,
        Subject::BootSetting(live.key.clone()),
        format!("no file undoes {} at the next boot", live.key),
    )
    .after_reboot()
    .expected(expected)
    .why(why)
    .fix(fix)
    .needs(
        forwarding
            .then(|| CheckId::new(host, Subject::BootSetting("net.ipv4.ip_forward".to_owned()))),
    )
    .judged(judged)
}

/// Takes the setting out of the file that has the last word, in either spelling sysctl.conf(5) knows.
fn delete_line(entry: &Seen<&BootSysctl>) -> Option<String> {
    let entry = entry.as_ref().ok()?;
    let (_, file) = entry.set.as_ref()?;
    let name = match &*entry.line {
        "" => &entry.key,
        line => line,
    };
    let pattern: String = name
        .chars()
        .map(|c| match c {
            '.' | '/' => "[./]".to_owned(),
            '*' => "[*]".to_owned(),
            other => other.to_string(),
        })
        .collect();
    Some(format!(
        "sed -i '\\|^[[:space:]]*-\\?{pattern}[[:space:]]*=|d' {file}"
    ))
}
