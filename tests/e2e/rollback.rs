//! Machines that cannot be reached any more after their changes. A gate on a loopback port, between lvslab and the
//! host's SSH server, decides which connections get through.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Test;
use crate::found::{same_lines, state_of};
use crate::machines::Machines;
use crate::stage::{Check, Stage, equal};

pub const TESTS: &[Test] = &[
    (
        "a_host_that_lets_no_new_connection_in_puts_itself_back",
        puts_itself_back,
    ),
    (
        "a_host_that_stays_cut_off_has_put_itself_back_all_the_same",
        stays_cut_off,
    ),
];

/// Lets the first connection through; the others have to wait until it is opened.
struct Gate {
    port: u16,
    open: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Gate {
    fn before(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let gate = Self {
            port: listener.local_addr()?.port(),
            open: Arc::default(),
            ended: Arc::default(),
        };
        let (open, ended) = (Arc::clone(&gate.open), Arc::clone(&gate.ended));
        let passed = AtomicUsize::new(0);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                if open.load(Ordering::Relaxed) || passed.fetch_add(1, Ordering::Relaxed) == 0 {
                    let _ = join(client, port);
                }
            }
        });
        Ok(gate)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The thread sees `ended` when the next connection comes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Passes bytes on in both directions until one side closes.
fn join(client: TcpStream, port: u16) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    let ways = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (mut from, mut to) in ways {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

/// Machines with a gate before web1, and the inventory in which web1 is reached through it.
fn gated<'a>(stage: &'a Stage) -> Result<(Machines<'a>, Gate, String), String> {
    let machines = Machines::start(stage, "dr", &[])?;
    let gate = Gate::before(machines.ports["web1"]).map_err(|error| error.to_string())?;
    let inventory = machines.inventory(|host, port, _, known| {
        if host == "web1" {
            let pinned = std::fs::read_to_string(&*known).unwrap_or_default();
            let moved = format!("[127.0.0.1]:{} ", gate.port);
            let moved = pinned.replace(&format!("[127.0.0.1]:{port} "), &moved);
            *port = gate.port;
            *known = stage.path("gated_hosts");
            let _ = std::fs::write(known, moved);
        }
    })?;
    Ok((machines, gate, inventory))
}

/// Waits until web1's note of its trial has `state` in it.
fn wait_for(machines: &Machines<'_>, state: &str) -> Check {
    let end = Instant::now() + Duration::from_secs(300);
    loop {
        let note = machines.exec("web1", &["cat", "/var/lib/lvslab/trial/dr.json"]);
        if note.out.contains(state) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("web1 never noted {state}\n{note}"));
        }
        thread::sleep(Duration::from_millis(300));
    }
}

fn puts_itself_back(stage: &Stage) -> Check {
    let (machines, gate, inventory) = gated(stage)?;
    let before = beside_agent(&machines)?;
    let open = Arc::clone(&gate.open);
    let ran = thread::scope(|scope| {
        let up = scope.spawn(|| {
            // Long enough for the other three to be confirmed on a busy machine.
            let arguments = ["--yes", "--confirm-within", "40"];
            machines.lvslab("up", &inventory, &arguments)
        });
        let watched = wait_for(&machines, "rolled-back");
        open.store(true, Ordering::Relaxed);
        let ran = up.join().map_err(|_| "up panicked".to_owned())?;
        watched.map(|()| ran)
    })?;
    let ran = ran
        .exit(5)?
        .says("web1")?
        .says("no new connection came through")?
        .says("client, director, web2 are done")?;
    if ran.out.contains("verified") {
        return Err(format!("a word of success after a rollback\n{ran}"));
    }
    same_lines("web1", &before, &beside_agent(&machines)?)?;
    machines
        .exec("web2", &["test", "-e", "/var/lib/lvslab/trial"])
        .exit(1)?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("verified")?;
    machines
        .exec("web1", &["test", "-e", "/var/lib/lvslab/trial"])
        .exit(1)?;
    machines.lvslab("down", &inventory, &[]).exit(0)?;
    Ok(())
}

fn stays_cut_off(stage: &Stage) -> Check {
    let (machines, _gate, inventory) = gated(stage)?;
    let before = beside_agent(&machines)?;
    let arguments = ["--yes", "--confirm-within", "15"];
    machines
        .lvslab("up", &inventory, &arguments)
        .exit(4)?
        .says("web1")?
        .says("which is not confirmed")?;
    wait_for(&machines, "rolled-back")?;
    same_lines("web1", &before, &beside_agent(&machines)?)?;
    let kept = machines.exec("web1", &["ls", "/var/lib/lvslab/journal"]);
    equal("labs that web1 remembers", &kept.out.trim(), &"dr.jsonl")
}

/// The state of web1 without the agent and the journal, which stay after a rollback for the next `up` or `down`.
fn beside_agent(machines: &Machines<'_>) -> Result<String, String> {
    let state = state_of(|command| machines.exec("web1", command))?;
    let lines = state.lines();
    let others = lines.filter(|line| !line.starts_with("/var/lib/lvslab/"));
    Ok(others.map(|line| format!("{line}\n")).collect())
}
