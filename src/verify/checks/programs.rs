//! Programs without which the host cannot do its part, and kernel settings that no other check is about.

use super::target::{Target, gap};
use super::{Draft, Judged};
use crate::requirement::{Need, Requirement, Verdict};
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    target
        .required
        .iter()
        .filter_map(|requirement| match &requirement.need {
            Need::Program(program) => {
                let program = program.to_string();
                let draft = Draft::new(
                    target.name(),
                    Subject::Program(program.clone()),
                    format!("{program} is installed"),
                )
                .expected("installed")
                .fix(target.system().install(&program));
                Some((requirement, draft))
            }
            Need::Setting(setting) => {
                let draft = Draft::new(
                    target.name(),
                    Subject::Setting(setting.key.to_owned()),
                    format!("{} is {}", setting.key, setting.value),
                )
                .expected(setting.value)
                .fix([format!("sysctl -w {}={}", setting.key, setting.value)]);
                Some((requirement, draft))
            }
            _ => None,
        })
        .map(|(requirement, draft)| end(target, requirement, draft))
        .collect()
}

fn end(target: Target<'_>, requirement: &Requirement, draft: Draft) -> Finding {
    let judged = target.judge(requirement).and_then(|verdict| match verdict {
        Verdict::Holds { seen } => Ok(Judged::new(true, seen)),
        Verdict::Fails { seen, .. } => Ok(Judged::new(false, seen)),
        Verdict::Unknown { cause, .. } => Err(gap(target.name(), cause)),
    });
    draft.why(requirement.why.clone()).judged(judged)
}
