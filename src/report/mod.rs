//! Verdicts, plans and outcomes as people and programs read them. Pure: texts come out, nothing is printed.
//!
//! Colour comes from a [`Style`] alone, and whatever came from another machine passes [`clean`] first.

pub mod capture;
pub mod clean;
pub mod diff;
mod drawing;
pub mod explain;
pub mod html;
pub mod json;
pub mod junit;
mod ladder;
mod layout;
mod markup;
pub mod plan;
mod style;
pub mod text;
pub mod trace;
pub mod up;

pub use style::{Ink, Style};
pub use text::verdict;
pub use up::{HostLine, HostOutcome, UpTable, host_summary, up_table};

use crate::model::Lab;

/// `lab dr · direct routing · wrr · VIP 192.168.4.15:80`.
#[must_use]
pub fn headline(lab: &Lab) -> String {
    let service = lab.service();
    let persistence = service
        .persistence
        .map(|time| format!(" · persistent {} s", time.as_secs()))
        .unwrap_or_default();
    format!(
        "lab {} · {} · {}{persistence} · VIP {}:{}",
        lab.name(),
        lab.profile().name,
        service.scheduler,
        lab.vip(),
        service.port
    )
}

#[cfg(test)]
mod fix_tests;
#[cfg(test)]
mod tests;
