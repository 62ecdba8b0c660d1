//! End to end: the program as people run it, on the sandbox's real kernel, SSH, httpd and curl.
//!
//! The run prepares the sandbox (and installs what that takes, without asking), brings each lab up once,
//! saves it, and starts every further test from the saved lab. Without a sandbox every test fails: none is skipped.

mod browser;
mod choice;
mod fault_table;
mod faults;
mod found;
mod healthy;
mod interrupted;
mod ipvs;
#[path = "../ipvs_guest/mod.rs"]
mod ipvs_guest;
mod labs;
mod look;
mod machines;
mod other_labs;
#[path = "../../src/testing/programs.rs"]
mod packages;
mod printed;
mod rollback;
mod stage;
mod starting;
mod systemd;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use stage::{Check, Stage};

fn main() -> ExitCode {
    if let Some(ended) = ipvs_guest::asked() {
        return ended;
    }
    let mut arguments = Arguments::from_args();
    // The sandbox's emulated processors are the limit, not this process.
    arguments.test_threads.get_or_insert(1);
    if let Err(mistake) = choice::only_fault()
        .and(choice::looks())
        .and(choice::writes_docs())
    {
        eprintln!("error: {mistake}");
        return ExitCode::FAILURE;
    }
    let stage = Arc::new(Stage::open().expect("a temporary directory"));
    if !arguments.list {
        let prepared = stage.lvslab(&["sandbox", "prepare", "--yes"]);
        eprint!("{}", prepared.err);
        if prepared.code != 0 {
            eprintln!("the sandbox cannot be prepared, so every test below will fail");
        }
    }
    let trials = labs::TESTS
        .iter()
        .chain(machines::TESTS)
        .chain(interrupted::TESTS)
        .chain(rollback::TESTS)
        .chain(wire::TESTS)
        .chain(faults::TESTS)
        .chain(other_labs::TESTS)
        .chain(healthy::TESTS)
        .chain(starting::TESTS)
        .chain(systemd::TESTS)
        .chain(ipvs::TESTS)
        .map(|&(name, test)| {
            let stage = Arc::clone(&stage);
            Trial::test(name, move || test(&stage).map_err(Into::into))
        });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let closed =
        Arc::into_inner(stage).map_or(Err("the stage is still in use".to_owned()), Stage::close);
    if let Err(left) = closed {
        eprintln!("error: {left}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// A test's name and body.
type Test = (&'static str, fn(&Stage) -> Check);
