//! Kernel settings: live, and in the file that sets them again at boot.

use minijinja::context;
use minijinja::value::Value;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::{PlanError, Step, shell};
use crate::model::Setting;
use crate::resource::{Resource, Sysctl};

/// Read late by `sysctl --system` and systemd-sysctl, so that the distribution's own files do not win.
const PATH: &str = "/etc/sysctl.d/90-lvslab.conf";

/// The settings that the host's roles need under the forwarding methods that matter to it, each key once, with the
/// purposes they are for.
fn wanted(subject: Subject<'_>) -> (Vec<&'static Setting>, String) {
    let mut settings: Vec<&Setting> = Vec::new();
    let mut purposes: Vec<&str> = Vec::new();
    for method in subject.lab.methods_at(subject.host) {
        for role in &subject.host.roles {
            let needed = method.profile().settings(*role);
            for setting in needed.settings {
                if settings.iter().all(|other| other.key != setting.key) {
                    settings.push(setting);
                }
            }
            if !needed.settings.is_empty() && !purposes.contains(&needed.purpose) {
                purposes.push(needed.purpose);
            }
        }
    }
    (settings, purposes.join("; "))
}

/// The file for the next boot.
pub(super) fn file(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let (settings, purpose) = wanted(subject);
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let settings: Vec<Value> = settings
        .iter()
        .map(|setting| context! { key => setting.key, value => setting.value })
        .collect();
    let step = subject.file(
        Rendered {
            path: PATH.to_owned(),
            template: Template::SYSCTL,
            context: context! { lab => subject.lab.name().as_str(), purpose, settings },
            mode: PUBLIC,
            directory: None,
        },
        "A kernel setting lives until the next boot unless a file sets it again.",
    )?;
    Ok(vec![step])
}

/// The settings, live. In a DR lab they come before the VIP is put on `lo`.
pub(super) fn settings(subject: Subject<'_>) -> Vec<Step> {
    wanted(subject)
        .0
        .into_iter()
        .map(|setting| Step {
            resource: Resource::Sysctl(Sysctl {
                key: setting.key.to_owned(),
                value: setting.value.to_owned(),
            }),
            why: setting.why.to_owned(),
            by_hand: shell::lines([format!("sysctl -w {}={}", setting.key, setting.value)]),
        })
        .collect()
}
