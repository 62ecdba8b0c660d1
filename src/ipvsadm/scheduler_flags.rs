//! Scheduler flags (`-b`): from names to bits and back.

use super::failure::Failure;
use crate::ipvs::Service;

/// The bits of [`Service::flags`] that a scheduler gives a meaning to.
pub(super) const SCHEDULER_FLAGS: u32 =
    Service::SCHEDULER_FLAG_1 | Service::SCHEDULER_FLAG_2 | Service::SCHEDULER_FLAG_3;

/// `sh-fallback,sh-port`: the flags that the scheduler knows, by its names for them. `sh` and `mh` have no
/// name for the third one.
pub(super) fn names(service: &Service) -> String {
    let names: &[(u32, &str)] = match service.scheduler.as_str() {
        "sh" => &[
            (Service::SCHEDULER_FLAG_1, "sh-fallback"),
            (Service::SCHEDULER_FLAG_2, "sh-port"),
        ],
        "mh" => &[
            (Service::SCHEDULER_FLAG_1, "mh-fallback"),
            (Service::SCHEDULER_FLAG_2, "mh-port"),
        ],
        _ => &[
            (Service::SCHEDULER_FLAG_1, "flag-1"),
            (Service::SCHEDULER_FLAG_2, "flag-2"),
            (Service::SCHEDULER_FLAG_3, "flag-3"),
        ],
    };
    let known: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| service.flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    known.join(",")
}

/// [`names`] with the general name of the third flag where the scheduler has none of its own, so that
/// nothing is lost.
pub(super) fn every_name(service: &Service) -> String {
    let mut flags = names(service);
    if service.flags & Service::SCHEDULER_FLAG_3 != 0 && !flags.contains("flag-3") {
        if !flags.is_empty() {
            flags.push(',');
        }
        flags.push_str("flag-3");
    }
    flags
}

/// Checks names whose scheduler is not known yet: some scheduler must have all of them.
pub(super) fn check(text: &str) -> Result<(), Failure> {
    let of = |scheduler| bits(text, scheduler).map(|_| ());
    of("sh").or_else(|_| of("mh")).or_else(|_| of("wlc"))
}

/// The bits of a comma-separated list of names.
pub(super) fn bits(text: &str, scheduler: &str) -> Result<u32, Failure> {
    let mut bits = 0;
    for flag in text.split(',').filter(|flag| !flag.is_empty()) {
        let (bit, only) = match flag {
            "flag-1" => (Service::SCHEDULER_FLAG_1, None),
            "flag-2" => (Service::SCHEDULER_FLAG_2, None),
            "flag-3" => (Service::SCHEDULER_FLAG_3, None),
            "sh-fallback" => (Service::SCHEDULER_FLAG_1, Some("sh")),
            "sh-port" => (Service::SCHEDULER_FLAG_2, Some("sh")),
            "mh-fallback" => (Service::SCHEDULER_FLAG_1, Some("mh")),
            "mh-port" => (Service::SCHEDULER_FLAG_2, Some("mh")),
            _ => {
                return Err(Failure::usage(format!("invalid scheduler flag `{flag}'")));
            }
        };
        if only.is_some_and(|only| only != scheduler) {
            return Err(Failure::usage(format!(
                "incompatible scheduler flag `{flag}'"
            )));
        }
        bits |= bit;
    }
    Ok(bits)
}
