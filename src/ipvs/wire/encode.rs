//! The request of a command, by the faster of the two encoders that can write it.

use super::direct::direct;
use super::request::request;
use crate::ipvs::command::Command;

/// Appends what follows the netlink header in the request of a command; the message type is the family's
/// number.
pub fn encode(command: &Command, out: &mut Vec<u8>) {
    if !direct(command, out) {
        encode_by_attributes(command, out);
    }
}

/// [`encode`] by the general encoder alone. For the benchmark, which measures what the direct one saves.
#[doc(hidden)]
pub fn encode_by_attributes(command: &Command, out: &mut Vec<u8>) {
    out.extend(request(command).encode());
}
