//! Live kernel settings.

use super::Damage;
use super::planned_host::PlannedHost;
use crate::model::InterfaceName;
use crate::verify::{CheckId, InterfaceSetting, Subject};

fn setting(key: &str, value: &str, cause: CheckId) -> Damage {
    let inflict = vec![format!("sysctl -q -w {key}={value}")];
    Damage::new(key, cause, inflict)
}

/// Changes a setting that is planned, so the plan puts it back.
fn planned(host: &PlannedHost<'_>, key: &str, value: &str) -> Option<Damage> {
    Some(setting(key, value, host.check_of_setting(key)?))
}

pub(super) fn arp_ignore_off(host: &PlannedHost<'_>) -> Option<Damage> {
    planned(host, "net.ipv4.conf.all.arp_ignore", "0")
}

pub(super) fn arp_announce_off(host: &PlannedHost<'_>) -> Option<Damage> {
    planned(host, "net.ipv4.conf.all.arp_announce", "0")
}

pub(super) fn arp_silent(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = if host.is_director() {
        host.interface(host.lab().clients_network())?
    } else {
        host.own_interface()?
    };
    let key = format!(
        "net.ipv4.conf.{}.arp_ignore",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(&key, "8", host.check(effective("arp_ignore", interface)))
    })
}

pub(super) fn forwarding_off(host: &PlannedHost<'_>) -> Option<Damage> {
    planned(host, "net.ipv4.ip_forward", "0")
}

pub(super) fn interface_forwarding_off(host: &PlannedHost<'_>) -> Option<Damage> {
    let interface = host.own_interface()?;
    let key = format!(
        "net.ipv4.conf.{}.forwarding",
        interface.as_str().replace('.', "/")
    );
    Some(Damage {
        keeps: vec![key.clone()],
        ..setting(&key, "0", host.check(effective("forwarding", interface)))
    })
}

fn effective(setting: &str, interface: &InterfaceName) -> Subject {
    Subject::EffectiveSetting(InterfaceSetting {
        setting: setting.to_owned(),
        interface: interface.clone(),
    })
}
