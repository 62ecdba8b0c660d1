//! Both programs through the same command lines, each in its own network namespace: standard output,
//! standard error, exit status and the table must be the same. Every sequence runs with our own behaviour or
//! with the original's; the latter has no allowance for what ours does differently on purpose.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lvslab::ipvs::{Service, Table};
use lvslab::ipvsadm::Behaviour;

use super::cases::committed;
use super::generate::command;
use super::network::Network;
use super::random::Random;
use super::report;
use super::template::Template;
use super::tools::{Outcome, ours_as, reference, theirs};
use super::typed;

/// How many differences are shown before the run ends.
const SHOWN: usize = 12;

/// One sequence of so many starts the original anew for each command, to check the [`Template`].
const ORDINARY_STARTS: usize = 40;

/// If more than one sequence of so many ends early, the rest proves too little.
const MOST_ABANDONED: usize = 20;

/// How often the original is asked for a list that does not contradict itself.
const LISTS: usize = 10;

/// Runs the committed cases and `sequences` generated sequences, some of them at the same time.
pub fn run(sequences: usize, seed: u64) {
    let cases = committed();
    // Each committed case with both behaviours, then the generated sequences in turn.
    let jobs = 2 * cases.len() + sequences;
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
                    let behaviour = if job.is_multiple_of(2) {
                        Behaviour::Ours
                    } else {
                        Behaviour::Original
                    };
                    let (name, lines) = match cases.get(job / 2) {
                        Some(case) => (format!("case {}", job / 2 + 1), case.clone()),
                        None => {
                            let number = job - 2 * cases.len();
                            let lines = sequence(seed, number, behaviour);
                            (format!("sequence {number}"), lines)
                        }
                    };
                    commands.fetch_add(lines.len(), Ordering::Relaxed);
                    arena.behaviour = behaviour;
                    arena.ordinary_starts = job.is_multiple_of(ORDINARY_STARTS);
                    let restores = behaviour == Behaviour::Original || job.is_multiple_of(3);
                    if let Some(difference) = arena.run(&lines, restores) {
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
        &format!("{abandoned} of {done} sequences ended early because of the original: few"),
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

fn sequence(seed: u64, number: usize, behaviour: Behaviour) -> Vec<Line> {
    let mut random = Random::new(seed.wrapping_mul(0x1_0000_0001).wrapping_add(number as u64));
    let length = 1 + number % 8;
    (0..length)
        .map(|_| command(&mut random, behaviour))
        .collect()
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
    /// Ours.
    behaviour: Behaviour,
    /// Sequences that ended early: the original crashed, or it contradicted itself.
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
            behaviour: Behaviour::Ours,
            abandoned: 0,
            typed: 0,
        }
    }

    fn theirs(&mut self, words: &[String], input: &str) -> Outcome {
        self.theirs.enter();
        asked_again(words, || {
            if self.ordinary_starts {
                theirs(words, input)
            } else {
                self.original.run(&with_name(words), input)
            }
        })
    }

    fn theirs_in_ours(&mut self, words: &[String]) -> Outcome {
        self.ours.enter();
        asked_again(words, || {
            if self.ordinary_starts {
                theirs(words, "")
            } else {
                self.original_in_ours.run(&with_name(words), "")
            }
        })
    }

    fn ours(&self, words: &[String], input: &str) -> Outcome {
        self.ours.enter();
        ours_as("ipvsadm", words, input, self.behaviour)
    }

    /// Runs a sequence from empty tables; the first difference, if any. Restoring takes four more
    /// processes of the original.
    fn run(&mut self, lines: &[Line], restores: bool) -> Option<Difference> {
        self.theirs.clear();
        self.ours.clear();
        let mut taken = Vec::new();
        for line in lines {
            if line.first().is_some_and(|word| word == "--stop-daemon") {
                // The kernel does not answer when a daemon is stopped before it has run, and the original waits
                // for the answer.
                std::thread::sleep(Duration::from_millis(100));
            }
            let expected = self.theirs(line, "");
            let found = self.ours(line, "");
            // It crashes on some words, and what it did to the table before that is unknown.
            if expected.status.is_none() || contradicts_itself(&expected.stdout) {
                self.abandoned += 1;
                return None;
            }
            if let Some(difference) = self.outcomes(line, &expected, &found) {
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
        .or_else(|| match (restores, self.behaviour) {
            (false, _) => None,
            (true, Behaviour::Ours) => self
                .restore_each_other()
                .or_else(|| self.restore_typed(&taken)),
            (true, Behaviour::Original) => self.restore_saved().or_else(|| self.restore_all(lines)),
        })
    }

    /// With the original's behaviour both save the same, and restore the same from it.
    fn restore_saved(&mut self) -> Option<Difference> {
        let save = ["-Sn".to_owned()];
        let (theirs, ours) = (self.theirs(&save, ""), self.ours(&save, ""));
        self.outcomes(&save, &theirs, &ours)
            .or_else(|| self.restore_both(&theirs.stdout))
    }

    /// With the original's behaviour both restore the same from any commands, those with mistakes and lists
    /// included.
    fn restore_all(&mut self, lines: &[Line]) -> Option<Difference> {
        // It waits for an answer that does not come; see `run`.
        let stops = |line: &Line| line.iter().any(|word| word.starts_with("--stop-daemon"));
        if lines.iter().any(stops) {
            return None;
        }
        self.restore_both(&typed::rules(lines))
    }

    fn restore_both(&mut self, text: &str) -> Option<Difference> {
        let restore = ["-R".to_owned()];
        self.theirs.clear();
        self.ours.clear();
        let expected = self.theirs(&restore, text);
        let found = self.ours(&restore, text);
        // Asking again would restore again.
        if expected.status.is_none() || contradicts_itself(&expected.stdout) {
            self.abandoned += 1;
            return None;
        }
        self.outcomes(&[format!("-R of {text:?}")], &expected, &found)
            .or_else(|| tables(text, &self.theirs.table(), &self.ours.table()))
    }

    /// Both restore the same from the commands that succeeded, written as people write them.
    fn restore_typed(&mut self, taken: &[Line]) -> Option<Difference> {
        let (text, restore) = (typed::rules(taken), ["-R".to_owned()]);
        self.theirs.clear();
        self.ours.clear();
        let expected = self.theirs(&restore, &text);
        // Ours restores nothing of rules that the original only takes in part.
        if text.is_empty() || expected.status != Some(0) || !expected.stderr.is_empty() {
            return None;
        }
        self.typed += 1;
        let found = self.ours(&restore, &text);
        self.outcomes(&[format!("-R of {text:?}")], &expected, &found)
            .or_else(|| tables(&text, &self.theirs.table(), &self.ours.table()))
    }

    /// Both list our table the same: sorted, and in the kernel's own order, which differs from one network
    /// namespace to the next and can only be compared within one.
    fn read_each_other(&mut self) -> Option<Difference> {
        ["-Ln", "-Ln --nosort"].into_iter().find_map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let expected = self.theirs_in_ours(&words);
            let found = self.ours(&words, "");
            self.outcomes(&[format!("{line} of our table")], &expected, &found)
        })
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

    fn outcomes(&self, line: &[String], expected: &Outcome, found: &Outcome) -> Option<Difference> {
        let (mut expected, mut found) = (expected.clone(), found.clone());
        if self.behaviour == Behaviour::Ours {
            let saves = line
                .first()
                .is_some_and(|word| word.starts_with("-S") || word == "--save");
            if saves {
                found.stdout = what_the_original_keeps(&found.stdout);
            }
            // Its `-b` with nothing behind it.
            expected.stdout = expected.stdout.replace(" -b \n", "\n");
        }
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

    /// Shows a difference with the fewest lines that still make it.
    fn show(&mut self, name: &str, mut lines: Vec<Line>, mut difference: Difference) {
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

/// What the original says to a command, asked again while its list contradicts itself.
///
/// The kernel goes on with a dump by counting the services of all network namespaces, so what other sequences
/// do meanwhile in theirs can make it send a service twice. Only the original is asked again, and only for
/// this: whatever else it says, and whatever ours says, counts.
fn asked_again(words: &[String], mut ask: impl FnMut() -> Outcome) -> Outcome {
    let mut outcome = ask();
    for _ in 1..LISTS {
        if !is_list(words) || !contradicts_itself(&outcome.stdout) {
            break;
        }
        outcome = ask();
    }
    outcome
}

/// Whether a command only reads, so that it can be repeated.
fn is_list(words: &[String]) -> bool {
    words.first().is_none_or(|word| {
        ["-L", "-l", "-S", "--list", "--save"]
            .iter()
            .any(|list| word.starts_with(list))
    })
}

/// Whether a list or saved rules have a service twice, or a real server twice in one service.
fn contradicts_itself(text: &str) -> bool {
    let mut services = HashSet::new();
    let mut servers = HashSet::new();
    text.lines().any(|line| {
        if line.starts_with("  -> ") || line.starts_with("-a ") {
            !servers.insert(line)
        } else if line.starts_with("-A ")
            || ["TCP ", "UDP ", "SCTP ", "FWM "]
                .iter()
                .any(|start| line.starts_with(start))
        {
            servers.clear();
            !services.insert(line)
        } else {
            if line.starts_with("Prot ") {
                // Another list begins.
                services.clear();
                servers.clear();
            }
            false
        }
    })
}

fn with_name(words: &[String]) -> Vec<&str> {
    std::iter::once("ipvsadm")
        .chain(words.iter().map(String::as_str))
        .collect()
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
