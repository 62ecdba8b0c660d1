//! One host: its interfaces, then its steps in order.

use minijinja::value::Value;

use super::render::{Template, Templates};
use super::system::System;
use super::{
    HostPlan, PlanError, Purpose, Step, address, boot, director, kernel, protection, shell, web,
};
use crate::model::{Attachment, Host, InterfaceName, Lab};
use crate::requirement::Interfaces;
use crate::resource::{Facts, File, Resource};

/// Plans for `host`.
pub(super) fn plan(
    lab: &Lab,
    host: &Host,
    facts: &Facts,
    (templates, purpose): (&Templates, Purpose),
) -> Result<HostPlan, PlanError> {
    let interfaces = Interfaces::choose(host, facts)?;
    let subject = Subject {
        lab,
        host,
        facts,
        system: System::of(facts),
        purpose,
        templates,
        interfaces: &interfaces,
    };
    address::refuse_bypass(subject)?;
    let steps = [
        web::package(subject),
        address::files(subject)?,
        kernel::file(subject)?,
        web::files(subject)?,
        director::rules(subject)?,
        director::drop_in(subject)?,
        boot::unit(subject)?,
        protection::steps(subject),
        kernel::settings(subject),
        address::links(subject),
        address::addresses(subject)?,
        address::default_route(subject)?,
        web::service(subject),
        director::table(subject),
        boot::service(subject),
    ]
    .concat();
    Ok(HostPlan {
        host: host.name.clone(),
        interfaces: interfaces
            .iter()
            .map(|(network, name)| (network, name.clone()))
            .collect(),
        steps,
    })
}

/// The host being planned for, with everything that is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub lab: &'a Lab,
    pub host: &'a Host,
    pub facts: &'a Facts,
    pub system: System,
    pub purpose: Purpose,
    templates: &'a Templates,
    interfaces: &'a Interfaces,
}

impl<'a> Subject<'a> {
    /// The host's own addresses with the interface each is on.
    pub fn attachments(self) -> impl Iterator<Item = (&'a Attachment, &'a InterfaceName)> {
        self.host.attachments.iter().filter_map(move |attachment| {
            Some((attachment, self.interfaces.get(attachment.network)?))
        })
    }

    /// Whether this lab made `resource` on the host in an earlier run.
    pub fn owns(self, resource: &Resource) -> bool {
        self.facts.owned.contains(&resource.id())
    }

    /// A file from a template.
    pub fn file(self, file: Rendered, why: impl Into<String>) -> Result<Step, PlanError> {
        let content = self
            .templates
            .render(file.template, file.context)
            .map_err(|error| error.into_plan_error(&self.host.name))?;
        let mut by_hand = Vec::new();
        if let Some(directory) = file.directory {
            by_hand.push(format!("mkdir -p {}", shell::quote(directory)));
        }
        let file = File {
            path: file.path,
            content,
            mode: file.mode,
        };
        by_hand.extend(if file.mode == PUBLIC {
            shell::write_file(&file.path, &file.content)
        } else {
            shell::make_file(&file)
        });
        Ok(Step {
            resource: Resource::File(file),
            why: why.into(),
            by_hand,
        })
    }
}

/// Mode of a file that everybody may read.
pub(super) const PUBLIC: u32 = 0o644;

/// A file to be rendered.
#[derive(Debug)]
pub(super) struct Rendered {
    pub path: String,
    pub template: Template,
    pub context: Value,
    pub mode: u32,
    /// A directory that a system of this kind may lack.
    pub directory: Option<&'static str>,
}
