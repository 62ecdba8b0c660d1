//! Checks that need a kernel with IPVS and root. They run inside the sandbox, never on this machine: the
//! end-to-end tests and the benchmark upload themselves there and call themselves again.
//!
//! - `PROGRAM ipvs-guest client`: the client, each check in a network namespace of its own.
//! - `PROGRAM ipvs-guest differences`: where our ipvsadm differs from the distribution's on purpose, and what
//!   both say without root.
//! - `PROGRAM ipvs-guest traffic`: connection lists and running downloads.
//! - `PROGRAM ipvs-guest compare [SEQUENCES [SEED]]`: our ipvsadm against the distribution's.
//! - `PROGRAM ipvs-guest bench`: speed and memory, next to the distribution's and to the floor.
//! - Called as `ipvsadm` it is our ipvsadm.
//!
//! Every line of standard output starts with `ok`, `FAILED` or `note`; the last one is `ipvs-guest: N
//! passed` or `ipvs-guest: N failed`, and the exit status says the same.

mod bench;
mod cases;
mod client;
mod compare;
mod differences;
mod generate;
mod names;
mod network;
mod random;
mod refusals;
mod template;
mod tools;
mod traffic;
mod typed;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use network::new_network;

/// First argument that makes a program run these checks.
pub const FACE: &str = "ipvs-guest";

/// Where the benchmark puts the program itself.
pub const OURS: &str = "/var/tmp/lvslab";

static PASSED: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Runs what this process was called for, if it was called for these checks.
pub fn asked() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let called = arguments.first().map(String::as_str).unwrap_or_default();
    if Path::new(called)
        .file_name()
        .is_some_and(|name| name == "ipvsadm")
    {
        std::process::exit(lvslab::ipvsadm::main(std::env::args_os()));
    }
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    (words.first() == Some(&FACE)).then(|| run(&words[1..]))
}

fn run(words: &[&str]) -> ExitCode {
    let number = |index: usize, otherwise: u64| match words.get(index) {
        Some(word) => word.parse().ok(),
        None => Some(otherwise),
    };
    match (words.first().copied(), number(1, 400), number(2, 1)) {
        (Some("client"), _, _) => client::all(),
        (Some("differences"), _, _) => {
            differences::all();
            names::all();
            refusals::all();
        }
        (Some("traffic"), _, _) => traffic::all(),
        (Some("compare"), Some(sequences), Some(seed)) => {
            compare::run(usize::try_from(sequences).unwrap_or(usize::MAX), seed);
        }
        (Some("bench"), _, _) => bench::run(),
        (Some("memory"), Some(destinations), _) => {
            bench::measure_memory(usize::try_from(destinations).unwrap_or(usize::MAX));
            return ExitCode::SUCCESS;
        }
        (Some("floor"), _, _) => {
            bench::send_standard_input();
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!(
                "usage: {FACE} client | differences | traffic | compare [SEQUENCES [SEED]] | bench"
            );
            return ExitCode::from(2);
        }
    }
    let (passed, failed) = (
        PASSED.load(Ordering::Relaxed),
        FAILED.load(Ordering::Relaxed),
    );
    // Nothing checked is no success.
    if failed > 0 || passed == 0 {
        println!("{FACE}: {failed} failed");
        return ExitCode::FAILURE;
    }
    println!("{FACE}: {passed} passed");
    ExitCode::SUCCESS
}

/// Runs `body` in a new network namespace and reports.
fn check(name: &str, body: fn()) {
    let outcome = std::thread::spawn(move || {
        new_network();
        body();
    })
    .join();
    report(name, outcome.is_ok());
}

fn report(name: &str, passed: bool) {
    if passed {
        PASSED.fetch_add(1, Ordering::Relaxed);
        println!("ok {name}");
    } else {
        FAILED.fetch_add(1, Ordering::Relaxed);
        println!("FAILED {name}");
    }
}
