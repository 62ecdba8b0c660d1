//! Whether a host said anything at all.

use super::{Draft, Judged};
use crate::model::Host;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::view::View;

pub(super) fn check(view: View<'_>, host: &Host) -> Finding {
    let name = &host.name;
    let seen = view.before(name).map(|_| Judged::new(true, "evidence"));
    Draft::new(name, Subject::Evidence, format!("{name} answers"))
        .expected("evidence")
        .why("Nothing can be said of a host that does not answer.")
        .judged(seen)
}
