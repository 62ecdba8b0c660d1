//! From a lab, its plans and what its hosts say to verdicts. Pure: it neither asks nor prints.
//!
//! In goes a [`Lab`](crate::model::Lab) with the plan of each host. [`ROUNDS`] say what to ask of whom, the
//! caller asks and hands every answer to [`Evidence::absorb`], and [`check`] judges. The [`Evidence`] is one
//! versioned JSON document that holds everything a verdict depends on, so that a saved one can be judged again.
//!
//! ```text
//! let mut evidence = Evidence::new(&lab, requests, taken);   // + planned(host, plan) / absent(host, why)
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
mod firewall;
mod graph;
mod identity;
mod ipvs;
mod journey;
mod level;
mod probes;
mod proof;
mod schedule;
mod verdict;
mod view;

#[cfg(test)]
pub(crate) mod healthy;
#[cfg(test)]
pub(crate) mod labs;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod wires;

pub use checks::check;
pub use describe::summary;
pub use evidence::{Absence, AbsenceKind, Evidence, EvidenceError, HostRecord, Sighting};
pub use identity::{CheckId, InterfaceSetting, LabelledAddress, Subject, VirtualServiceId};
pub use journey::{End, Journey, Leg, Passage, Stop, journeys, refuses};
pub use probes::{ROUNDS, Round, TRACE_ROUNDS, requests_for};
pub use proof::{Way, reply, request};
pub use verdict::{Aspect, Check, Count, Elsewhere, Status, Verdict};
