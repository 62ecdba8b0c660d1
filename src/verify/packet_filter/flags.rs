//! TCP's control bits as rules name them.

use crate::packet::Flags;

/// Names of the eight bits in the order of their values: iptables-extensions(8) writes them large, nft(8) small.
const NAMES: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];

/// All that iptables-extensions(8) knows.
const ALL: u8 = 0x3f;

/// What `--syn` looks at (iptables-extensions(8), "tcp").
pub(super) const SYN_MASK: u8 = Flags::FIN | Flags::SYN | Flags::RST | Flags::ACK;

/// The bit of a name, or the bits of iptables' `ALL` and `NONE`.
pub(super) fn bit(name: &str) -> Option<u8> {
    match name {
        "ALL" => Some(ALL),
        "NONE" => Some(0),
        _ => {
            let at = NAMES.iter().position(|n| n.eq_ignore_ascii_case(name))?;
            Some(1 << at)
        }
    }
}

/// `FIN,SYN,RST,ACK`.
pub(super) fn listed(names: &str) -> Option<u8> {
    names
        .split(',')
        .try_fold(0, |bits, name| Some(bits | bit(name)?))
}
