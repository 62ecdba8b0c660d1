//! How long the original and ours take in turn, and two comparisons: the floor, which sends the same messages,
//! encoded beforehand, in one `sendmsg`; and ours without its shortcuts for large tables.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use lvslab::ipvs::wire::{encode, encode_by_attributes};
use lvslab::ipvs::{Client, Command};
use lvslab::ipvsadm::parse_rules;
use nix::sys::socket::{setsockopt, sockopt};

use super::network::new_network;
use super::report;
use super::tools::{guest_process, ours_process, reference};

/// Runs of the original, whose restore takes longer than everything else together.
const ROUNDS: usize = 3;

/// Runs of ours and of the floors in each round, in turn.
const REPEATS: usize = 7;

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
fn time(mut command: Process, words: &[&str], input: &[u8]) -> Duration {
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
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("its output")
    });
    assert!(output.status.success(), "{words:?}");
    start.elapsed()
}

/// The messages of `rules`, encoded as they are sent.
fn encoded(rules: &str, family: u16) -> Vec<u8> {
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_ACK: u16 = 4;
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
        message(&mut bytes, family, flags, index as u32 + 1, &payload);
    }
    bytes
}

fn message(bytes: &mut Vec<u8>, family: u16, flags: u16, sequence: u32, payload: &[u8]) {
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
}

fn socket(send_bytes: usize) -> netlink_sys::Socket {
    let mut socket =
        netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_GENERIC).expect("a socket");
    socket.bind_auto().expect("an address");
    setsockopt(&socket.as_fd(), sockopt::SndBufForce, &(send_bytes * 2)).expect("a large buffer");
    socket
}

/// Sends everything in one `sendmsg` and waits for its answer.
fn send(socket: &netlink_sys::Socket, bytes: &[u8]) {
    socket.send(bytes, 0).expect("everything at once");
    let mut answer = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0).expect("an answer");
    assert_eq!(answer.get(16..20), Some(&[0; 4][..]), "the acknowledgement");
}

/// The floor as a process: what is on standard input goes to the kernel as it is.
pub fn send_standard_input() {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .expect("messages");
    send(&socket(bytes.len()), &bytes);
}

/// The messages of `rules`, sent at once and waited for.
fn restore_floor(rules: &str) -> Duration {
    let bytes = encoded(rules, Client::open().expect("IPVS").family_id());
    let socket = socket(bytes.len());
    let start = Instant::now();
    send(&socket, &bytes);
    start.elapsed()
}

/// Every dump that a list takes, with nothing decoded.
fn list_floor() -> Duration {
    const GET_SERVICE: [u8; 4] = [4, 1, 0, 0];
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    const NLMSG_DONE: [u8; 2] = [3, 0];
    let client = Client::open().expect("IPVS");
    let family = client.family_id();
    let mut requests = vec![GET_SERVICE.to_vec()];
    for status in client.services().expect("services") {
        let mut request = Vec::new();
        // The request of a deletion names the service and nothing else; so does that of a dump.
        encode(&Command::DeleteService(status.service.key), &mut request);
        request[0] = 8;
        requests.push(request);
    }
    let socket = socket(4096);
    let mut answer = Vec::with_capacity(64 * 1024);
    let start = Instant::now();
    for (index, request) in requests.iter().enumerate() {
        let mut bytes = Vec::with_capacity(128);
        message(
            &mut bytes,
            family,
            NLM_F_REQUEST_DUMP,
            index as u32 + 1,
            request,
        );
        socket.send(&bytes, 0).expect("a request");
        loop {
            answer.clear();
            socket.recv(&mut answer, 0).expect("an answer");
            if answer.get(4..6) == Some(&NLMSG_DONE) {
                break;
            }
        }
    }
    start.elapsed()
}

/// The kernel's own text of the same table, read whole.
fn text_floor() -> Duration {
    let start = Instant::now();
    let text = std::fs::read("/proc/thread-self/net/ip_vs").expect("the text");
    assert!(text.len() > 10_000 * 40, "{} bytes", text.len());
    start.elapsed()
}

/// Times of one thing, round after round.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The fastest: whatever else runs on the machine only ever adds to a time.
    fn fastest(&self) -> f64 {
        self.0.iter().min().map_or(0.0, Duration::as_secs_f64)
    }

    fn median(&self) -> f64 {
        let mut times = self.0.clone();
        times.sort();
        times
            .get(times.len() / 2)
            .map_or(0.0, Duration::as_secs_f64)
    }
}

/// One verb of both programs.
struct Verb {
    name: &'static str,
    words: &'static [&'static str],
    theirs: Times,
    ours: Times,
}

impl Verb {
    fn new(name: &'static str, words: &'static [&'static str]) -> Self {
        let (theirs, ours) = Default::default();
        Self {
            name,
            words,
            theirs,
            ours,
        }
    }
}

/// Ours without a shortcut, by ways that do not take it.
#[derive(Default)]
struct Shortcuts {
    /// Restoring lines that start with a blank, which the reader of plain lines (`saved_line`) leaves to the
    /// general one.
    general_reader: Times,
    /// Messages written in this process by the direct encoder and by the general one.
    direct: Times,
    general_encoder: Times,
    /// Listing with a column that `/proc/net/ip_vs` does not have, so that it comes over netlink.
    netlink: Times,
}

impl Shortcuts {
    /// Each once; the table is empty before and after.
    fn measure(&mut self, rules: &str, commands: &[Command]) {
        let blanks: String = rules.lines().map(|line| format!(" {line}\n")).collect();
        self.general_reader
            .add(time(ours_process(), &["-R"], blanks.as_bytes()));
        self.netlink
            .add(time(ours_process(), &["-Ln", "--tun-info"], b""));
        time(ours_process(), &["-C"], b"");
        for (times, encode) in [
            (&mut self.direct, encode as fn(&Command, &mut Vec<u8>)),
            (&mut self.general_encoder, encode_by_attributes),
        ] {
            let mut bytes = Vec::new();
            let start = Instant::now();
            for command in commands {
                encode(command, &mut bytes);
            }
            times.add(start.elapsed());
        }
    }
}

/// What cannot be done faster than the kernel does it.
#[derive(Default)]
struct Floors {
    /// Messages sent by a process that is there already.
    sent: Times,
    /// Messages read from standard input and sent by a process of their own.
    process: Times,
    dumps: Times,
    text: Times,
}

impl Floors {
    /// Each once; the table is empty before and after.
    fn measure(&mut self, rules: &str) {
        self.sent.add(restore_floor(rules));
        self.dumps.add(list_floor());
        self.text.add(text_floor());
        let client = Client::open().expect("IPVS");
        client.flush().expect("an empty table");
        let bytes = encoded(rules, client.family_id());
        self.process.add(time(guest_process("floor"), &[], &bytes));
        client.flush().expect("an empty table");
    }
}

pub fn run() {
    let rules = rules(1000, 10);
    let mut verbs = [
        Verb::new("start (-v)", &["-v"]),
        Verb::new("restore", &["-R"]),
        Verb::new("list", &["-Ln"]),
        Verb::new("save", &["-Sn"]),
        Verb::new("clear", &["-C"]),
    ];
    let commands = parse_rules(&rules).expect("rules");
    let mut floors = Floors::default();
    let mut shortcuts = Shortcuts::default();
    new_network();
    for _ in 0..ROUNDS {
        for verb in &mut verbs {
            verb.theirs
                .add(time(reference(), verb.words, rules.as_bytes()));
        }
        for _ in 0..REPEATS {
            for verb in &mut verbs {
                verb.ours
                    .add(time(ours_process(), verb.words, rules.as_bytes()));
            }
            floors.measure(&rules);
            shortcuts.measure(&rules, &commands);
        }
    }
    println!(
        "note 1,000 services x 10 real servers, seconds, fastest (median) of {ROUNDS} and of {} runs",
        ROUNDS * REPEATS
    );
    println!("note                   original              ours        ratio");
    for verb in &verbs {
        println!(
            "note {:<10} {:>8.3} ({:>7.3}) {:>8.3} ({:>7.3}) {:>5.1}x ({:.1}x)",
            verb.name,
            verb.theirs.fastest(),
            verb.theirs.median(),
            verb.ours.fastest(),
            verb.ours.median(),
            verb.theirs.fastest() / verb.ours.fastest(),
            verb.theirs.median() / verb.ours.median(),
        );
    }
    let [_, restore, list, _, _] = &verbs;
    for (name, floor, ours) in [
        (
            "restore: process that sends",
            &floors.process,
            &restore.ours,
        ),
        ("restore: messages sent", &floors.sent, &restore.ours),
        ("list: dumps not decoded", &floors.dumps, &list.ours),
        ("list: /proc/net/ip_vs read", &floors.text, &list.ours),
    ] {
        println!(
            "note floor of {name:<28} {:>7.3} ({:>6.3}); ours is {:.2} ({:.2}) times that",
            floor.fastest(),
            floor.median(),
            ours.fastest() / floor.fastest(),
            ours.median() / floor.median()
        );
    }
    for (name, without, with) in [
        (
            "restore, plain lines read generally",
            &shortcuts.general_reader,
            &restore.ours,
        ),
        (
            "messages of a restore, encoded generally",
            &shortcuts.general_encoder,
            &shortcuts.direct,
        ),
        ("list over netlink alone", &shortcuts.netlink, &list.ours),
    ] {
        println!(
            "note without a shortcut: {name:<41} {:>7.3} ({:>6.3}); with it {:.3} ({:.3})",
            without.fastest(),
            without.median(),
            with.fastest(),
            with.median()
        );
    }
    for destinations in [25_000, 50_000, 100_000] {
        println!("note {destinations} destinations: {}", memory(destinations));
    }
    report("benchmark", true);
}

/// Peak memory of a process of ours that restores so many destinations.
fn memory(destinations: usize) -> String {
    let output = guest_process("memory")
        .arg(destinations.to_string())
        .output()
        .expect("this program");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Restores in this process and says what the kernel counts for it.
pub fn measure_memory(destinations: usize) {
    new_network();
    let text = rules(100, destinations / 100);
    let start = Instant::now();
    let outcome = super::tools::ours(&["-R".to_owned()], &text);
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
