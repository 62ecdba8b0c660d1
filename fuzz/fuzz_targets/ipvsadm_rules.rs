//! Any text for saved rules: what is read as a table writes as rules that read as the same table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lvslab::ipvsadm::{parse_desired, parse_rules, save_format};

fuzz_target!(|text: &str| {
    let _ = parse_rules(text);
    if let Ok(desired) = parse_desired(text) {
        let saved: String = desired
            .iter()
            .map(|one| save_format(&one.service, &one.destinations))
            .collect();
        let again = parse_desired(&saved).expect("what we save");
        assert_eq!(again.len(), desired.len());
    }
});
