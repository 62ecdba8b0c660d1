//! Documents for programs: one JSON value, its schema named in it, a line end after it.

use serde::Serialize;

/// The document's text.
///
/// # Errors
/// The value has a map whose keys are no strings; none of lvslab's documents has.
pub fn document(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
