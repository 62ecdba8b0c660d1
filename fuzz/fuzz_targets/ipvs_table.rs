//! Any text for `/proc/net/ip_vs`: the services get their destinations from it, or none do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lvslab::ipvs::{Counters, ServiceStatus, Table};
use lvslab::ipvsadm::{fill, parse_desired};

const RULES: &str = "\
-A -t 192.168.4.15:80 -s wrr
-A -u [2001:db8::1]:53 -s sh -p 300 -M 64
-A -f 8 -6 -s wrr
";

fuzz_target!(|text: &str| {
    let services = parse_desired(RULES).expect("rules").into_iter();
    let mut table: Table = services
        .map(|one| ServiceStatus {
            service: one.service,
            counters: Counters::default(),
            destinations: Vec::new(),
        })
        .collect();
    let filled = fill(&mut table, text);
    let found: usize = table.iter().map(|status| status.destinations.len()).sum();
    assert!(if filled {
        found <= text.lines().count()
    } else {
        found == 0
    });
});
