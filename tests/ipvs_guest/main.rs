//! Checks that need a kernel with IPVS and root: they run inside the sandbox, never on this machine.
//!
//! `ipvs_guest client` exercises the client, each check in a network namespace of its own. Every line of
//! standard output starts with `ok`, `FAILED` or `note`; the last one is `ipvs_guest: N passed` or
//! `ipvs_guest: N failed`, and the exit status says the same.

mod client;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use lvslab::netlink::route::RouteSocket;
use nix::sched::{CloneFlags, unshare};

static PASSED: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["client"] => client::all(),
        _ => {
            eprintln!("usage: ipvs_guest client");
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

/// Moves this thread into a new network namespace with its loopback up: without any address the kernel
/// has no local routing table there and takes every RIP for a broadcast address.
fn new_network() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
    let routes = RouteSocket::open().expect("a route socket");
    let lo = routes.link("lo").expect("an answer").expect("a loopback");
    routes.set_up(lo.index, true).expect("lo up");
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
