//! From a lab and what its hosts say to verdicts. Pure: it neither asks nor prints.
//!
//! In goes a [`Lab`](crate::model::Lab) with what each host is. [`ROUNDS`] say what to ask of whom, the
//! caller asks and hands every answer to [`Evidence::absorb`], and [`check`] judges. The [`Evidence`] is one
//! versioned JSON document that holds everything a verdict depends on, so that a saved one can be judged again.
//!
//! ```text
//! let mut evidence = Evidence::new(&lab, requests, taken);   // + known(host, machine) / absent(host, why)
//! for round in ROUNDS {
//!     let round = round(&evidence);
//!     // hosts of a round in parallel, the requests of one host in order, rounds one after the other
//!     evidence.absorb(&host, &request, Ok(reply) or Err(absence));
//! }
//! let verdict = check(&evidence);
//! ```

mod checks;
mod describe;
mod evidence;
mod graph;
mod identity;
mod ipvs;
mod journey;
mod level;
mod packet_filter;
mod probes;
mod proof;
mod schedule;
mod shares;
mod typed;
mod verdict;
mod view;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use checks::check;
pub use describe::summary;
pub use evidence::{Absence, AbsenceKind, Evidence, EvidenceError, HostRecord, Machine, Sighting};
pub use identity::{CheckId, InterfaceSetting, PlacedAddress, Subject, VirtualServiceId};
pub use journey::{End, Journey, Leg, Passage, Stop, journeys, refuses};
pub use probes::{ROUNDS, Round, TRACE_ROUNDS, requests_for};
pub use proof::{Way, reply, request};
pub use shares::shares;
pub use verdict::{Aspect, Check, Count, Elsewhere, Status, Verdict};
