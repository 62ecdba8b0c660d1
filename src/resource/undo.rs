//! The difference between what is and what the journal says was there before.

use super::change::same_words;
use super::{Change, Observed, ServiceState, describe, file, ipvs};

/// `None` when `now` is what `before` was, as far as lvslab changes it.
///
/// Packages stay, so a package never differs; a service that does not exist is the same as one that
/// neither runs nor is started at boot. An `Observed` of another kind counts as absent.
#[must_use]
pub fn undo(before: &Observed, now: &Observed) -> Option<Change> {
    match (before, now) {
        (Observed::Package { .. }, _) => None,
        (Observed::File { state: before }, Observed::File { state: now }) => {
            file::undo(before.as_ref(), now.as_ref())
        }
        (Observed::Sysctl { value: None }, _) => None,
        (
            Observed::Sysctl {
                value: Some(before),
            },
            Observed::Sysctl { value: now },
        ) => {
            let same = now.as_deref().is_some_and(|now| same_words(before, now));
            (!same).then(|| Change::value(now.clone(), before.clone()))
        }
        (Observed::Link { up: None }, _) => None,
        (Observed::Link { up: Some(before) }, Observed::Link { up: now }) => {
            let word = |up: bool| if up { "up" } else { "down" };
            (Some(*before) != *now)
                .then(|| Change::value(now.map(|up| word(up).into()), word(*before)))
        }
        (
            Observed::Address {
                occurrences: before,
            },
            Observed::Address { occurrences: now },
        ) => (!same_set(before, now)).then(|| {
            Change::value(
                describe::addresses(now),
                describe::addresses(before).unwrap_or_else(|| "no such address".into()),
            )
        }),
        (Observed::DefaultRoute { routes: before }, Observed::DefaultRoute { routes: now }) => {
            (!same_set(before, now)).then(|| {
                Change::value(
                    describe::routes(now),
                    describe::routes(before).unwrap_or_else(|| "no default route".into()),
                )
            })
        }
        (Observed::Service { state: before }, Observed::Service { state: now }) => {
            let idle = |state: &ServiceState| *state == ServiceState::default();
            // No such service and one that does nothing are the same: packages may come and go.
            let same =
                before == now || before.as_ref().is_none_or(idle) && now.as_ref().is_none_or(idle);
            (!same).then(|| {
                Change::value(
                    now.as_ref().map(describe::service_state),
                    describe::service_state(&before.unwrap_or_default()),
                )
            })
        }
        (Observed::Firewall { zone: None }, _) => None,
        (Observed::Firewall { zone: Some(before) }, Observed::Firewall { zone: now }) => {
            (now.as_ref() != Some(before)).then(|| Change::value(now.clone(), before.clone()))
        }
        (
            Observed::Selinux { live, configured },
            Observed::Selinux {
                live: live_now,
                configured: configured_now,
            },
        ) => ((live, configured) != (live_now, configured_now)).then(|| {
            Change::value(
                describe::selinux(*live_now, *configured_now),
                describe::selinux(*live, *configured).unwrap_or_else(|| "absent".into()),
            )
        }),
        (Observed::Ipvs { status: before }, Observed::Ipvs { status: now }) => {
            ipvs::undo(before.as_ref(), now.as_ref())
        }
        (_, _) => Some(Change::value(None, "as it was before")),
    }
}

fn same_set<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().all(|item| b.contains(item))
}
