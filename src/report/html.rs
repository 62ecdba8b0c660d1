//! One self-contained HTML page: the drawing of the lab, the distribution, the verdicts. It loads nothing.

use std::fmt::Write as _;

use super::markup::{attribute, text};
use super::{drawing, headline, ladder, text as words};
use crate::sys::clock::utc;
use crate::verify::{Aspect, Check, Evidence, Status, Verdict};

const CSS: &str = include_str!("page.css");

/// The page of one verdict and the evidence it rests on.
#[must_use]
pub fn page(verdict: &Verdict, evidence: &Evidence) -> String {
    let lab = evidence.lab();
    let title = headline(lab);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n",
        text(&title)
    );
    let (class, line) = if verdict.passed {
        ("pass", format!("Verified: {}", words::proof(verdict)))
    } else {
        ("fail", format!("Not verified: {}", words::sum(verdict)))
    };
    let _ = writeln!(
        out,
        "<p class=\"verdict {class}\">{}</p>\n<p class=\"when\">seen {}</p>\n</header>",
        text(&line),
        utc(evidence.taken())
    );
    section(&mut out, "Lab", &drawing::svg(verdict, evidence));
    let ladders = ladder::ladders(evidence);
    if !ladders.is_empty() {
        section(&mut out, "Path of the packets", &ladders);
    }
    section(&mut out, "Distribution", &distribution(verdict));
    let causes = [Status::Fail, Status::Unreachable, Status::Error];
    let causes = listed(verdict, &causes, "open");
    if !causes.is_empty() {
        section(&mut out, "Causes", &causes);
    }
    let blocked = listed(verdict, &[Status::Blocked], "");
    if !blocked.is_empty() {
        section(&mut out, "Blocked by these", &blocked);
    }
    let skipped = listed(verdict, &[Status::Skipped], "open");
    if !skipped.is_empty() {
        section(&mut out, "Skipped", &skipped);
    }
    let passed = listed(verdict, &[Status::Pass], "");
    if !passed.is_empty() {
        section(&mut out, "Passed", &passed);
    }
    out + "</body>\n</html>\n"
}

fn section(out: &mut String, title: &str, body: &str) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>\n{body}</section>", text(title));
}

fn distribution(verdict: &Verdict) -> String {
    let most = verdict
        .distribution
        .values()
        .copied()
        .max()
        .unwrap_or(0)
        .max(1);
    let total: u32 = verdict.distribution.values().sum();
    let mut out = String::from("<table class=\"bars\">\n");
    for (host, count) in &verdict.distribution {
        let percent = f64::from(*count) * 100.0 / f64::from(total.max(1));
        let _ = writeln!(
            out,
            "<tr><th>{}</th><td><div style=\"width:{}%\"></div></td><td>{count} ({percent:.0} %)</td></tr>",
            text(host.as_str()),
            u64::from(*count) * 100 / u64::from(most)
        );
    }
    out + "</table>\n"
}

fn listed(verdict: &Verdict, statuses: &[Status], open: &str) -> String {
    verdict
        .checks
        .iter()
        .filter(|check| statuses.contains(&check.status))
        .map(|check| item(check, open))
        .collect()
}

fn item(check: &Check, open: &str) -> String {
    let (class, word) = match check.status {
        Status::Pass => ("pass", "passed"),
        Status::Fail if check.aspect == Aspect::AfterReboot => {
            ("fail", "works until the next boot")
        }
        Status::Fail => ("fail", "broken"),
        Status::Blocked => ("blocked", "blocked"),
        Status::Unreachable => ("error", "unreachable"),
        Status::Error => ("error", "not judged"),
        Status::Skipped => ("skipped", "skipped"),
    };
    let mut out = format!(
        "<details class=\"{class}\" id=\"{}\" {open}><summary><b>{}</b> {} <span>{word}</span></summary><dl>",
        attribute(&check.id.to_string()),
        text(check.host.as_str()),
        text(&check.summary)
    );
    let mut row = |name: &str, value: String| {
        let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
    };
    row("expected", text(&check.expected));
    match check.status {
        Status::Skipped => row("skipped", format!("because {}", text(&check.observed))),
        _ => row("observed", text(&check.observed)),
    }
    if let Some(why) = &check.why {
        row("why", text(why));
    }
    if !check.fix.is_empty() {
        row("fix", format!("<pre>{}</pre>", text(&check.fix.join("\n"))));
    }
    for elsewhere in &check.then {
        let commands = text(&elsewhere.commands.join("\n"));
        row(
            &format!("then on {}", text(elsewhere.host.as_str())),
            format!("<pre>{commands}</pre>"),
        );
    }
    if let Some(hint) = &check.hint {
        row("next", text(hint));
    }
    if !check.blocked_by.is_empty() {
        let links: Vec<String> = check
            .blocked_by
            .iter()
            .map(|id| {
                format!(
                    "<a href=\"#{}\">{}</a>",
                    attribute(&id.to_string()),
                    text(&id.to_string())
                )
            })
            .collect();
        row("blocked by", links.join(", "));
    }
    out + "</dl></details>\n"
}
