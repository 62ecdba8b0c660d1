//! What is said of a lab in the end: one status per check, and whether the lab as a whole is proven.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::identity::CheckId;
use crate::model::{ForwardingMethod, HostName, LabName};

/// Schema of [`Verdict`] as JSON.
pub const SCHEMA: &str = "lvslab.verify/2";

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Not as it should be, and nothing else explains it: a cause.
    Fail,
    /// Not as it should be, or not to be judged, because of another check that did not pass.
    Blocked,
    /// Could not be judged: its host was asked, and there is no evidence.
    Error,
    /// Could not be judged: its host could not be reached.
    Unreachable,
    /// Was not made, on purpose, for the reason in [`Check::observed`]. Neither for the lab nor against it.
    Skipped,
}

/// What a check is about: the lab as it runs, or as it would be after the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Live state.
    Now,
    /// What a reboot would bring; where only this fails, the lab works until then.
    AfterReboot,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Name.
    pub id: CheckId,
    /// Host it is about.
    pub host: HostName,
    /// The virtual service that it is about, `192.168.4.15:80/tcp`; `None` where it is about the host as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Live or after a reboot.
    pub aspect: Aspect,
    /// What should be so, in a few words: `lo:0 has the VIP 192.168.4.15/32`.
    pub summary: String,
    /// What should be seen.
    pub expected: String,
    /// What was seen, or why nothing was.
    pub observed: String,
    /// Why the lab needs it; where it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Commands, to be typed on [`Self::host`], that put it right; where it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<String>,
    /// Commands for other hosts afterwards, on which what was wrong has left something; where it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Elsewhere>,
    /// What to do so that it can be judged; where it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The checks that explain a [`Status::Blocked`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<CheckId>,
}

/// Commands for a host other than the one a check is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Where to type them.
    pub host: HostName,
    /// The commands.
    pub commands: Vec<String>,
}

/// The verdict on a lab. As JSON it is the document `lvslab.verify/2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// [`SCHEMA`].
    pub schema: String,
    /// Lab.
    pub lab: LabName,
    /// Forwarding method of the lab's real servers.
    #[serde(rename = "mode")]
    pub method: ForwardingMethod,
    /// No check stands against the lab, and of every host at least one passed: what was skipped proves nothing.
    pub passed: bool,
    /// All checks: hosts in the lab's order, each in order of the packet's path and the plan.
    pub checks: Vec<Check>,
    /// Requests answered per real server, 0 included.
    pub distribution: BTreeMap<HostName, u32>,
    /// Why those counts are not the scheduler's shares, fragments; nothing where they are:
    /// `without 6 from ports that the director may remember`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skew: Vec<String>,
    /// Hosts that could not be reached.
    #[serde(default)]
    pub unreachable: Vec<HostName>,
}

/// Number of checks by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub pass: usize,
    pub fail: usize,
    pub blocked: usize,
    pub error: usize,
    pub unreachable: usize,
    pub skipped: usize,
}

impl Verdict {
    /// A verdict of these checks; without any it has not passed.
    #[must_use]
    pub fn new(
        lab: LabName,
        method: ForwardingMethod,
        checks: Vec<Check>,
        distribution: BTreeMap<HostName, u32>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            lab,
            method,
            passed: proven(&checks),
            checks,
            distribution,
            skew: Vec::new(),
            unreachable: Vec::new(),
        }
    }

    /// Notes why the counts are not the scheduler's shares.
    #[must_use]
    pub fn skewed_by(mut self, skew: Vec<String>) -> Self {
        self.skew = skew;
        self
    }

    /// Notes who could not be reached: then the lab is not proven, whatever else was seen.
    #[must_use]
    pub fn without(mut self, unreachable: Vec<HostName>) -> Self {
        self.passed &= unreachable.is_empty();
        self.unreachable = unreachable;
        self
    }

    /// Exit code for this verdict: 0 passed, 4 only hosts that could not be reached stand against it, 6 failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.passed {
            0
        } else if self.count().fail == 0 && !self.unreachable.is_empty() {
            4
        } else {
            6
        }
    }

    /// Number of checks by status.
    #[must_use]
    pub fn count(&self) -> Count {
        let of = |status| self.checks.iter().filter(|c| c.status == status).count();
        Count {
            pass: of(Status::Pass),
            fail: of(Status::Fail),
            blocked: of(Status::Blocked),
            error: of(Status::Error),
            unreachable: of(Status::Unreachable),
            skipped: of(Status::Skipped),
        }
    }

    /// The check of this name.
    #[must_use]
    pub fn find(&self, id: &CheckId) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == *id)
    }
}

/// Whether nothing stands against the lab, and something was seen to be right on every host there is a check of.
fn proven(checks: &[Check]) -> bool {
    let of = |status| {
        let matching = checks.iter().filter(move |check| check.status == status);
        matching.map(|check| &check.host).collect::<BTreeSet<_>>()
    };
    let fine = |check: &Check| matches!(check.status, Status::Pass | Status::Skipped);
    !checks.is_empty()
        && checks.iter().all(fine)
        && of(Status::Skipped).is_subset(&of(Status::Pass))
}
