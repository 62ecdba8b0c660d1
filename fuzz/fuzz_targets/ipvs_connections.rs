//! Any text for `/proc/net/ip_vs_conn`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let listing = lvslab::ipvsadm::connections(text);
    assert!(listing.lines().count() <= text.lines().count() + 2);
});
