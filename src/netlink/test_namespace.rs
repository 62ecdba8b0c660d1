//! Network namespaces for tests: a test sees an empty network of its own, as root or without.

use std::fs::File;
use std::process::Command;
use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};

const INSIDE: &str = "LVSLAB_TEST_INSIDE_NAMESPACE";

/// Runs `body` in a new network namespace. Root unshares a thread; anybody else runs the test named
/// `test` (its full path) once more under `unshare -Urn`, which fails loudly where that is forbidden.
pub(crate) fn in_new_network(test: &str, body: impl FnOnce() + Send + 'static) {
    if nix::unistd::geteuid().is_root() || std::env::var_os(INSIDE).is_some() {
        let outcome = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
            body();
        })
        .join();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        return;
    }
    let output = Command::new("unshare")
        .args(["-Urn", "--"])
        .arg(std::env::current_exe().expect("this test's binary"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("util-linux's unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A second network namespace, held by its file.
pub(crate) fn another_network() -> File {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
        let _ = send.send(File::open("/proc/thread-self/ns/net").expect("its file"));
    });
    receive.recv().expect("the namespace's file")
}
