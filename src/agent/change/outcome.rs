//! How a change of one resource ends.

use std::io;

use crate::agent::protocol::error::because;
use crate::agent::protocol::{Outcome, OutcomeResult, ResourceError};
use crate::resource::{Change, ResourceId};

/// Called with each resource before it is changed. Its error ends the run there.
pub(in crate::agent) type Progress<'a> = &'a mut dyn FnMut(&ResourceId) -> io::Result<()>;

pub(super) fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome.result, OutcomeResult::Failed { .. })
}

/// The error when the controller went away: nothing more is changed, and the next run goes on from here.
pub(in crate::agent) fn gone(error: io::Error) -> ResourceError {
    because(format!("the controller is gone: {error}"))
}

/// The error when a resource, observed again after its change, still differs.
pub(in crate::agent) fn still_different(left: &Change) -> ResourceError {
    because(match left {
        Change::Value {
            from: Some(from),
            to,
        } => format!("after the change it is still {from} instead of {to}"),
        Change::Value { from: None, to } => {
            format!("after the change it is still absent instead of {to}")
        }
        Change::Text { .. } => {
            "after the change the file still holds something else: another program writes it too"
                .to_owned()
        }
    })
}

/// A change from one state to another, both in words.
pub(super) fn changed(from: &str, to: &str) -> OutcomeResult {
    OutcomeResult::Changed {
        change: Change::Value {
            from: Some(from.to_owned()),
            to: to.to_owned(),
        },
    }
}
