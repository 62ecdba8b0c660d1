//! Both programs through the same command lines, each in its own network namespace: standard output,
//! standard error, exit status and the table must be the same.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use lvslab::ipvs::{Service, Table};

use crate::generate::{Random, command};
use crate::network::Network;
use crate::report;
use crate::tools::{Outcome, ours, theirs};

/// How many differences are shown before it is enough.
const SHOWN: usize = 12;

/// Runs `sequences` sequences, some of them at the same time.
pub fn run(sequences: usize, seed: u64) {
    let next = AtomicUsize::new(0);
    let different = AtomicUsize::new(0);
    let commands = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let arena = Arena::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences || different.load(Ordering::Relaxed) >= SHOWN {
                        return;
                    }
                    let lines = sequence(seed, number);
                    commands.fetch_add(lines.len(), Ordering::Relaxed);
                    if let Some(difference) = arena.run(&lines, number % 3 == 0) {
                        different.fetch_add(1, Ordering::Relaxed);
                        arena.show(number, lines, difference);
                    }
                    if number % 250 == 249 {
                        println!("note {} sequences", number + 1);
                    }
                }
            });
        }
    });
    let (done, commands) = (
        next.load(Ordering::Relaxed).min(sequences),
        commands.load(Ordering::Relaxed),
    );
    report(
        &format!("{done} sequences, {commands} commands, seed {seed}: the same as the original"),
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

struct Arena {
    theirs: Network,
    ours: Network,
}

impl Arena {
    fn new() -> Self {
        Self {
            theirs: Network::new(),
            ours: Network::new(),
        }
    }

    fn theirs(&self, words: &[String], input: &str) -> Outcome {
        self.theirs.enter();
        theirs(words, input)
    }

    fn ours(&self, words: &[String], input: &str) -> Outcome {
        self.ours.enter();
        ours(words, input)
    }

    /// Runs a sequence from empty tables; the first difference, if any. Restoring takes four more
    /// processes of the original.
    fn run(&self, lines: &[Line], restores: bool) -> Option<Difference> {
        self.theirs.clear();
        self.ours.clear();
        for line in lines {
            let expected = self.theirs(line, "");
            let found = self.ours(line, "");
            // It crashes on some words; what it does to the table first it does not say.
            if expected.status.is_none() {
                return None;
            }
            if let Some(difference) = outcomes(line, &expected, &found) {
                return Some(difference);
            }
        }
        tables(
            "the table after it",
            &self.theirs.table(),
            &self.ours.table(),
        )
        .or_else(|| self.read_each_other())
        .or_else(|| restores.then(|| self.restore_each_other()).flatten())
    }

    /// The original's list of our table is our list of it. Unsorted, because the kernel's own order differs
    /// from one network namespace to the next and can only be compared within one.
    fn read_each_other(&self) -> Option<Difference> {
        let words = ["-Ln".to_owned(), "--nosort".to_owned()];
        self.ours.enter();
        let expected = theirs(&words, "");
        let found = ours(&words, "");
        outcomes(&["-Ln --nosort of our table".to_owned()], &expected, &found)
    }

    /// What one saves the other restores.
    fn restore_each_other(&self) -> Option<Difference> {
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
    fn show(&self, number: usize, mut lines: Vec<Line>, mut difference: Difference) {
        let mut index = lines.len();
        while index > 0 {
            index -= 1;
            let mut fewer = lines.clone();
            fewer.remove(index);
            if let Some(found) = self.run(&fewer, true) {
                lines = fewer;
                difference = found;
            }
        }
        let mut text = format!("note sequence {number} differs: {}\n", difference.what);
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
