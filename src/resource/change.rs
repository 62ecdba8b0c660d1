//! The difference between what should be and what is.

use serde::{Deserialize, Serialize};

use super::{Observed, Resource, SelinuxMode, describe, file, ipvs};

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

impl Change {
    /// From absence or a value to a value.
    pub(super) fn value(from: Option<String>, to: impl Into<String>) -> Self {
        Self::Value {
            from,
            to: to.into(),
        }
    }
}

/// `None` when `observed` already is what `desired` asks for.
///
/// An `observed` of another kind counts as absent.
#[must_use]
pub fn diff(desired: &Resource, observed: &Observed) -> Option<Change> {
    match (desired, observed) {
        (Resource::Package(_), Observed::Package { version: Some(_) }) => None,
        (Resource::Package(_), _) => Some(Change::value(None, "installed")),

        (Resource::File(desired), Observed::File { state }) => file::diff(desired, state.as_ref()),
        (Resource::File(desired), _) => file::diff(desired, None),

        (Resource::Sysctl(desired), Observed::Sysctl { value: Some(value) })
            if same_words(&desired.value, value) =>
        {
            None
        }
        (Resource::Sysctl(desired), observed) => {
            let from = match observed {
                Observed::Sysctl { value } => value.clone(),
                _ => None,
            };
            Some(Change::value(from, desired.value.clone()))
        }

        (Resource::Link(_), Observed::Link { up: Some(true) }) => None,
        (Resource::Link(_), Observed::Link { up: Some(false) }) => {
            Some(Change::value(Some("down".into()), "up"))
        }
        (Resource::Link(_), _) => Some(Change::value(None, "up")),

        (Resource::Address(desired), Observed::Address { occurrences }) => {
            let wanted = desired
                .label
                .as_deref()
                .unwrap_or(desired.interface.as_str());
            let right = |found: &super::AddressState| {
                found.interface == desired.interface
                    && found.address == desired.address
                    && found.label == wanted
            };
            match occurrences.as_slice() {
                [only] if right(only) => None,
                // The address twice on a host, be it on two interfaces, is not what was asked for.
                found => Some(Change::value(
                    describe::addresses(found),
                    describe::address(&desired.interface, &desired.address, wanted),
                )),
            }
        }
        (Resource::Address(desired), _) => {
            let label = desired
                .label
                .as_deref()
                .unwrap_or(desired.interface.as_str());
            Some(Change::value(
                None,
                describe::address(&desired.interface, &desired.address, label),
            ))
        }

        (Resource::DefaultRoute(desired), observed) => {
            let routes = match observed {
                Observed::DefaultRoute { routes } => routes.as_slice(),
                _ => &[],
            };
            // Only the lowest metric is used, and a second route of that metric shares the traffic.
            let used: Vec<_> = routes
                .iter()
                .filter(|r| Some(r.metric) == routes.iter().map(|r| r.metric).min())
                .collect();
            match used.as_slice() {
                [only] if only.via == Some(desired.via) && only.interface == desired.interface => {
                    None
                }
                _ => Some(Change::value(
                    describe::routes(routes),
                    describe::route(Some(desired.via), &desired.interface, 0),
                )),
            }
        }

        (Resource::Service(desired), observed) => {
            let state = match observed {
                Observed::Service { state } => *state,
                _ => None,
            };
            match state {
                Some(found)
                    if found.running == desired.running && found.enabled == desired.enabled =>
                {
                    None
                }
                found => Some(Change::value(
                    found.as_ref().map(describe::service_state),
                    describe::service(desired.running, desired.enabled),
                )),
            }
        }

        (Resource::Firewall(desired), Observed::Firewall { zone: Some(zone) })
            if *zone != desired.zone =>
        {
            Some(Change::value(Some(zone.clone()), desired.zone.clone()))
        }
        // Only where firewalld runs.
        (Resource::Firewall(_), _) => None,

        (Resource::Selinux(desired), Observed::Selinux { live, configured }) => {
            let enough = |mode: &Option<SelinuxMode>| match (mode, desired.mode) {
                // Absent: there is nothing to set.
                (None, _) => true,
                (Some(SelinuxMode::Enforcing), wanted) => wanted == SelinuxMode::Enforcing,
                (Some(_), wanted) => wanted != SelinuxMode::Enforcing,
            };
            (!enough(live) || !enough(configured)).then(|| {
                Change::value(describe::selinux(*live, *configured), desired.mode.as_str())
            })
        }
        (Resource::Selinux(_), _) => None,

        (Resource::Ipvs(desired), Observed::Ipvs { status }) => {
            ipvs::diff(desired, status.as_ref())
        }
        (Resource::Ipvs(desired), _) => ipvs::diff(desired, None),
    }
}

/// The kernel separates the numbers of one setting with tabs, people with blanks.
pub(super) fn same_words(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}
