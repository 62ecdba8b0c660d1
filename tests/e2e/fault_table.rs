//! `docs/faults.md`: what came of each fault. A run's table is compared with it, or written there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::choice;
use crate::stage::Check;

const TABLE: &str = "docs/faults.md";

/// What came of one fault in one lab.
pub struct Case {
    pub fault: String,
    pub what: String,
    pub effect: String,
    pub symptom: String,
    pub lab: &'static str,
    pub host: String,
    /// Whether `verify` failed.
    pub detected: bool,
    /// The check that failed, where it was the only one and the right one.
    pub named: Result<String, String>,
    /// What was typed, where the lab was green afterwards.
    pub fixed: Result<Vec<String>, String>,
    pub seconds: f64,
}

impl Case {
    /// Why the fault was not named, or not mended.
    pub fn mistake(&self) -> Option<&str> {
        let named = self.named.as_ref().err();
        named.or(self.fixed.as_ref().err()).map(String::as_str)
    }
}

const HEAD: &str = "\
# Faults as exercises

`lvslab break LAB FAULT` sets a fault, `lvslab hint LAB` helps, `lvslab verify LAB` grades, and `lvslab repair LAB`
ends the exercise.

The end-to-end tests set each fault in each course lab it fits and write here what they saw
(`LVSLAB_WRITE_DOCS=1 cargo test --test e2e every_fault`):

- *detected*: `verify` failed.
- *named*: the check that failed, if it was the right one and no other failed.
- *fixed by*: what the terminal printed for that check, if the lab was green once it had been typed on the host. If a
  neighbour had learnt a wrong MAC meanwhile, what was printed for its entry was typed too.

Where that was not so, the table says no.
";

pub fn document(cases: &[Case]) -> String {
    let mut text = HEAD.to_owned();
    for lab in ["nat", "dr"] {
        let own = cases.iter().filter(|case| case.lab == lab);
        let _ = write!(
            text,
            "\n## topologies/{lab}.yaml\n\n\
             | fault | what it does | where | symptom | effect | detected | named | fixed by |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for case in own {
            let fixed = match &case.fixed {
                Ok(commands) => short(commands),
                Err(_) => "no".to_owned(),
            };
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
                case.fault,
                case.what,
                case.host,
                case.symptom,
                case.effect,
                if case.detected { "yes" } else { "no" },
                case.named.as_deref().map_or("no".to_owned(), code),
                fixed
            );
        }
    }
    text
}

/// The commands in one cell: the first line of a file that is written stands for all of it.
fn short(commands: &[String]) -> String {
    let mut shown = Vec::new();
    let mut rest = commands.iter();
    while let Some(command) = rest.next() {
        match command.split_once(" <<'") {
            Some((cat, end)) => {
                let end = end.trim_end_matches('\'');
                let _ = rest.by_ref().find(|line| *line == end);
                shown.push(code(&format!("{cat} << ...")));
            }
            None => shown.push(code(command)),
        }
    }
    shown.join(", ")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

pub fn compare(document: &str) -> Check {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    if choice::writes_docs()? {
        return fs::write(&path, document).map_err(|error| format!("{TABLE}: {error}"));
    }
    let committed = fs::read_to_string(&path).map_err(|error| format!("{TABLE}: {error}"))?;
    if committed == document {
        return Ok(());
    }
    let only_in = |one: &str, other: &str, sign: char| -> String {
        let known: BTreeSet<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !known.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    Err(format!(
        "{TABLE} is not what this run saw; LVSLAB_WRITE_DOCS=1 writes it again\n{}{}",
        only_in(&committed, document, '-'),
        only_in(document, &committed, '+')
    ))
}
