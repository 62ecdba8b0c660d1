//! What `up` leaves on the screen: what there is now, whether it works, and how to get in.

use super::clean;
use super::layout::{counted, pad, width};
use super::style::{Style, Tone};
use super::{headline, text};
use crate::keeper::Purpose;
use crate::model::{HostName, Lab};
use crate::plan::HostPlan;
use crate::resource::Resource;
use crate::verify::Verdict;

/// What became of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostOutcome {
    /// Everything was as planned already.
    Unchanged,
    /// So many resources were changed.
    Changed(usize),
    /// A resource could not be made what it should be, or there was no plan.
    Failed {
        /// Lower-case fragment naming resource and cause.
        cause: String,
        /// What to do.
        hint: Option<String>,
    },
    /// No session.
    Unreachable {
        /// Lower-case fragment.
        cause: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// One host's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLine {
    /// Host.
    pub host: HostName,
    /// What it has now, [`host_summary`].
    pub summary: String,
    /// What became of it.
    pub outcome: HostOutcome,
}

/// The table's data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpTable {
    /// Where the hosts are, for the first line: `sandbox (TCG)`.
    pub place: Option<String>,
    /// How the sandbox came up: `restored in 0.4 s, 4 hosts`.
    pub sandbox: Option<String>,
    /// Hosts in the lab's order.
    pub hosts: Vec<HostLine>,
    /// Commands to go on with, by what they are for: `log in`, `lvslab ssh client`. The first two share a line.
    pub next: Vec<(String, String)>,
}

/// `eth0 192.168.4.5/24, eth0:0 192.168.4.15/24, IPVS 1 service`.
#[must_use]
pub fn host_summary(plan: &HostPlan) -> String {
    let (mut parts, mut running) = (Vec::new(), Vec::new());
    let mut services = 0;
    for step in &plan.steps {
        match &step.resource {
            Resource::Address(address) => {
                let on = address
                    .label
                    .as_deref()
                    .unwrap_or(address.interface.as_str());
                parts.push(format!("{on} {}", address.address));
            }
            Resource::Service(service) if step.purpose == Purpose::WebServer => {
                running.push(service.name.clone());
            }
            Resource::Ipvs(_) => services += 1,
            _ => {}
        }
    }
    parts.extend(running);
    if services > 0 {
        parts.push(format!("IPVS {}", counted(services, "service")));
    }
    parts.join(", ")
}

/// The table. `verdict` is absent when nothing was verified, because a host could not be set up.
#[must_use]
pub fn up_table(lab: &Lab, table: &UpTable, verdict: Option<&Verdict>, style: Style) -> String {
    let labels = ["sandbox", "verified"].into_iter();
    let names = table.hosts.iter().map(|line| line.host.as_str());
    let column = labels.chain(names).map(width).max().unwrap_or(0) + 3;
    let row = |label: &str, value: &str| format!("  {}{value}\n", pad(label, column));

    let place = table.place.as_deref();
    let mut out = headline(lab);
    if let Some(place) = place {
        out += &format!(" · {place}");
    }
    out += "\n\n";
    if let Some(sandbox) = &table.sandbox {
        out += &row("sandbox", &clean::line(sandbox));
    }
    for line in &table.hosts {
        out += &host(line, column, edge(table, column, style), style);
    }
    if let Some(verdict) = verdict {
        out.push('\n');
        if verdict.passed {
            let label = style.paint(Tone::Good, &pad("verified", column));
            out += &format!("  {label}{}\n", text::proof(verdict));
        } else {
            out += &text::verdict(verdict, style);
        }
    }
    out + &next(&table.next, column)
}

/// The right edge of the outcomes, the same for all hosts; beyond the terminal's edge when a line is too long.
fn edge(table: &UpTable, column: usize, style: Style) -> usize {
    let needed = table.hosts.iter().map(|line| {
        let (text, tag) = halves(line);
        2 + column + width(&text) + 2 + width(&tag)
    });
    needed.chain([style.columns()]).max().unwrap_or_default()
}

/// The host's summary or failure, and its outcome in a word.
fn halves(line: &HostLine) -> (String, String) {
    match &line.outcome {
        HostOutcome::Unchanged => (clean::line(&line.summary), "no changes".to_owned()),
        HostOutcome::Changed(count) => (clean::line(&line.summary), format!("{count} changed")),
        HostOutcome::Failed { cause, .. } => (clean::line(cause), "failed".to_owned()),
        HostOutcome::Unreachable { cause, .. } => (clean::line(cause), "unreachable".to_owned()),
    }
}

fn host(line: &HostLine, column: usize, edge: usize, style: Style) -> String {
    let (text, tag) = halves(line);
    let left = format!("  {}{text}", pad(line.host.as_str(), column));
    let gap = edge.saturating_sub(width(&left) + width(&tag));
    let (tone, hint) = match &line.outcome {
        HostOutcome::Unchanged | HostOutcome::Changed(_) => (None, None),
        HostOutcome::Failed { hint, .. } | HostOutcome::Unreachable { hint, .. } => {
            (Some(Tone::Bad), hint.as_deref())
        }
    };
    let tag = tone.map_or(tag.clone(), |tone| style.paint(tone, &tag));
    let mut out = format!("{left}{}{tag}\n", " ".repeat(gap));
    if let Some(hint) = hint {
        out += &format!("  {}next  {}\n", pad("", column), clean::line(hint));
    }
    out
}

fn next(commands: &[(String, String)], column: usize) -> String {
    let mut out = String::new();
    for (at, (what, command)) in commands.iter().enumerate() {
        match at {
            0 => out += &format!("\n  {}{}", pad(what, column), pad(command, 28)),
            1 => out += &format!("{}{command}\n", pad(what, 6)),
            _ => out += &format!("  {}{command}\n", pad(what, column)),
        }
    }
    if commands.len() == 1 {
        out.push('\n');
    }
    out.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
