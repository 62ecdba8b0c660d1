//! SELinux, as far as the lab's policy has it only report.

use super::{HostState, Need, Requirement, Verdict};
use crate::model::{Host, Lab, Role};
use crate::resource::SelinuxMode;

/// Of the director and the real servers; the client runs nothing that SELinux confines.
pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    if !lab.policy().permissive_selinux {
        return Vec::new();
    }
    let why = if host.is(Role::RealServer) {
        "SELinux may keep the web server from its page or port; permissive, it only reports."
    } else if host.is(Role::Director) {
        "As on the real servers, SELinux only reports, so that nothing but the lab's own settings decides what works."
    } else {
        return Vec::new();
    };
    vec![Requirement {
        need: Need::Selinux {
            mode: SelinuxMode::Permissive,
        },
        service: None,
        why: why.to_owned(),
        symptom: "The web server does not start on its port, or answers 403.",
    }]
}

pub(super) fn judge(mode: SelinuxMode, state: &HostState) -> Verdict {
    let enforces = |mode| mode == SelinuxMode::Enforcing;
    match &state.selinux {
        None => Verdict::not_seen("SELinux"),
        Some(found) => match found.value {
            None => Verdict::holds("there is no SELinux"),
            Some(present) if !enforces(present) || enforces(mode) => {
                Verdict::holds(present.as_str())
            }
            Some(present) => Verdict::fails(present.as_str(), found.origin.clone()),
        },
    }
}
