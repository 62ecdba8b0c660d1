//! Who answers ARP, as far as kernel settings decide: the VIP is hidden where real servers have it, and every host
//! answers for its own addresses.
//!
//! For both settings the kernel takes the larger value of `all` and the interface (`IN_DEV_MAXCONF`,
//! include/linux/inetdevice.h).

use super::{HostState, Interfaces, Need, Origin, Requirement, Verdict};
use crate::model::{Host, InterfaceName, Lab, NetworkId, RealServer, Role, VirtualService};

/// A setting with the values under which an effect is there.
pub(super) struct Allowed {
    name: &'static str,
    values: &'static [i64],
}

/// Neither answers for the VIP nor asks in its name. `arp_ignore` 0 and 3 answer for the VIP on `lo`, 8 answers for
/// nothing, not even the RIP; with `arp_announce` below 2 the host's own questions carry the VIP as their sender.
pub(super) const HIDING: [Allowed; 2] = [
    Allowed {
        name: "arp_ignore",
        values: &[1, 2],
    },
    Allowed {
        name: "arp_announce",
        values: &[2],
    },
];

/// Answers for its own addresses. From 3 on it does so for some only, or for none.
pub(super) const ANSWERING: Allowed = Allowed {
    name: "arp_ignore",
    values: &[0, 1, 2],
};

pub(super) fn required(lab: &Lab, host: &Host) -> Vec<Requirement> {
    let hidden: Vec<(&VirtualService, &RealServer)> = lab
        .served_by(host.name.as_str())
        .filter(|(_, server)| server.method.profile().real_server_vip.is_some())
        .filter(|_| !host.is(Role::Director))
        .collect();
    let networks = host.attachments.iter().map(|attachment| attachment.network);
    networks
        .flat_map(|network| {
            if hidden.is_empty() {
                return vec![answers(network)];
            }
            let hidden = hidden.iter();
            hidden
                .map(|(service, server)| hides(network, service, server))
                .collect()
        })
        .collect()
}

fn hides(network: NetworkId, service: &VirtualService, server: &RealServer) -> Requirement {
    Requirement {
        need: Need::HiddenVip {
            network,
            vip: service.vip.addr(),
            settings: server.method.profile().real_server_settings,
        },
        service: Some(super::service::key(service)),
        why: "Every real server has the VIP, and only the director may say so: whoever answers ARP for it gets the \
              client's packets."
            .to_owned(),
        symptom: "Some or all requests go straight to this real server: they are not balanced, and which host answers \
                  depends on whose ARP answer came last.",
    }
}

fn answers(network: NetworkId) -> Requirement {
    Requirement {
        need: Need::ArpAnswers { network },
        service: None,
        why: "The others on the network find the host by asking for its address.".to_owned(),
        symptom: "Nobody on the network finds the host: ARP requests for its address stay unanswered.",
    }
}

/// `net.ipv4.conf.INTERFACE.NAME`; a dot in the interface's name is written `/`, as sysctl(8) does.
pub(super) fn key(interface: &InterfaceName, name: &str) -> String {
    format!(
        "net.ipv4.conf.{}.{name}",
        interface.as_str().replace('.', "/")
    )
}

fn key_of_all(name: &str) -> String {
    format!("net.ipv4.conf.all.{name}")
}

pub(super) fn asked(
    interfaces: &Interfaces,
    network: NetworkId,
    settings: &[Allowed],
) -> Vec<String> {
    let own = interfaces.get(network);
    settings
        .iter()
        .flat_map(|setting| {
            let own = own.map(|interface| key(interface, setting.name));
            std::iter::once(key_of_all(setting.name)).chain(own)
        })
        .collect()
}

pub(super) fn judge(
    network: NetworkId,
    settings: &[Allowed],
    interfaces: &Interfaces,
    state: &HostState,
) -> Verdict {
    let Some(interface) = interfaces.get(network) else {
        return Verdict::unknown("no interface of the host is known to be on that network");
    };
    let (mut seen, mut places, mut fails) = (Vec::new(), Vec::new(), false);
    for setting in settings {
        let (value, origin) = match effective(interface, setting.name, state) {
            Ok(found) => found,
            Err(cause) => return Verdict::unknown(cause),
        };
        seen.push(format!("{} takes effect as {value}", setting.name));
        if !setting.values.contains(&value) {
            fails = true;
            places.extend(origin);
        }
    }
    if fails {
        Verdict::fails(seen.join(", "), places)
    } else {
        Verdict::holds(seen.join(", "))
    }
}

fn effective(
    interface: &InterfaceName,
    name: &str,
    state: &HostState,
) -> Result<(i64, Option<Origin>), String> {
    let all = state.number(&key_of_all(name))?;
    let own = state.number(&key(interface, name))?;
    let larger = if own.value > all.value { own } else { all };
    Ok((larger.value, larger.origin))
}
