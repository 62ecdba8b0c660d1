//! Both programs through the same command lines, each in its own network namespace: standard output,
//! standard error, exit status and the table must be the same.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lvslab::ipvs::{Service, Table};

use super::cases::committed;
use super::generate::command;
use super::network::Network;
use super::random::Random;
use super::report;
use super::template::Template;
use super::tools::{Outcome, ours, reference, theirs};
use super::typed;

/// How many differences are shown before it is enough.
const SHOWN: usize = 12;

/// Every so many sequences the original is started anew for each command, to keep the [`Template`] honest.
const ORDINARY_STARTS: usize = 40;

/// Where more than one sequence of so many ends early, the rest proves too little.
const MOST_ABANDONED: usize = 20;

/// Runs the committed cases and `sequences` generated sequences, some of them at the same time.
pub fn run(sequences: usize, seed: u64) {
    let cases = committed();
    let jobs = cases.len() + sequences;
    let next = AtomicUsize::new(0);
    let different = AtomicUsize::new(0);
    let commands = AtomicUsize::new(0);
    let abandoned = AtomicUsize::new(0);
    let typed = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut arena = Arena::new();
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs || different.load(Ordering::Relaxed) >= SHOWN {
                        abandoned.fetch_add(arena.abandoned, Ordering::Relaxed);
                        typed.fetch_add(arena.typed, Ordering::Relaxed);
                        return;
                    }
                    let (name, lines) = match cases.get(job) {
                        Some(case) => (format!("case {}", job + 1), case.clone()),
                        None => {
                            let number = job - cases.len();
                            (format!("sequence {number}"), sequence(seed, number))
                        }
                    };
                    commands.fetch_add(lines.len(), Ordering::Relaxed);
                    arena.ordinary_starts = job.is_multiple_of(ORDINARY_STARTS);
                    if let Some(difference) = arena.differ(&lines, job.is_multiple_of(3)) {
                        different.fetch_add(1, Ordering::Relaxed);
                        arena.show(&name, lines, difference);
                    }
                    if job % 500 == 499 {
                        println!("note {} sequences", job + 1);
                    }
                }
            });
        }
    });
    let (done, commands) = (
        next.load(Ordering::Relaxed).min(jobs),
        commands.load(Ordering::Relaxed),
    );
    let abandoned = abandoned.load(Ordering::Relaxed);
    report(
        &format!("{abandoned} of {done} sequences ended early by a crash of the original: few"),
        abandoned * MOST_ABANDONED < done,
    );
    let typed = typed.load(Ordering::Relaxed);
    report(
        &format!("{typed} files of typed rules were restored by both"),
        typed > 0,
    );
    report(
        &format!(
            "{done} sequences ({} committed, seed {seed}), {commands} commands: the same as the original",
            cases.len()
        ),
        different.load(Ordering::Relaxed) == 0 && commands > 0,
    );
}

type Line = Vec<String>;

fn sequence(seed: u64, number: usize) -> Vec<Line> {
    let mut random = Random::new(seed.wrapping_mul(0x1_0000_0001).wrapping_add(number as u64));
    let length = 1 + number % 8;
    (0..length).map(|_| command(&mut random)).collect()
}

/// Where the two programs part.
struct Difference {
    what: String,
    theirs: String,
    ours: String,
}

/// Two networks and the original in each; everything of it belongs to the thread that made it.
struct Arena {
    theirs: Network,
    ours: Network,
    original: Template,
    original_in_ours: Template,
    ordinary_starts: bool,
    /// Sequences that the original did not survive.
    abandoned: usize,
    /// Files of typed rules that the original took whole.
    typed: usize,
}

impl Arena {
    fn new() -> Self {
        let networks = [Network::new(), Network::new()];
        let [original, original_in_ours] = networks.each_ref().map(|network| {
            network.enter();
            Template::new(reference())
        });
        let [theirs, ours] = networks;
        Self {
            theirs,
            ours,
            original,
            original_in_ours,
            ordinary_starts: false,
            abandoned: 0,
            typed: 0,
        }
    }

    fn theirs(&mut self, words: &[String], input: &str) -> Outcome {
        if self.ordinary_starts {
            self.theirs.enter();
            return theirs(words, input);
        }
        self.original.run(&with_name(words), input)
    }

    fn theirs_in_ours(&mut self, words: &[String]) -> Outcome {
        if self.ordinary_starts {
            self.ours.enter();
            return theirs(words, "");
        }
        self.original_in_ours.run(&with_name(words), "")
    }

    fn ours(&self, words: &[String], input: &str) -> Outcome {
        self.ours.enter();
        ours(words, input)
    }

    /// Where they part twice in a row: what the programs do differs every time, while the kernel's dumps, which
    /// go on by position, show the original an entry twice now and then.
    fn differ(&mut self, lines: &[Line], restores: bool) -> Option<Difference> {
        self.run(lines, restores)?;
        self.run(lines, restores)
    }

    /// Runs a sequence from empty tables; the first difference, if any. Restoring takes four more
    /// processes of the original.
    fn run(&mut self, lines: &[Line], restores: bool) -> Option<Difference> {
        self.theirs.clear();
        self.ours.clear();
        let mut taken = Vec::new();
        for line in lines {
            if line.first().is_some_and(|word| word == "--stop-daemon") {
                // Stopped before it runs, a daemon makes the kernel not answer, and the original waits.
                std::thread::sleep(Duration::from_millis(100));
            }
            let expected = self.theirs(line, "");
            let found = self.ours(line, "");
            // It crashes on some words; what it does to the table first it does not say.
            if expected.status.is_none() {
                self.abandoned += 1;
                return None;
            }
            if let Some(difference) = outcomes(line, &expected, &found) {
                return Some(difference);
            }
            if expected.status == Some(0) && typed::is_rule(line) {
                taken.push(line.clone());
            }
        }
        tables(
            "the table after it",
            &self.theirs.table(),
            &self.ours.table(),
        )
        .or_else(|| self.read_each_other())
        .or_else(|| restores.then(|| self.restore_each_other()).flatten())
        .or_else(|| restores.then(|| self.restore_typed(&taken)).flatten())
    }

    /// Both restore the same from the commands that were taken, written as people write them.
    fn restore_typed(&mut self, taken: &[Line]) -> Option<Difference> {
        let (text, restore) = (typed::rules(taken), ["-R".to_owned()]);
        self.theirs.clear();
        self.ours.clear();
        let expected = self.theirs(&restore, &text);
        // Of what it does not take whole, ours takes nothing.
        if text.is_empty() || expected.status != Some(0) || !expected.stderr.is_empty() {
            return None;
        }
        self.typed += 1;
        let found = self.ours(&restore, &text);
        outcomes(&[format!("-R of {text:?}")], &expected, &found)
            .or_else(|| tables(&text, &self.theirs.table(), &self.ours.table()))
    }

    /// The original's list of our table is our list of it. Unsorted, because the kernel's own order differs
    /// from one network namespace to the next and can only be compared within one.
    fn read_each_other(&mut self) -> Option<Difference> {
        let words = ["-Ln".to_owned(), "--nosort".to_owned()];
        let expected = self.theirs_in_ours(&words);
        let found = self.ours(&words, "");
        outcomes(&["-Ln --nosort of our table".to_owned()], &expected, &found)
    }

    /// What one saves the other restores.
    fn restore_each_other(&mut self) -> Option<Difference> {
        let save = ["-Sn".to_owned()];
        let restore = ["-R".to_owned()];
        let saved = self.theirs(&save, "").stdout;
        let before = as_saved(self.theirs.table());
        if before.is_empty() {
            return None;
        }
        self.ours.clear();
        let restored = self.ours(&restore, &saved);
        if restored.status != Some(0) {
            return Some(Difference {
                what: "our -R of the original's -Sn".to_owned(),
                theirs: saved,
                ours: format!("{restored:?}"),
            });
        }
        tables(
            "our table restored from the original's",
            &before,
            &self.ours.table(),
        )
        .or_else(|| {
            let saved = self.ours(&save, "").stdout;
            self.theirs.clear();
            let restored = self.theirs(&restore, &saved);
            if restored.status != Some(0) || !restored.stderr.is_empty() {
                return Some(Difference {
                    what: "the original's -R of our -Sn".to_owned(),
                    theirs: format!("{restored:?}"),
                    ours: saved,
                });
            }
            tables(
                "the original's table restored from ours",
                &self.theirs.table(),
                &self.ours.table(),
            )
        })
    }

    /// Shows a difference with the fewest lines that still make it.
    fn show(&mut self, name: &str, mut lines: Vec<Line>, mut difference: Difference) {
        let mut index = lines.len();
        while index > 0 {
            index -= 1;
            let mut fewer = lines.clone();
            fewer.remove(index);
            if let Some(found) = self.differ(&fewer, true) {
                lines = fewer;
                difference = found;
            }
        }
        let mut text = format!("note {name} differs: {}\n", difference.what);
        for line in &lines {
            text.push_str(&format!("note   ipvsadm {}\n", line.join(" ")));
        }
        for (who, what) in [("theirs", &difference.theirs), ("ours", &difference.ours)] {
            for line in what.lines() {
                text.push_str(&format!("note   {who}: {line}\n"));
            }
        }
        print!("{text}");
    }
}

fn with_name(words: &[String]) -> Vec<&str> {
    std::iter::once("ipvsadm")
        .chain(words.iter().map(String::as_str))
        .collect()
}

fn outcomes(line: &[String], expected: &Outcome, found: &Outcome) -> Option<Difference> {
    let saves = line
        .first()
        .is_some_and(|word| word.starts_with("-S") || word == "--save");
    let mut found = found.clone();
    if saves {
        found.stdout = what_the_original_keeps(&found.stdout);
    }
    let mut expected = expected.clone();
    // Its `-b` with nothing behind it.
    expected.stdout = expected.stdout.replace(" -b \n", "\n");
    if expected == found {
        return None;
    }
    let shown = |outcome: &Outcome| {
        format!(
            "status {:?}\nstdout {:?}\nstderr {:?}",
            outcome.status, outcome.stdout, outcome.stderr
        )
    };
    Some(Difference {
        what: format!("`{}`", line.join(" ")),
        theirs: shown(&expected),
        ours: shown(&found),
    })
}

/// `-S` of the original has no `-x` and `-y`, and no third flag of `sh` and `mh`.
fn what_the_original_keeps(saved: &str) -> String {
    let mut out = String::new();
    for line in saved.lines() {
        let mut words = line.split(' ');
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            if word == "-x" || word == "-y" {
                words.next();
            } else {
                kept.push(word);
            }
        }
        let mut line = kept.join(" ");
        if line.contains(" -s sh ") || line.contains(" -s mh ") {
            line = line.replace(",flag-3", "").replace(" -b flag-3", "");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// What the original's `-S` keeps: no thresholds, not every flag, and a mask only with persistence, where it matters.
fn as_saved(mut table: Table) -> Table {
    for status in &mut table {
        if ["sh", "mh"].contains(&status.service.scheduler.as_str()) {
            status.service.flags &= !Service::SCHEDULER_FLAG_3;
        }
        if status.service.persistence.is_none() {
            status.service.granularity = None;
        }
        for destination in &mut status.destinations {
            destination.destination.upper_threshold = 0;
            destination.destination.lower_threshold = 0;
        }
    }
    table
}

/// Compares configurations; counters are moved by whatever else goes on in a network.
fn tables(what: &str, expected: &Table, found: &Table) -> Option<Difference> {
    let lines = |table: &Table| -> BTreeSet<String> {
        table
            .iter()
            .flat_map(|status| {
                let service = format!("{:?}", status.service);
                let key = status.service.key;
                std::iter::once(service).chain(
                    status
                        .destinations
                        .iter()
                        .map(move |one| format!("{key} {:?}", one.destination)),
                )
            })
            .collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    if expected == found {
        return None;
    }
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    };
    Some(Difference {
        what: what.to_owned(),
        theirs: only(&expected, &found),
        ours: only(&found, &expected),
    })
}
