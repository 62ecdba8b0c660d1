//! The package manager: programs that stay once they are installed.

use super::{Purpose, Step, Target, WriteError};
use crate::requirement::{Need, Program};
use crate::resource::{Package, Resource};

pub(super) fn write(target: Target<'_>) -> Result<Vec<Step>, WriteError> {
    let steps = target
        .requirements
        .iter()
        .filter_map(|requirement| match requirement.need {
            Need::Program(Program::Curl) => {
                let step = package(target, "curl", &requirement.why);
                // Once it is there because of us, it stays in the plan: what leaves a plan is put back.
                (!target.facts.curl || target.owns(&step.resource)).then_some(step)
            }
            _ => None,
        });
    Ok(steps.collect())
}

/// A package with this name, installed.
pub(super) fn package(target: Target<'_>, name: &str, why: &str) -> Step {
    Step {
        by_hand: target.system().install(name),
        resource: Resource::Package(Package {
            name: name.to_owned(),
        }),
        purpose: Purpose::Package,
        why: why.to_owned(),
    }
}
