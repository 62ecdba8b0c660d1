//! JUnit XML, as CI systems read it: one suite per lab, one case per check.
//!
//! A wrong answer is a `failure`; one that could not be had an `error`, of the type `unreachable` or `not judged`;
//! a blocked check and one that was left out are `skipped`, of the types `blocked` with its causes and `skipped` with
//! the reason: only what has to be put right stands out.

use std::fmt::Write as _;

use super::layout::has_here_document;
use super::markup::{attribute, text};
use crate::verify::{Check, Status, Verdict};

/// The document for verdicts of one run; each is a suite.
#[must_use]
pub fn junit(verdicts: &[&Verdict]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for verdict in verdicts {
        suite(&mut out, verdict);
    }
    out += "</testsuites>\n";
    out
}

fn suite(out: &mut String, verdict: &Verdict) {
    let count = verdict.count();
    let errors = count.error + count.unreachable;
    // A run that proved nothing must not look like one in which nothing failed.
    let nothing = match verdict.checks.len() {
        0 => Some("nothing was checked"),
        _ if !verdict.passed && count.fail + errors == 0 => Some("nothing was proven"),
        _ => None,
    };
    let more = usize::from(nothing.is_some());
    let _ = writeln!(
        out,
        "  <testsuite name=\"lvslab.{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
        attribute(verdict.lab.as_str()),
        verdict.checks.len() + more,
        count.fail,
        errors + more,
        count.blocked + count.skipped
    );
    if let Some(words) = nothing {
        let _ = writeln!(
            out,
            "    <testcase classname=\"lvslab\" name=\"checks\"><error message=\"{words}\"/></testcase>"
        );
    }
    for check in &verdict.checks {
        case(out, verdict, check);
    }
    *out += "  </testsuite>\n";
}

fn case(out: &mut String, verdict: &Verdict, check: &Check) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}.{}\" name=\"{}\"",
        attribute(verdict.lab.as_str()),
        attribute(check.host.as_str()),
        attribute(&check.id.subject.to_string())
    );
    let element = match check.status {
        Status::Pass => {
            *out += "/>\n";
            return;
        }
        Status::Fail => "failure",
        Status::Unreachable => "error type=\"unreachable\"",
        Status::Error => "error type=\"not judged\"",
        Status::Blocked => {
            let causes: Vec<_> = check.blocked_by.iter().map(ToString::to_string).collect();
            return left_out(out, "blocked", &format!("blocked by {}", causes.join(", ")));
        }
        Status::Skipped => {
            return left_out(
                out,
                "skipped",
                &format!("skipped because {}", check.observed),
            );
        }
    };
    let message = format!("{}: {}", check.summary, check.observed);
    let _ = writeln!(
        out,
        "><{element} message=\"{}\">{}</{}></testcase>",
        attribute(&message),
        text(&details(check)),
        element.split(' ').next().unwrap_or(element)
    );
}

fn left_out(out: &mut String, kind: &str, message: &str) {
    let _ = writeln!(
        out,
        "><skipped type=\"{kind}\" message=\"{}\"/></testcase>",
        attribute(message)
    );
}

fn details(check: &Check) -> String {
    let mut lines = vec![
        format!("expected: {}", check.expected),
        format!("observed: {}", check.observed),
    ];
    lines.extend(check.why.iter().map(|why| format!("why: {why}")));
    lines.extend(commands("fix", &check.fix));
    for elsewhere in &check.then {
        lines.extend(commands(
            &format!("then on {}", elsewhere.host),
            &elsewhere.commands,
        ));
    }
    lines.extend(check.hint.iter().map(|hint| format!("next: {hint}")));
    lines.join("\n")
}

/// Each with the label before it; a here document stands below the label, as it has to be typed.
fn commands(label: &str, commands: &[String]) -> Vec<String> {
    if has_here_document(commands) {
        return std::iter::once(format!("{label}:"))
            .chain(commands.iter().cloned())
            .collect();
    }
    commands
        .iter()
        .map(|command| format!("{label}: {command}"))
        .collect()
}
