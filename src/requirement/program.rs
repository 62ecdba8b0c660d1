//! Programs that a host's part in the lab needs.

use std::fmt;

use super::{HostState, Need, Requirement, Verdict};
use crate::model::{Host, Lab, Role};

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// Sends the client's requests.
    Curl,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curl => "curl",
        })
    }
}

pub(super) fn required(_: &Lab, host: &Host) -> Vec<Requirement> {
    if !host.is(Role::Client) {
        return Vec::new();
    }
    vec![Requirement {
        need: Need::Program(Program::Curl),
        service: None,
        why: "The client asks for pages with curl.".to_owned(),
        symptom: "No request can be sent: curl is not found.",
    }]
}

pub(super) fn judge(program: Program, state: &HostState) -> Verdict {
    match &state.programs {
        None => Verdict::not_seen("what is installed"),
        Some(programs) if programs.contains(&program) => Verdict::holds("installed"),
        Some(_) => Verdict::fails("not installed", []),
    }
}
