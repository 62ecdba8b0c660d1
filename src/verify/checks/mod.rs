//! The checks: pure functions of the evidence, one file per subject.

mod addresses;
mod answers;
mod arp;
mod arp_answers;
mod attached;
mod boot;
mod boot_repair;
mod director;
mod distribution;
mod listener;
mod neighbours;
mod packet_filter;
mod path;
mod presence;
mod programs;
mod protection;
mod requests;
mod routes;
mod table;
mod target;
mod traffic;
mod web;

use super::evidence::Evidence;
use super::graph::{Finding, Outcome, settle};
use super::identity::{CheckId, Subject};
use super::verdict::{Aspect, Check, Verdict};
use super::view::{Gap, Seen, View};
use crate::model::{Host, HostName};
use crate::requirement;
use target::Target;

/// Judges a lab by its evidence alone.
#[must_use]
pub fn check(evidence: &Evidence) -> Verdict {
    let view = View::new(evidence);
    let lab = view.lab();

    let mut findings: Vec<Finding> = Vec::new();
    for host in lab.hosts() {
        findings.extend(of_host(view, host));
    }
    findings.extend(neighbours::check(view, &Path::of(&findings)));
    let path = Path::of(&findings);
    let traffic = traffic::Traffic::seen(view);
    findings.extend(arp_answers::check(view, &path));
    findings.extend(arp::neighbour(view, &path));
    findings.extend(path::check(view, &path));
    findings.extend(answers::check(view, traffic.as_ref(), &path));
    findings.extend(requests::check(view, traffic.as_ref(), &path));
    findings.extend(director::check(view, traffic.as_ref(), &path));

    let mut checks = settle(findings);
    let place = |check: &Check| lab.hosts().iter().position(|host| host.name == check.host);
    checks.sort_by_key(place);
    for check in &mut checks {
        let concerned = check.id.subject.concerns_service();
        check.service = concerned.then(|| lab.service().to_string());
    }
    let skew = traffic
        .as_ref()
        .map(|traffic| distribution::skew(view, traffic));
    let counts = traffic.map(|traffic| traffic.counts).unwrap_or_default();
    let distribution = lab
        .real_servers()
        .iter()
        .enumerate()
        .map(|(at, server)| (server.host.clone(), counts.get(at).copied().unwrap_or(0)))
        .collect();
    let unreachable = evidence.unreachable().map(|(host, _)| host.clone());
    Verdict::new(lab.name().clone(), lab.method(), checks, distribution)
        .skewed_by(skew.unwrap_or_default())
        .without(unreachable.collect())
}

/// What one host's own evidence says of it.
fn of_host(view: View<'_>, host: &Host) -> Vec<Finding> {
    let mut findings = vec![presence::check(view, host)];
    if let Some(machine) = view.machine(&host.name) {
        let required = requirement::of_host(view.lab(), host);
        let target = Target {
            view,
            host,
            machine,
            required: &required,
        };
        findings.extend(programs::check(target));
        findings.extend(protection::check(target));
        findings.extend(addresses::check(target));
        findings.extend(web::check(target));
        findings.extend(table::check(target));
        findings.extend(attached::check(target));
        findings.extend(arp::effective(target));
        findings.extend(routes::check(target));
        findings.push(packet_filter::check(target));
        findings.extend(listener::check(target));
        findings.extend(boot::check(target));
    }
    findings
}

/// The names of all checks that what travels through the lab depends on, by host in the lab's order.
struct Path {
    checks: Vec<(HostName, CheckId)>,
}

impl Path {
    fn of(findings: &[Finding]) -> Self {
        Self {
            checks: findings
                .iter()
                .filter(|finding| finding.aspect == Aspect::Now)
                .map(|finding| (finding.host.clone(), finding.id.clone()))
                .collect(),
        }
    }

    /// Every check, those of `first` before the others: what is nearest explains best.
    fn from(&self, first: &HostName) -> Vec<CheckId> {
        let (near, far): (Vec<_>, Vec<_>) = self.checks.iter().partition(|(host, _)| host == first);
        near.into_iter()
            .chain(far)
            .map(|(_, id)| id.clone())
            .collect()
    }
}

/// A finding in the making.
struct Draft {
    finding: Finding,
}

impl Draft {
    fn new(host: &HostName, subject: Subject, summary: impl Into<String>) -> Self {
        Self {
            finding: Finding {
                id: CheckId::new(host, subject),
                host: host.clone(),
                outcome: Outcome::Pass,
                aspect: Aspect::Now,
                summary: summary.into(),
                expected: String::new(),
                observed: String::new(),
                why: None,
                fix: Vec::new(),
                hint: None,
                needs: Vec::new(),
                leaves: None,
            },
        }
    }

    fn after_reboot(mut self) -> Self {
        self.finding.aspect = Aspect::AfterReboot;
        self
    }

    fn expected(mut self, expected: impl Into<String>) -> Self {
        self.finding.expected = expected.into();
        self
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        self.finding.why = Some(why.into());
        self
    }

    fn fix(mut self, fix: impl IntoIterator<Item = String>) -> Self {
        self.finding.fix = fix.into_iter().collect();
        self
    }

    /// What stays wrong here for a while after the cause is mended, and the commands that end it.
    fn leaves(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        let commands: Vec<String> = commands.into_iter().collect();
        self.finding.leaves = (!commands.is_empty()).then_some(commands);
        self
    }

    fn needs(mut self, needs: impl IntoIterator<Item = CheckId>) -> Self {
        self.finding.needs.extend(needs);
        self.finding.needs.retain(|need| *need != self.finding.id);
        self
    }

    /// Ends with what was seen, or with why nothing was.
    fn judged(mut self, seen: Seen<Judged>) -> Finding {
        match seen {
            Ok(judged) => {
                self.finding.outcome = if judged.as_expected {
                    Outcome::Pass
                } else {
                    Outcome::Fail
                };
                self.finding.observed = judged.observed;
            }
            Err(Gap {
                host,
                lack,
                cause,
                hint,
            }) => {
                self.finding.observed = if host == self.finding.host {
                    cause
                } else {
                    format!("{host}: {cause}")
                };
                self.finding.outcome = Outcome::Unknown(host, lack);
                self.finding.hint = hint;
            }
        }
        self.finding
    }

    /// Ends with why it was not looked at, a fragment.
    fn skipped(mut self, because: impl Into<String>) -> Finding {
        self.finding.outcome = Outcome::Skipped;
        self.finding.observed = because.into();
        self.finding
    }
}

/// What was seen, and whether it is what was expected.
struct Judged {
    as_expected: bool,
    observed: String,
}

impl Judged {
    fn new(as_expected: bool, observed: impl Into<String>) -> Self {
        Self {
            as_expected,
            observed: observed.into(),
        }
    }
}
