//! The difference between what should be and what is.

use serde::{Deserialize, Serialize};

use super::{Observed, Resource};

/// What would have to change, for people: `old → new`, or two texts for a unified diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Change {
    /// A value; `None` before means it was absent.
    Value {
        /// What is.
        from: Option<String>,
        /// What should be.
        to: String,
    },
    /// A text file; `None` before means there was none.
    Text {
        /// What is.
        from: Option<String>,
        /// What should be.
        to: String,
    },
}

/// `None` when `observed` already is what `desired` asks for.
///
/// An `observed` of another kind counts as absent.
#[must_use]
pub fn diff(desired: &Resource, observed: &Observed) -> Option<Change> {
    let _ = (desired, observed);
    None
}
