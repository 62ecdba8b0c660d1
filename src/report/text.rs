//! A verdict for the terminal: causes first, then what they block; what passed is a number.

use std::collections::BTreeMap;

use super::clean;
use super::layout::{counted, has_here_document, pad, spread, width, wrap};
use super::style::{Style, Tone};
use crate::verify::{Aspect, Check, CheckId, Status, Subject, Verdict, shares};

/// Columns before the values of a detail line.
const LABEL: usize = 10;

/// The verdict as a text of lines; the last line says how many checks came out how.
#[must_use]
pub fn verdict(verdict: &Verdict, style: Style) -> String {
    let told = |check: &&Check| !matches!(check.status, Status::Pass | Status::Skipped);
    let column = verdict
        .checks
        .iter()
        .filter(told)
        .map(|check| width(check.host.as_str()))
        .max()
        .unwrap_or(0);
    let page = Page {
        verdict,
        style,
        column,
    };
    if verdict.passed {
        let mark = style.paint(Tone::Good, "✓");
        return format!("{mark} {}\n{}", proof(verdict), page.skipped());
    }
    let mut text = String::new();
    for check in page.with(Status::Fail) {
        text += &page.cause(check);
    }
    for check in page.unknown() {
        text += &page.error(check);
    }
    for check in page.with(Status::Blocked) {
        text += &page.blocked(check);
    }
    text += &page.skipped();
    if !text.is_empty() {
        text.push('\n');
    }
    let exit = format!("exit {}", verdict.exit_code());
    text + &spread(&sum(verdict), &exit, style.columns()) + "\n"
}

/// `31 checks passed · 100 requests: web1 50 · web2 50 · replies bypass the director`, of a verdict that passed.
#[must_use]
pub fn proof(verdict: &Verdict) -> String {
    let count = verdict.count();
    let mut parts = vec![format!("{} passed", counted(count.pass, "check"))];
    if count.skipped > 0 {
        parts.push(format!("{} skipped", count.skipped));
    }
    let total: u32 = verdict.distribution.values().sum();
    let counts = verdict.distribution.iter();
    let mut shares = shares(counts.map(|(host, count)| (host, count.to_string()))).into_iter();
    if let Some(first) = shares.next() {
        parts.push(format!("{}: {first}", counted(total as usize, "request")));
        parts.extend(shares);
        parts.extend(verdict.skew.iter().map(|words| clean::line(words)));
    }
    parts.push(verdict.method.profile().words.replies.to_owned());
    parts.join(" · ")
}

struct Page<'a> {
    verdict: &'a Verdict,
    style: Style,
    /// Columns of the widest host name shown.
    column: usize,
}

impl<'a> Page<'a> {
    fn with(&self, status: Status) -> impl Iterator<Item = &'a Check> {
        self.verdict
            .checks
            .iter()
            .filter(move |check| check.status == status)
    }

    fn cause(&self, check: &Check) -> String {
        let alone = self.verdict.count().fail == 1;
        let tag = match check.aspect {
            Aspect::AfterReboot => "works until the next boot",
            Aspect::Now if alone => "broken: the cause",
            Aspect::Now => "broken",
        };
        let mut text = self.head("✗", Tone::Bad, check, &clean::line(&check.summary), tag);
        text += &self.detail("expected", &check.expected);
        text += &self.detail("observed", &check.observed);
        if let Some(why) = &check.why {
            text += &self.detail("why", why);
        }
        text += &self.commands("fix", &check.fix);
        for elsewhere in &check.then {
            text += &self.detail("then", &format!("on {}:", elsewhere.host));
            text += &self.commands("", &elsewhere.commands);
        }
        text
    }

    /// A host without evidence is shown once, with the number of checks that could not be made.
    fn error(&self, check: &Check) -> String {
        let evidence = CheckId::new(&check.host, Subject::Evidence);
        let silent = self.verdict.find(&evidence).is_some_and(unknown);
        if silent && check.id != evidence {
            return String::new();
        }
        let tag = match check.status {
            Status::Unreachable => "unreachable",
            _ => "not judged",
        };
        let headline = if silent {
            clean::line(&check.observed)
        } else {
            clean::line(&check.summary)
        };
        let mut text = self.head("✗", Tone::Bad, check, &headline, tag);
        if !silent {
            text += &self.detail("observed", &check.observed);
        }
        let missing = self
            .unknown()
            .filter(|other| other.host == check.host && other.id != check.id)
            .count();
        if silent && missing > 0 {
            let words = format!(
                "{} of {} could not be made",
                counted(missing, "check"),
                check.host
            );
            text += &self.detail("so", &words);
        }
        if let Some(hint) = &check.hint {
            text += &self.detail("next", hint);
        }
        text
    }

    fn blocked(&self, check: &Check) -> String {
        let causes: Vec<String> = check.blocked_by.iter().map(|id| self.named(id)).collect();
        let only = self.verdict.count().fail + self.silent_hosts() == 1;
        let by = match &causes[..] {
            _ if only => "the above".to_owned(),
            [] => "another check".to_owned(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        self.head(
            "–",
            Tone::Muted,
            check,
            &clean::line(&check.summary),
            &format!("blocked by {by}"),
        )
    }

    fn named(&self, id: &CheckId) -> String {
        match self.verdict.find(id) {
            Some(cause) if id.subject == Subject::Evidence => cause.host.to_string(),
            Some(cause) => format!(
                "{}: {}",
                cause.host,
                clean::line(&cause.id.subject.to_string())
            ),
            None => clean::line(&id.to_string()),
        }
    }

    /// Skipped checks, grouped by reason; shown whether the verdict is good or bad.
    fn skipped(&self) -> String {
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for check in self.with(Status::Skipped) {
            let name = format!(
                "{}: {}",
                check.host,
                clean::line(&check.id.subject.to_string())
            );
            match reasons
                .iter_mut()
                .find(|(reason, _)| *reason == check.observed)
            {
                Some((_, names)) => names.push(name),
                None => reasons.push((&check.observed, vec![name])),
            }
        }
        let mut text = String::new();
        for (reason, names) in reasons {
            let head = format!("○ skipped because {}", clean::line(reason));
            let columns = self.style.columns();
            for (at, line) in wrap(&head, columns.saturating_sub(2)).iter().enumerate() {
                let indent = if at == 0 { "" } else { "  " };
                text += &format!("{indent}{line}\n");
            }
            for line in wrap(&names.join(", "), columns.saturating_sub(4)) {
                text += &format!("    {}\n", self.style.paint(Tone::Muted, &line));
            }
        }
        text
    }

    /// Checks that lack evidence.
    fn unknown(&self) -> impl Iterator<Item = &'a Check> {
        self.verdict.checks.iter().filter(|check| unknown(check))
    }

    fn silent_hosts(&self) -> usize {
        self.unknown()
            .map(|check| (&check.host, ()))
            .collect::<BTreeMap<_, _>>()
            .len()
    }

    fn head(&self, mark: &str, tone: Tone, check: &Check, text: &str, tag: &str) -> String {
        let left = format!("{mark} {}  {text}", pad(check.host.as_str(), self.column));
        let line = spread(&left, tag, self.style.columns());
        // Painted afterwards, since escape sequences would count as columns.
        let painted = line.replacen(mark, &self.style.paint(tone, mark), 1);
        let tagged = match painted.rsplit_once(tag) {
            Some((before, after)) => {
                let tone = if tone == Tone::Bad {
                    Tone::Bad
                } else {
                    Tone::Muted
                };
                format!("{before}{}{after}", self.style.paint(tone, tag))
            }
            None => painted,
        };
        tagged + "\n"
    }

    fn detail(&self, label: &str, value: &str) -> String {
        let columns = self.style.columns().saturating_sub(4 + LABEL);
        self.labelled(label, &wrap(&clean::line(value), columns))
    }

    /// Commands keep their lines whole, so that they can be copied. With a here document among them they all begin
    /// at the left edge, below their label: a shell finds its end nowhere else.
    fn commands(&self, label: &str, commands: &[String]) -> String {
        let lines: Vec<String> = commands
            .iter()
            .flat_map(|command| {
                clean::block(command)
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        if !has_here_document(commands) {
            return self.labelled(label, &lines);
        }
        let head = match label {
            "" => String::new(),
            label => self.labelled(label, &[String::new()]),
        };
        lines
            .iter()
            .fold(head, |text, line| format!("{text}{line}\n"))
    }

    fn labelled(&self, label: &str, lines: &[String]) -> String {
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let label = self.style.paint(Tone::Muted, &pad(label, LABEL));
            text += format!("    {label}{line}").trim_end();
            text.push('\n');
        }
        text
    }
}

fn unknown(check: &Check) -> bool {
    matches!(check.status, Status::Error | Status::Unreachable)
}

/// `1 cause · 29 passed · 2 blocked`, of a verdict that did not pass.
#[must_use]
pub fn sum(verdict: &Verdict) -> String {
    let count = verdict.count();
    let mut parts = Vec::new();
    if count.fail > 0 {
        parts.push(counted(count.fail, "cause"));
    }
    if count.unreachable > 0 {
        parts.push(format!("{} unreachable", count.unreachable));
    }
    if count.error > 0 {
        parts.push(format!("{} not judged", count.error));
    }
    if verdict.checks.is_empty() {
        parts.push("nothing was checked".to_owned());
    } else {
        parts.push(format!("{} passed", count.pass));
    }
    if count.blocked > 0 {
        parts.push(format!("{} blocked", count.blocked));
    }
    if count.skipped > 0 {
        parts.push(format!("{} skipped", count.skipped));
    }
    parts.join(" · ")
}
