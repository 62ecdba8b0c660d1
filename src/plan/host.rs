//! One host: its interfaces and requirements, put through the keepers, in order of application.

use super::{HostPlan, Intent, PlanError, safety};
use crate::keeper::{self, Home, Target, Templates, ipvsadm_programs};
use crate::model::{Host, Lab};
use crate::requirement::{Interfaces, of_host};
use crate::resource::Facts;

/// Plans for `host`.
pub(super) fn plan(
    lab: &Lab,
    host: &Host,
    facts: &Facts,
    (templates, intent): (&Templates, Intent),
) -> Result<HostPlan, PlanError> {
    let interfaces = Interfaces::choose(host, facts)?;
    let requirements = of_host(lab, host);
    let target = Target {
        lab: lab.name(),
        host: &host.name,
        home: match host.ssh {
            None => Home::Sandbox,
            Some(_) => Home::Machine,
        },
        requirements: &requirements,
        interfaces: &interfaces,
        facts,
        templates,
    };
    if intent == Intent::Change {
        safety::refuse_bypass(lab, target)?;
        safety::refuse_cut(target)?;
    }
    let written = keeper::write(target).and_then(|mut steps| {
        steps.extend(ipvsadm_programs::write(target)?);
        Ok(steps)
    });
    let mut steps = written.map_err(|error| PlanError::Write {
        host: host.name.clone(),
        cause: error,
    })?;
    // Stable: within one place the keepers' own order stays.
    steps.sort_by_key(|step| step.purpose.place());
    Ok(HostPlan {
        host: host.name.clone(),
        interfaces: interfaces
            .iter()
            .map(|(network, name)| (network, name.clone()))
            .collect(),
        steps,
    })
}
