//! Forwarding, and the other kernel settings that a forwarding method asks for.

use super::{HostState, Interfaces, Need, Requirement, Verdict, arp};
use crate::model::{ForwardingMethod, Host, Lab, NetworkId, Profile, Replies, Role, Setting};

/// Sets the forwarding of every interface, and of those to come (`inet_forward_change`, net/ipv4/devinet.c).
const FORWARD_ALL: &str = "net.ipv4.ip_forward";

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    let profiles: Vec<&Profile> = lab
        .methods_at(host)
        .into_iter()
        .map(ForwardingMethod::profile)
        .collect();
    let through = |profile: &&&Profile| profile.replies == Replies::ThroughDirector;
    let replies = profiles
        .iter()
        .find(through)
        .filter(|_| host.is(Role::Director));
    let forwarding = replies
        .zip(host.attachments.last())
        .map(|(profile, inner)| forwards(profile, inner.network));
    let settings = profiles.iter().flat_map(|profile| {
        let roles = host.roles.iter();
        roles.flat_map(|role| profile.settings(*role).settings)
    });
    let others = settings
        .filter(|setting| !is_covered(setting.key))
        .map(|setting| Requirement {
            need: Need::Setting(*setting),
            service: None,
            why: setting.why.to_owned(),
            symptom: "Packets of the lab are dropped on this host.",
        });
    forwarding.into_iter().chain(others).collect()
}

/// Replies that arrive on the real servers' network are passed on to the client.
fn forwards(profile: &Profile, network: NetworkId) -> Requirement {
    let settings = profile.director_settings;
    let mut all = settings.settings.iter();
    Requirement {
        need: Need::Forwarding { network, settings },
        service: None,
        why: all
            .find(|setting| setting.key == FORWARD_ALL)
            .map_or_else(String::new, |setting| setting.why.to_owned()),
        symptom: "Every request hangs: the director drops the real servers' answers.",
    }
}

/// Settings that are the means to an effect with a kind of its own.
fn is_covered(key: &str) -> bool {
    key == FORWARD_ALL || key.ends_with(".arp_ignore") || key.ends_with(".arp_announce")
}

/// Forwarding is asked of the interface that a packet arrives on (`IN_DEV_FORWARD`, net/ipv4/route.c).
pub(super) fn asked(interfaces: &Interfaces, network: NetworkId) -> Vec<String> {
    let own = interfaces.get(network);
    own.map(|interface| arp::key(interface, "forwarding"))
        .into_iter()
        .chain([FORWARD_ALL.to_owned()])
        .collect()
}

pub(super) fn judge(network: NetworkId, interfaces: &Interfaces, state: &HostState) -> Verdict {
    let Some(interface) = interfaces.get(network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    match state.number(&arp::key(interface, "forwarding")) {
        Ok(found) if found.value != 0 => Verdict::holds(format!("on for {interface}")),
        Ok(found) => Verdict::fails(format!("off for {interface}"), found.origin),
        Err(cause) => Verdict::unknown(cause),
    }
}

pub(super) fn judge_setting(wanted: Setting, state: &HostState) -> Verdict {
    match state.settings.values.get(wanted.key) {
        Some(found)
            if found
                .value
                .split_whitespace()
                .eq(wanted.value.split_whitespace()) =>
        {
            Verdict::holds(found.value.clone())
        }
        Some(found) => Verdict::fails(found.value.clone(), found.origin.clone()),
        None => match state.number(wanted.key) {
            Ok(zero) if wanted.value == "0" => Verdict::holds(zero.value.to_string()),
            Ok(zero) => Verdict::fails(zero.value.to_string(), []),
            Err(cause) => Verdict::unknown(cause),
        },
    }
}
