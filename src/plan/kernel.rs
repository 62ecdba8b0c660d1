//! Kernel settings: live, and in the file that sets them again at boot.

use minijinja::context;
use minijinja::value::Value;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::{PlanError, Step, shell};
use crate::model::Settings;
use crate::resource::{Resource, Sysctl};

/// Read late by `sysctl --system` and systemd-sysctl, so that the distribution's own files do not win.
const PATH: &str = "/etc/sysctl.d/90-lvslab.conf";

fn wanted(subject: Subject<'_>) -> Settings {
    subject.lab.profile().settings(subject.host.role)
}

/// The file for the next boot.
pub(super) fn file(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let Settings { settings, purpose } = wanted(subject);
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
        .settings
        .iter()
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
