//! The host that keepers write for, with what is required of it.

use minijinja::value::Value;

use super::render::Template;
use super::{Purpose, Step, System, Templates, WriteError, shell};
use crate::model::{HostName, LabName};
use crate::requirement::{Interfaces, Need, Requirement};
use crate::resource::{Facts, File, Resource};

/// A host, its requirements, and everything that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub lab: &'a LabName,
    pub host: &'a HostName,
    /// Where the host lives.
    pub home: Home,
    pub requirements: &'a [Requirement],
    pub interfaces: &'a Interfaces,
    pub facts: &'a Facts,
    pub templates: &'a Templates,
}

/// Where a host lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In the sandbox: it comes without any address, so each that it has was set by hand.
    Sandbox,
    /// A machine of its own, which may configure its addresses itself.
    Machine,
}

impl<'a> Target<'a> {
    /// What the host needs, in the order of its requirements.
    pub fn needs(self) -> impl Iterator<Item = &'a Need> {
        self.requirements
            .iter()
            .map(|requirement| &requirement.need)
    }

    /// The host's system.
    #[must_use]
    pub fn system(self) -> System {
        System::of(self.facts)
    }

    /// Whether this lab made `resource` on the host in an earlier run.
    #[must_use]
    pub fn owns(self, resource: &Resource) -> bool {
        self.facts.owned.contains(&resource.id())
    }

    /// A file from a template.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub(super) fn file(
        self,
        file: Rendered,
        purpose: Purpose,
        why: impl Into<String>,
    ) -> Result<Step, WriteError> {
        let content = self.templates.render(file.template, file.context)?;
        let written = File {
            path: file.path,
            content,
            mode: file.mode,
        };
        let mut step = Step::file(written, purpose, why);
        if let Some(directory) = file.directory {
            step.by_hand
                .insert(0, format!("mkdir -p {}", shell::quote(directory)));
        }
        Ok(step)
    }
}

impl Step {
    /// A file, typed by hand with a here document.
    pub(super) fn file(file: File, purpose: Purpose, why: impl Into<String>) -> Self {
        let by_hand = if file.mode == PUBLIC {
            shell::write_file(&file.path, &file.content)
        } else {
            shell::make_file(&file)
        };
        Self {
            resource: Resource::File(file),
            purpose,
            why: why.into(),
            by_hand,
        }
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
