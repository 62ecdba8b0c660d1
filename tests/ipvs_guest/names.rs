//! Names of hosts: where ours come from, and where both programs find the same.

use std::fs;
use std::net::UdpSocket;

use super::check;
use super::differences::{original, restore, run, table, words};
use super::tools::{ours, theirs};

pub fn all() {
    check("names_of_hosts_are_those_of_etc_hosts", host_names);
    check("saving_writes_ipv6_addresses_as_numbers", saved_ipv6_names);
    check(
        "ipv6_lines_of_etc_hosts_mean_what_the_c_library_makes_of_them",
        ipv6_lines,
    );
}

/// More lines at the start of `/etc/hosts`, until it is dropped.
struct Hosts {
    before: String,
}

impl Hosts {
    const PATH: &'static str = "/etc/hosts";

    fn with(lines: &str) -> Self {
        let before = fs::read_to_string(Self::PATH).unwrap();
        fs::write(Self::PATH, format!("{lines}{before}")).unwrap();
        Self { before }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = fs::write(Self::PATH, &self.before);
    }
}

fn saved_ipv6_names() {
    let _hosts = Hosts::with("2001:db8::9 vip6.lab\n10.8.8.8 vip6.lab\n10.8.8.9 vip.lab\n");
    run("-A -t [2001:db8::9]:80 -s rr -p");
    run("-A -t 10.8.8.9:80 -s rr -p");
    let before = table();
    let saved = run("-S");
    assert_eq!(
        saved,
        "-A -t vip.lab:http -s rr -p 360\n-A -t [2001:db8::9]:http -s rr -p 360\n"
    );
    let theirs_saved = original("-S").stdout;
    assert!(
        theirs_saved.contains("-A -t [vip6.lab]:http "),
        "{theirs_saved}"
    );
    run("-C");
    theirs(&words("-R"), &theirs_saved);
    assert!(run("-Sn").contains("-A -t 10.8.8.8:"), "the original's");
    run("-C");
    assert_eq!(restore(&saved).status, Some(0));
    assert_eq!(table().len(), before.len());
    assert!(run("-Sn").contains("-A -t [2001:db8::9]:80 "));
    // A list is for people and has the name.
    assert_eq!(run("-L"), original("-L").stdout);
    assert!(run("-L").contains("[vip6.lab]:http"));
}

/// Who asks for IPv4 gets loopback for loopback, and what a mapped address maps.
fn ipv6_lines() {
    let _hosts = Hosts::with("::1 loop6.lab\n::ffff:10.3.3.3 mapped.lab\n");
    for (name, address) in [("loop6.lab", "127.0.0.1"), ("mapped.lab", "10.3.3.3")] {
        let add = format!("-A -t {name}:80 -s rr");
        run(&add);
        let found = run("-Sn");
        assert_eq!(found, format!("-A -t {address}:80 -s rr\n"));
        assert_eq!(run("-L"), original("-L").stdout);
        run("-C");
        assert_eq!(original(&add).status, Some(0));
        assert_eq!(run("-Sn"), found);
        run("-C");
    }
}

/// With no server named, the C library asks the one on this machine.
fn host_names() {
    let server = UdpSocket::bind("127.0.0.1:53").expect("the name service's port");
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = server.recv_from(&mut query) {
            let _ = server.send_to(&answer(&query[..length]), client);
        }
    });
    let line = "-A -t vip.lab:80 -s rr";
    let outcome = ours(&words(line), "");
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (Some(2), "illegal virtual server address[:port] specified\n")
    );
    assert_eq!(original(line).status, Some(0), "the original asks");
    assert_eq!(run("-Sn"), "-A -t 10.7.7.7:80 -s rr\n");
    run("-A -t web1:80 -s rr");
    assert!(run("-Sn").contains("-A -t 192.168.4.100:80 "));
    assert_eq!(
        original("-A -t web1:80 -s rr").stderr,
        "Service already exists\n"
    );
}

/// Every name has the address 10.7.7.7 (RFC 1035, 4.1).
fn answer(query: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = query[HEADER..].iter().position(|byte| *byte == 0).unwrap();
    // The name's end, type and class.
    let question = &query[HEADER..HEADER + name + 5];
    let mut answer = query[..2].to_vec();
    // An answer, recursion available; one question, one answer.
    answer.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(question);
    // The name of the question, A, IN, 60 seconds, 4 bytes.
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 7, 7, 7]);
    answer
}
