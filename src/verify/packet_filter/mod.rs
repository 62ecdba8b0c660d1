//! Whether a host's packet filter lets the lab's packets through: its rules, read and followed for exactly
//! these packets.
//!
//! A rule that sends a request elsewhere takes it away, too; behind one that may do so no other is judged.
//!
//! In: what `nft -j list ruleset` or `iptables-save` printed, and the packets of one connection that pass
//! the host. Out: the rules and policies that surely take one of them away, with the commands that lift them.
//! A rule that asks for more than these packets tell, or for what is not understood, may be met or not, and what comes
//! after it is certain only where it is so either way: a host is never accused on a guess.

mod flags;
mod iptables;
mod nft;
mod packet;
mod rules;

pub(super) use packet::{Packet, packets};
pub(super) use rules::{Fate, Stop};

use crate::agent::protocol::FirewallEvidence;
use rules::Table;

/// What takes a packet away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// The packet: `requests from the client`.
    pub(super) packet: String,
    /// The rule or policy.
    pub(super) stop: Stop,
}

/// The obstacles for each of `packets` in their order, each rule once: with all of them lifted the packets pass, but for
/// what is behind a rule that sends them elsewhere.
///
/// # Errors
/// A lower-case fragment that says why rules that are there could not be judged.
pub(super) fn obstacles(
    found: &FirewallEvidence,
    packets: &[Packet],
) -> Result<Vec<Obstacle>, String> {
    let tables = tables(found)?;
    let untracked = |packet| tables.iter().any(|table| table.may_untrack(packet));
    let obstacles = if packets.iter().any(untracked) {
        let packets: Vec<Packet> = packets.iter().map(Packet::without_state).collect();
        in_the_way(&tables, &packets)
    } else {
        in_the_way(&tables, packets)
    };
    match &found.unread {
        Some(cause) if obstacles.is_empty() => Err(cause.clone()),
        _ => Ok(obstacles),
    }
}

fn tables(found: &FirewallEvidence) -> Result<Vec<Table>, String> {
    let mut tables = Vec::new();
    if let Some(text) = &found.nft {
        let twice = found.iptables.is_some() && found.nft_has_extensions();
        tables.extend(nft::read(text, !twice)?);
    }
    if let Some(text) = &found.iptables {
        tables.extend(iptables::read(text));
    }
    Ok(tables)
}

fn in_the_way(tables: &[Table], packets: &[Packet]) -> Vec<Obstacle> {
    let mut obstacles: Vec<Obstacle> = Vec::new();
    let mut diverted: Vec<&Packet> = Vec::new();
    for packet in packets {
        // Rules would see something else of it.
        if diverted.iter().any(|other| other.goes_with(packet)) {
            continue;
        }
        for stop in tables.iter().flat_map(|table| table.stops(packet)) {
            if !obstacles.iter().any(|known| known.stop.lift == stop.lift) {
                obstacles.push(Obstacle {
                    packet: packet.what.clone(),
                    stop,
                });
            }
        }
        if tables.iter().any(|table| table.may_divert(packet)) {
            diverted.push(packet);
        }
    }
    obstacles
}

#[cfg(test)]
mod tests;
