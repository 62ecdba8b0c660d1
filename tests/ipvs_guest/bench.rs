//! How long the original and ours take, alternating, and the floor: the same messages, encoded before,
//! in one `sendmsg`.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lvslab::ipvs::Client;
use lvslab::ipvs::wire::encode;
use lvslab::ipvsadm::parse_rules;
use nix::sys::socket::{setsockopt, sockopt};

use crate::network::new_network;
use crate::report;
use crate::tools::{ours_process, reference};

const ROUNDS: usize = 3;

/// `services` services with `servers` real servers each, in save format.
pub fn rules(services: usize, servers: usize) -> String {
    let mut text = String::new();
    for service in 0..services {
        let vip = format!("10.{}.{}.1:80", service / 250, service % 250);
        text.push_str(&format!("-A -t {vip} -s wrr\n"));
        for server in 0..servers {
            text.push_str(&format!(
                "-a -t {vip} -r 172.{}.{}.{}:80 -g -w 1\n",
                16 + server / 60_000,
                server / 250 % 250,
                server % 250 + 1
            ));
        }
    }
    text
}

/// One process from start to end.
fn time(mut command: Command, words: &[&str], input: &str) -> Duration {
    let start = Instant::now();
    let mut child = command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("its input");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
        child.wait_with_output().expect("its output")
    });
    assert!(output.status.success(), "{words:?}");
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The messages of `rules`, sent at once and waited for.
fn floor(rules: &str) -> Duration {
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_ACK: u16 = 4;
    let family = Client::open().expect("IPVS").family_id();
    let commands = parse_rules(rules).expect("rules");
    let mut bytes = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let mut payload = Vec::new();
        encode(command, &mut payload);
        let flags = if index + 1 == commands.len() {
            NLM_F_REQUEST | NLM_F_ACK
        } else {
            NLM_F_REQUEST
        };
        bytes.extend((16 + payload.len() as u32).to_ne_bytes());
        bytes.extend(family.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend((index as u32 + 1).to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
    }
    let mut socket =
        netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_GENERIC).expect("a socket");
    socket.bind_auto().expect("an address");
    setsockopt(&socket.as_fd(), sockopt::SndBufForce, &(bytes.len() * 2)).expect("a large buffer");
    let start = Instant::now();
    socket.send(&bytes, 0).expect("everything at once");
    let mut answer = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0).expect("an answer");
    let elapsed = start.elapsed();
    assert_eq!(answer.get(16..20), Some(&[0; 4][..]), "the acknowledgement");
    elapsed
}

pub fn run() {
    let rules = rules(1000, 10);
    let mut theirs = [const { Vec::new() }; 4];
    let mut ours = [const { Vec::new() }; 4];
    let mut floors = Vec::new();
    let mut starts = [Vec::new(), Vec::new()];
    let steps: [(&str, &[&str]); 4] = [
        ("restore", &["-R"]),
        ("list", &["-Ln"]),
        ("save", &["-Sn"]),
        ("clear", &["-C"]),
    ];
    new_network();
    for _ in 0..ROUNDS {
        for (step, (_, words)) in steps.iter().enumerate() {
            theirs[step].push(time(reference(), words, &rules));
        }
        for (step, (_, words)) in steps.iter().enumerate() {
            ours[step].push(time(ours_process(), words, &rules));
        }
        floors.push(floor(&rules));
        Client::open()
            .expect("IPVS")
            .flush()
            .expect("an empty table");
        starts[0].push(time(reference(), &["-v"], ""));
        starts[1].push(time(ours_process(), &["-v"], ""));
    }
    println!("note 1,000 services x 10 real servers, median of {ROUNDS} rounds, seconds");
    println!("note            original     ours    ratio");
    let row = |name: &str, theirs: Duration, ours: Duration| {
        println!(
            "note {name:<10} {:>8.3} {:>8.3} {:>7.1}x",
            theirs.as_secs_f64(),
            ours.as_secs_f64(),
            theirs.as_secs_f64() / ours.as_secs_f64()
        );
    };
    let [start_theirs, start_ours] = starts.map(median);
    row("start (-v)", start_theirs, start_ours);
    let mut medians = Vec::new();
    for (step, (name, _)) in steps.iter().enumerate() {
        let (one, other) = (
            median(std::mem::take(&mut theirs[step])),
            median(std::mem::take(&mut ours[step])),
        );
        row(name, one, other);
        medians.push(other);
    }
    let floor = median(floors);
    println!(
        "note floor      {:>17.3}  restore is {:.2} times the floor",
        floor.as_secs_f64(),
        medians[0].as_secs_f64() / floor.as_secs_f64()
    );
    for destinations in [25_000, 50_000, 100_000] {
        println!("note {destinations} destinations: {}", memory(destinations));
    }
    report("benchmark", true);
}

/// Peak memory of a process of ours that restores so many destinations.
fn memory(destinations: usize) -> String {
    let output = Command::new("/proc/self/exe")
        .args(["memory", &destinations.to_string()])
        .output()
        .expect("this program");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Restores in this process and says what the kernel counts for it.
pub fn measure_memory(destinations: usize) {
    new_network();
    let text = rules(100, destinations / 100);
    let start = Instant::now();
    let outcome = crate::tools::ours(&["-R".to_owned()], &text);
    let elapsed = start.elapsed();
    let status = std::fs::read_to_string("/proc/self/status").expect("our own status");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default()
        .trim();
    println!(
        "status {:?}, {:.2} s, peak memory {peak}, rules {} KiB",
        outcome.status,
        elapsed.as_secs_f64(),
        text.len() / 1024
    );
}
