//! `docs/faults.md`: the table of what came of each fault, compared with this run's or written anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::stage::Check;

/// Where the table is.
const TABLE: &str = "docs/faults.md";

/// What came of one fault in one lab.
pub struct Case {
    pub fault: String,
    pub what: String,
    pub effect: String,
    pub symptom: String,
    pub lab: &'static str,
    pub host: String,
    /// The check that failed, where it was the only one and the right one.
    pub named: Result<String, String>,
    /// What was typed, where the lab was green afterwards.
    pub fixed: Result<Vec<String>, String>,
    pub seconds: f64,
}

pub fn document(cases: &[Case]) -> String {
    let mut text = String::from(
        "# Faults as exercises\n\n\
         `lvslab break LAB FAULT` sets one, `lvslab hint LAB` helps, `lvslab verify LAB` grades, `lvslab repair LAB`\n\
         ends it. This page is written by the end-to-end tests: each fault was set in each course lab it fits,\n\
         `verify` had to name exactly the check under *named* and nothing else as failed, and the lab had to be green\n\
         once what the terminal shows below *fix* had been copied to that host (`LVSLAB_WRITE_DOCS=1 cargo test --test e2e\n\
         every_fault` writes it again).\n",
    );
    for lab in ["nat", "dr"] {
        let own: Vec<&Case> = cases.iter().filter(|case| case.lab == lab).collect();
        let _ = write!(
            text,
            "\n## topologies/{lab}.yaml: {} faults\n\n\
             | fault | what it does | where | symptom | effect | detected | named | fixed by |\n\
             |---|---|---|---|---|---|---|---|\n",
            own.iter()
                .map(|case| &case.fault)
                .collect::<BTreeSet<_>>()
                .len()
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
                if case.named.is_ok() { "yes" } else { "no" },
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
    if std::env::var_os("LVSLAB_WRITE_DOCS").is_some() {
        return fs::write(&path, document).map_err(|error| format!("{TABLE}: {error}"));
    }
    let committed = fs::read_to_string(&path).map_err(|error| format!("{TABLE}: {error}"))?;
    if committed == document {
        return Ok(());
    }
    let differs = committed
        .lines()
        .zip(document.lines())
        .find(|(old, new)| old != new);
    Err(format!(
        "{TABLE} is not what this run found: {}\nLVSLAB_WRITE_DOCS=1 writes it again",
        match differs {
            Some((old, new)) => format!("\n- {old}\n+ {new}"),
            None => "one is longer".to_owned(),
        }
    ))
}
