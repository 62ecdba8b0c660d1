//! Any words for a command line of ipvsadm, separated by NUL.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let words: Vec<&str> = text.split('\0').collect();
    let _ = lvslab::ipvsadm::check(&words);
});
