//! Mistakes in a topology: what is shown, to the letter.

use crate::topology::parse;

const DR: &str = include_str!("dr.yaml");
const NAT: &str = include_str!("nat.yaml");

/// The message for `text`, which must make no lab.
fn message(text: &str) -> String {
    match parse(text, "lab.yaml", None) {
        Ok(lab) => panic!("no mistake found; the lab is {lab:#?}"),
        Err(error) => format!("error: {error}"),
    }
}

/// The message for a topology with one piece of text replaced.
fn with(topology: &str, from: &str, to: &str) -> String {
    assert_eq!(topology.matches(from).count(), 1, "`{from}` is not unique");
    message(&topology.replace(from, to))
}

mod destinations;
mod keys;
mod names;
mod networks;
mod values;
mod weights;
mod yaml;
