//! Any bytes for a captured frame.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lvslab::packet::{Content, Frame};

fuzz_target!(|bytes: &[u8]| {
    if let Some(frame) = Frame::decode(bytes) {
        // What is read of a frame is read of every longer one, too.
        if let Content::Tcp(_) | Content::Arp(_) = frame.content {
            let mut longer = bytes.to_vec();
            longer.push(0);
            assert_eq!(Frame::decode(&longer), Some(frame));
        }
    }
});
