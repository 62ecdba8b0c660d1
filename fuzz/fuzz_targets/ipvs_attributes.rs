//! Any bytes for a generic netlink message of IPVS: read or refused, and what is read encodes to what
//! reads the same. What the client takes out of such a message is of one kind.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lvslab::ipvs::wire::{IpvsMessage, readings};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = IpvsMessage::decode(bytes) {
        let again = IpvsMessage::decode(&message.clone().encode()).expect("what we encode");
        assert_eq!(again, message);
    }
    // A destination is read for services of either family.
    assert!(readings(bytes) <= 2);
});
