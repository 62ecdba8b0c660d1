//! Who answers for the VIP: settings as the kernel combines them, and the client's neighbour entry.

use super::boot::setting_of;
use super::target::Target;
use super::{Draft, Judged, Path, arp_answers};
use crate::agent::protocol::Neighbour;
use crate::model::InterfaceName;
use crate::requirement::Need;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{InterfaceSetting, Subject};
use crate::verify::view::{Seen, View, untold};

/// Per-interface settings as they take effect.
pub(super) fn effective(target: Target<'_>) -> Vec<Finding> {
    let on = |network| target.interfaces().get(network);
    target
        .required
        .iter()
        .flat_map(|requirement| match &requirement.need {
            Need::HiddenVip { network, .. } => on(*network)
                .map(|interface| HIDING.map(|setting| combined(target, interface, &setting)))
                .into_iter()
                .flatten()
                .collect(),
            Need::ArpAnswers { network } => on(*network)
                .map(|interface| combined(target, interface, &ANSWERING))
                .into_iter()
                .collect(),
            Need::Forwarding { network, .. } => on(*network)
                .map(|interface| forwarding(target, interface))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        })
        .collect()
}

/// What keeps a real server quiet about the VIP.
const HIDING: [Combined; 2] = [
    Combined {
        name: "arp_ignore",
        wanted: &[1, 2],
        set: 1,
        why: "The kernel takes the larger of `all` and the interface. 0 answers ARP for the VIP on `lo` too, 3 does as \
              well, and 8 answers for nothing, not even for the RIP.",
    },
    Combined {
        name: "arp_announce",
        wanted: &[2],
        set: 2,
        why: "The kernel takes the larger of `all` and the interface. Below 2 the real server's own ARP requests carry \
              the VIP as their sender and so announce it as its own.",
    },
];

/// Hosts whose `arp_ignore` the lab leaves alone must still answer for their own addresses.
const ANSWERING: Combined = Combined {
    name: "arp_ignore",
    wanted: &[0, 1, 2],
    set: 0,
    why: "The kernel takes the larger of `all` and the interface. From 3 on the host leaves ARP requests for its own \
          address unanswered, so nobody on the segment finds it.",
};

struct Combined {
    name: &'static str,
    /// Values under which the lab works.
    wanted: &'static [i64],
    /// The one of them to set.
    set: i64,
    why: &'static str,
}

fn combined(target: Target<'_>, interface: &InterfaceName, setting: &Combined) -> Finding {
    let all = format!("net.ipv4.conf.all.{}", setting.name);
    let own = setting_of(interface, setting.name);
    let value = number(target, &all).and_then(|all| Ok(all.max(number(target, &own)?)));
    let wanted: Vec<String> = setting.wanted.iter().map(i64::to_string).collect();
    Draft::new(
        target.name(),
        effective_on(setting.name, interface),
        format!(
            "{} takes effect on {interface} as {}",
            setting.name, wanted[0]
        ),
    )
    .expected(wanted.join(" or "))
    .why(setting.why)
    .fix(set(target, [&all, &own], setting))
    .judged(value.map(|value| Judged::new(setting.wanted.contains(&value), value.to_string())))
}

fn effective_on(setting: &str, interface: &InterfaceName) -> Subject {
    Subject::EffectiveSetting(InterfaceSetting {
        setting: setting.to_owned(),
        interface: interface.clone(),
    })
}

/// The larger of the two counts: whichever is too large is set, and otherwise that of all interfaces.
fn set(target: Target<'_>, keys: [&String; 2], setting: &Combined) -> Vec<String> {
    let most = setting.wanted.iter().copied().max().unwrap_or(setting.set);
    let too_large: Vec<&String> = keys
        .into_iter()
        .filter(|key| number(target, key).is_ok_and(|value| value > most))
        .collect();
    let set = if too_large.is_empty() {
        vec![keys[0]]
    } else {
        too_large
    };
    set.into_iter()
        .map(|key| format!("sysctl -w {key}={}", setting.set))
        .collect()
}

/// `ip_forward` sets every interface, but any one of them can be set back alone.
fn forwarding(target: Target<'_>, interface: &InterfaceName) -> Finding {
    const ALL: &str = "net.ipv4.ip_forward";
    let own = setting_of(interface, "forwarding");
    let value = number(target, &own);
    let off = number(target, ALL).is_ok_and(|value| value == 0);
    let key = if off { ALL } else { &own };
    Draft::new(
        target.name(),
        effective_on("forwarding", interface),
        format!("packets arriving on {interface} are forwarded"),
    )
    .expected("1")
    .why(
        "The real servers' answers arrive on this interface and are for the client: without forwarding the \
         director drops them.",
    )
    .fix([format!("sysctl -w {key}=1")])
    .judged(value.map(|value| Judged::new(value != 0, value.to_string())))
}

fn number(target: Target<'_>, key: &str) -> Seen<i64> {
    let host = target.name();
    let value = target.view.sysctl(host, key)?;
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| untold(host, format_args!("a number for {key}")))
}

/// The client's neighbour entry for the VIP after its requests: the director's MAC and nobody else's.
pub(super) fn neighbour(view: View<'_>, path: &Path) -> Option<Finding> {
    let lab = view.lab();
    let client = &lab.client().name;
    let director = &lab.director().name;
    let interface = view.interface(client, lab.clients_network())?;
    let vip = lab.vip();
    let wanted = view.mac(director, lab.clients_network());
    let found = view.after(client).map(|found| {
        found
            .neighbours
            .iter()
            .find(|entry| entry.address == vip && entry.interface == *interface)
    });
    let owner = found
        .as_ref()
        .ok()
        .and_then(|entry| entry.as_ref()?.mac.as_deref())
        .and_then(|mac| view.owner_of(mac));
    let expected = match &wanted {
        Ok(mac) => format!("{mac} ({director})"),
        Err(_) => format!("the MAC of {director}"),
    };
    let judged = found.and_then(|entry| {
        let mac = wanted?;
        Ok(Judged::new(
            entry
                .and_then(|entry| entry.mac.as_deref())
                .is_some_and(|seen| seen.eq_ignore_ascii_case(mac)),
            words(view, entry),
        ))
    });
    Some(
        Draft::new(
            client,
            Subject::Neighbour(vip.into()),
            format!("the client sends what is for the VIP to {director}"),
        )
        .expected(expected)
        .why(format!(
            "Whoever answered ARP for {}{vip} gets the client's packets; from any other host they reach one real \
             server without being balanced.",
            describe::term(lab, vip)
        ))
        .fix([format!("ip neighbour del {vip} dev {interface}")])
        // An entry that was learnt stays until it is tried again; without one, or with one made while the client's own
        // ARP was off, there is nothing to clear.
        .leaves(owner.filter(|owner| *owner != client).map(|_| format!("ip neighbour del {vip} dev {interface}")))
        .needs(path.from(owner.unwrap_or(director)))
        .needs([arp_answers::id(lab)])
        .judged(judged),
    )
}

fn words(view: View<'_>, entry: Option<&Neighbour>) -> String {
    match entry {
        None => "no entry".to_owned(),
        Some(Neighbour {
            mac: None, state, ..
        }) => format!("nobody answered ({state})"),
        Some(Neighbour { mac: Some(mac), .. }) => match view.owner_of(mac) {
            Some(host) => format!("{mac} ({host})"),
            None => format!("{mac} (no host of this lab)"),
        },
    }
}
