//! Whether a host said anything at all.

use super::{Draft, Judged};
use crate::model::Host;
use crate::verify::graph::Finding;
use crate::verify::verdict::CheckId;
use crate::verify::view::{Gap, View};

pub(super) fn check(view: View<'_>, host: &Host) -> Finding {
    let name = &host.name;
    let seen = match view.absence(name) {
        None => Ok(Judged::new(true, "evidence")),
        Some(why) => Err(Gap {
            host: name.clone(),
            cause: why.cause.clone(),
            hint: why.hint.clone(),
        }),
    };
    Draft::new(name, CheckId::evidence(name), format!("{name} answers"))
        .expected("evidence")
        .why("Nothing can be said of a host that does not answer.")
        .judged(seen)
}
