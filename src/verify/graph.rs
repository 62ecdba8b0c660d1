//! From what was found to causes and symptoms: checks depend on checks, and only causes are failures.
//!
//! A finding that did not pass and depends, over any number of steps, on others that did not pass is
//! *blocked* by the first of those; what is left are the causes. A finding that passed stays passed: it was
//! seen to be so, whatever is broken elsewhere.

use std::collections::HashMap;

use super::identity::{CheckId, Subject};
use super::verdict::{Aspect, Check, Elsewhere, Status};
use crate::model::HostName;

/// How a finding came out, before others explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Seen as it should be.
    Pass,
    /// Seen otherwise.
    Fail,
    /// Not seen, for lack of evidence from this host.
    Unknown(HostName, Lack),
    /// Not looked at, on purpose.
    Skipped,
}

/// Why there is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// The host could not be reached, or was lost.
    Unreachable,
    /// It was asked, and did not say.
    Untold,
    /// It was not asked.
    NotAsked,
}

impl Lack {
    /// Of a check that nothing else explains, about this host itself or another one.
    fn status(self, itself: bool) -> Status {
        match self {
            Self::Unreachable if itself => Status::Unreachable,
            Self::Unreachable | Self::Untold => Status::Error,
            Self::NotAsked => Status::Skipped,
        }
    }
}

/// A check before others explain it.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) id: CheckId,
    pub(super) host: HostName,
    pub(super) outcome: Outcome,
    pub(super) aspect: Aspect,
    pub(super) summary: String,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) why: Option<String>,
    pub(super) fix: Vec<String>,
    pub(super) hint: Option<String>,
    /// Commands on this host that clear away what a cause elsewhere has left here, such as a neighbour entry
    /// that the host goes on using: mending the cause is not enough then.
    pub(super) leaves: Option<Vec<String>>,
    /// Checks that explain this one if they did not pass. Names of checks that were not made do not matter.
    pub(super) needs: Vec<CheckId>,
}

/// Gives every finding its status.
pub(super) fn settle(findings: Vec<Finding>) -> Vec<Check> {
    let index: HashMap<&CheckId, usize> = findings
        .iter()
        .enumerate()
        .map(|(at, finding)| (&finding.id, at))
        .collect();
    let mut settling = Settling {
        findings: &findings,
        index: &index,
        settled: vec![None; findings.len()],
        open: vec![false; findings.len()],
    };
    let settled: Vec<Settled> = (0..findings.len()).map(|at| settling.settle(at)).collect();
    drop(index);
    let left = left_behind(&findings, &settled);
    findings
        .into_iter()
        .zip(settled)
        .map(|(finding, settled)| {
            let then = left.get(&finding.id).cloned().unwrap_or_default();
            checked(finding, settled, then)
        })
        .collect()
}

/// By cause, what it has left on other hosts.
fn left_behind(findings: &[Finding], settled: &[Settled]) -> HashMap<CheckId, Vec<Elsewhere>> {
    let mut left: HashMap<CheckId, Vec<Elsewhere>> = HashMap::new();
    for (finding, settled) in findings.iter().zip(settled) {
        let (Some(commands), Status::Blocked, Some(cause)) =
            (&finding.leaves, settled.status, settled.causes.first())
        else {
            continue;
        };
        left.entry(cause.clone()).or_default().push(Elsewhere {
            host: finding.host.clone(),
            commands: commands.clone(),
        });
    }
    left
}

#[derive(Debug, Clone)]
struct Settled {
    status: Status,
    causes: Vec<CheckId>,
}

struct Settling<'a> {
    findings: &'a [Finding],
    index: &'a HashMap<&'a CheckId, usize>,
    settled: Vec<Option<Settled>>,
    /// Being settled further up: an edge back to one of these would be a circle and explains nothing.
    open: Vec<bool>,
}

impl Settling<'_> {
    fn settle(&mut self, at: usize) -> Settled {
        if let Some(settled) = &self.settled[at] {
            return settled.clone();
        }
        let finding = &self.findings[at];
        self.open[at] = true;
        let settled = match &finding.outcome {
            Outcome::Pass => Settled {
                status: Status::Pass,
                causes: Vec::new(),
            },
            Outcome::Skipped => Settled {
                status: Status::Skipped,
                causes: Vec::new(),
            },
            Outcome::Unknown(host, lack) => {
                let silent = self.silent(host);
                let mut causes = Vec::new();
                if *host != finding.host || silent.is_none() {
                    causes = self.causes(finding);
                    if let Some(silent) = silent
                        && !causes.contains(&silent)
                    {
                        causes.insert(0, silent);
                    }
                }
                Settled {
                    status: if causes.is_empty() {
                        lack.status(*host == finding.host)
                    } else {
                        Status::Blocked
                    },
                    causes,
                }
            }
            Outcome::Fail => {
                let causes = self.causes(finding);
                Settled {
                    status: if causes.is_empty() {
                        Status::Fail
                    } else {
                        Status::Blocked
                    },
                    causes,
                }
            }
        };
        self.open[at] = false;
        self.settled[at] = Some(settled.clone());
        settled
    }

    /// The first causes of what `finding` needs, each once, in the order they are needed.
    fn causes(&mut self, finding: &Finding) -> Vec<CheckId> {
        let mut causes: Vec<CheckId> = Vec::new();
        for need in &finding.needs {
            let Some(&at) = self.index.get(need) else {
                continue;
            };
            if self.open[at] {
                continue;
            }
            let settled = self.settle(at);
            let found = match settled.status {
                Status::Pass => Vec::new(),
                Status::Fail => vec![need.clone()],
                Status::Error | Status::Unreachable => {
                    let host = &self.findings[at].host;
                    vec![self.silent(host).unwrap_or_else(|| need.clone())]
                }
                // Of a host that was not asked; any other that was left out explains nothing.
                Status::Skipped => self.silent(&self.findings[at].host).into_iter().collect(),
                Status::Blocked => settled.causes,
            };
            for cause in found {
                if !causes.contains(&cause) {
                    causes.push(cause);
                }
            }
        }
        causes
    }

    /// The check that says why `host` is silent, where it is.
    fn silent(&self, host: &HostName) -> Option<CheckId> {
        let evidence = CheckId::new(host, Subject::Evidence);
        let &at = self.index.get(&evidence)?;
        (self.findings[at].outcome != Outcome::Pass).then_some(evidence)
    }
}

fn checked(finding: Finding, settled: Settled, then: Vec<Elsewhere>) -> Check {
    let passed = settled.status == Status::Pass;
    Check {
        id: finding.id,
        host: finding.host,
        service: None,
        status: settled.status,
        aspect: finding.aspect,
        summary: finding.summary,
        expected: finding.expected,
        observed: finding.observed,
        why: finding.why.filter(|_| !passed),
        fix: if settled.status == Status::Fail {
            finding.fix
        } else {
            Vec::new()
        },
        then: if settled.status == Status::Fail {
            then
        } else {
            Vec::new()
        },
        hint: finding
            .hint
            .filter(|_| matches!(settled.status, Status::Error | Status::Unreachable)),
        blocked_by: settled.causes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check of a program, which may have any name.
    fn id(host: &str, name: &str) -> CheckId {
        let subject = match name {
            "evidence" => Subject::Evidence,
            name => Subject::Program(name.to_owned()),
        };
        CheckId::new(&host.parse().unwrap(), subject)
    }

    fn finding(host: &str, topic: &str, outcome: Outcome, needs: &[&str]) -> Finding {
        let own = id(host, topic);
        Finding {
            host: own.host.clone(),
            id: own,
            outcome,
            aspect: Aspect::Now,
            summary: topic.to_owned(),
            expected: String::new(),
            observed: String::new(),
            why: Some("because".to_owned()),
            fix: vec!["true".to_owned()],
            hint: None,
            leaves: None,
            needs: needs
                .iter()
                .map(|need| {
                    let (host, topic) = need.split_once('/').unwrap();
                    id(host, topic)
                })
                .collect(),
        }
    }

    fn gone(host: &HostName) -> Outcome {
        Outcome::Unknown(host.clone(), Lack::Unreachable)
    }

    fn outline(checks: &[Check]) -> Vec<String> {
        checks
            .iter()
            .map(|check| {
                let causes: Vec<_> = check.blocked_by.iter().map(CheckId::to_string).collect();
                format!("{} {:?} {}", check.id, check.status, causes.join(" "))
                    .replace("program ", "")
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn a_symptom_is_blocked_by_the_first_cause_and_not_by_other_symptoms() {
        let checks = settle(vec![
            finding("a", "symptom", Outcome::Fail, &["a/middle"]),
            finding("a", "middle", Outcome::Fail, &["b/cause"]),
            finding("b", "cause", Outcome::Fail, &["b/fine", "b/never-made"]),
            finding("b", "fine", Outcome::Pass, &[]),
        ]);
        assert_eq!(
            outline(&checks),
            [
                "a/symptom Blocked b/cause",
                "a/middle Blocked b/cause",
                "b/cause Fail",
                "b/fine Pass"
            ]
        );
        assert!(checks[0].fix.is_empty() && !checks[2].fix.is_empty());
    }

    #[test]
    fn what_was_seen_to_work_stays_passed_whatever_it_depends_on() {
        let checks = settle(vec![
            finding("a", "works", Outcome::Pass, &["a/broken"]),
            finding("a", "broken", Outcome::Fail, &[]),
        ]);
        assert_eq!(outline(&checks), ["a/works Pass", "a/broken Fail"]);
    }

    #[test]
    fn a_silent_host_makes_its_own_checks_errors_and_blocks_those_of_others() {
        let b: HostName = "b".parse().unwrap();
        let checks = settle(vec![
            finding("b", "evidence", gone(&b), &[]),
            finding("b", "sysctl", gone(&b), &["b/evidence"]),
            finding("a", "compares", gone(&b), &[]),
            finding("a", "suffers", Outcome::Fail, &["b/sysctl"]),
        ]);
        assert_eq!(
            outline(&checks),
            [
                "b/evidence Unreachable",
                "b/sysctl Unreachable",
                "a/compares Blocked b/evidence",
                "a/suffers Blocked b/evidence"
            ]
        );
    }

    #[test]
    fn what_is_missing_is_told_apart_by_why() {
        let b: HostName = "b".parse().unwrap();
        let checks = settle(vec![
            finding(
                "b",
                "untold",
                Outcome::Unknown(b.clone(), Lack::Untold),
                &[],
            ),
            finding(
                "b",
                "later",
                Outcome::Unknown(b.clone(), Lack::NotAsked),
                &[],
            ),
            finding("b", "left-out", Outcome::Skipped, &["b/untold"]),
            finding("a", "suffers", Outcome::Fail, &["b/left-out", "b/later"]),
            finding(
                "c",
                "evidence",
                Outcome::Unknown("c".parse().unwrap(), Lack::NotAsked),
                &[],
            ),
            finding("a", "compares", Outcome::Fail, &["c/evidence"]),
        ]);
        assert_eq!(
            outline(&checks),
            [
                "b/untold Error",
                "b/later Skipped",
                "b/left-out Skipped",
                "a/suffers Fail",
                "c/evidence Skipped",
                "a/compares Blocked c/evidence",
            ]
        );
    }

    #[test]
    fn a_circle_of_needs_ends_and_leaves_a_failure() {
        let checks = settle(vec![
            finding("a", "x", Outcome::Fail, &["a/y"]),
            finding("a", "y", Outcome::Fail, &["a/x"]),
        ]);
        assert!(checks.iter().any(|check| check.status == Status::Fail));
    }
}
