//! Checks that need a kernel with IPVS and root: they run inside the sandbox, never on this machine.
//!
//! - `ipvs_guest client`: the client, each check in a network namespace of its own.
//! - `ipvs_guest compare [SEQUENCES [SEED]]`: our ipvsadm against the distribution's.
//! - `ipvs_guest traffic`: connection lists and running downloads.
//! - `ipvs_guest bench`: speed and memory, next to the distribution's and to the floor.
//! - Called as `ipvsadm` it is our ipvsadm.
//!
//! Every line of standard output starts with `ok`, `FAILED` or `note`; the last one is `ipvs_guest: N
//! passed` or `ipvs_guest: N failed`, and the exit status says the same.

mod bench;
mod client;
mod compare;
mod generate;
mod network;
mod tools;
mod traffic;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use network::new_network;

static PASSED: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let called = arguments.first().map(String::as_str).unwrap_or_default();
    if Path::new(called)
        .file_name()
        .is_some_and(|name| name == "ipvsadm")
    {
        std::process::exit(lvslab::ipvsadm::main(std::env::args_os()));
    }
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let number = |index: usize, otherwise: u64| match words.get(index) {
        Some(word) => word.parse().ok(),
        None => Some(otherwise),
    };
    match (words.first().copied(), number(1, 400), number(2, 1)) {
        (Some("client"), _, _) => client::all(),
        (Some("compare"), Some(sequences), Some(seed)) => {
            compare::run(usize::try_from(sequences).unwrap_or(usize::MAX), seed);
        }
        (Some("traffic"), _, _) => traffic::all(),
        (Some("bench"), _, _) => bench::run(),
        (Some("memory"), Some(destinations), _) => {
            bench::measure_memory(usize::try_from(destinations).unwrap_or(usize::MAX));
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("usage: ipvs_guest client | traffic | compare [SEQUENCES [SEED]] | bench");
            return ExitCode::from(2);
        }
    }
    let (passed, failed) = (
        PASSED.load(Ordering::Relaxed),
        FAILED.load(Ordering::Relaxed),
    );
    // Nothing checked is no success.
    if failed > 0 || passed == 0 {
        println!("ipvs_guest: {failed} failed");
        return ExitCode::FAILURE;
    }
    println!("ipvs_guest: {passed} passed");
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
