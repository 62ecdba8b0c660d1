//! States in a few words, as `ip` and `systemctl` put them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{AddressState, RouteState, SelinuxMode, ServiceState};
use crate::model::InterfaceName;

/// `192.168.4.15/32 dev lo label lo:0`
pub(super) fn address(interface: &InterfaceName, address: &IpNet, label: &str) -> String {
    if label == interface.as_str() {
        format!("{address} dev {interface}")
    } else {
        format!("{address} dev {interface} label {label}")
    }
}

/// All of them, `None` when there are none.
pub(super) fn addresses(found: &[AddressState]) -> Option<String> {
    joined(found, |a| address(&a.interface, &a.address, &a.label))
}

/// `via 192.168.2.5 dev eth1 metric 100`
pub(super) fn route(via: Option<IpAddr>, interface: &InterfaceName, metric: u32) -> String {
    let mut text = String::new();
    if let Some(via) = via {
        text.push_str(&format!("via {via} "));
    }
    text.push_str(&format!("dev {interface}"));
    if metric != 0 {
        text.push_str(&format!(" metric {metric}"));
    }
    text
}

/// All of them, `None` when there are none.
pub(super) fn routes(found: &[RouteState]) -> Option<String> {
    joined(found, |r| route(r.via, &r.interface, r.metric))
}

/// `running, enabled at boot`
pub(super) fn service(running: bool, enabled: bool) -> String {
    let now = if running { "running" } else { "stopped" };
    let boot = if enabled { "enabled" } else { "disabled" };
    format!("{now}, {boot} at boot")
}

/// As [`service`], of one that was found.
pub(super) fn service_state(state: &ServiceState) -> String {
    let boot = if state.masked { ", masked" } else { "" };
    service(state.running, state.enabled) + boot
}

impl SelinuxMode {
    /// The word in `/etc/selinux/config`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
            Self::Disabled => "disabled",
        }
    }
}

/// `enforcing`, or both where a boot would change it.
pub(super) fn selinux(
    live: Option<SelinuxMode>,
    configured: Option<SelinuxMode>,
) -> Option<String> {
    match (live, configured) {
        (Some(live), Some(configured)) if live != configured => Some(format!(
            "{} now, {} at boot",
            live.as_str(),
            configured.as_str()
        )),
        (Some(only), _) | (None, Some(only)) => Some(only.as_str().to_owned()),
        (None, None) => None,
    }
}

fn joined<T>(items: &[T], text: impl Fn(&T) -> String) -> Option<String> {
    (!items.is_empty()).then(|| items.iter().map(text).collect::<Vec<_>>().join(", "))
}
