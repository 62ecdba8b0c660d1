//! Checks that the addresses fit together: each host must be in the network that its role needs.

use ipnet::Ipv4Net;

use super::error::quoted;
use super::problem::{At, Mistakes, Problem};
use super::read::Draft;
use super::repeated::twice;
use crate::model::Wiring;

/// Checks every address of `draft` against the others.
pub(super) fn check(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    addresses(draft, mistakes);
    match draft.method.value.profile().wiring {
        Wiring::DirectorBetween => director_between(draft, mistakes),
        Wiring::OneNetwork => one_network(draft, mistakes),
    }
}

/// Every address with its name: `the VIP`, `the RIP of web1`.
pub(super) fn named_addresses(draft: &Draft) -> Vec<(At<Ipv4Net>, String)> {
    let mut all = vec![
        (draft.vip, "the VIP".to_owned()),
        (draft.client.address, "the CIP".to_owned()),
        (draft.director.address, "the DIP".to_owned()),
    ];
    all.extend(draft.real_servers.iter().map(|server| {
        (
            server.host.address,
            format!("the RIP of {}", server.host.name.value),
        )
    }));
    all
}

fn addresses(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let all = named_addresses(draft);
    twice(
        all.iter()
            .map(|(at, what)| (at.value.addr(), (at.place, what))),
        |address, (first, earlier), (second, what)| {
            mistakes.add(
                *second,
                Problem::new(format!("{what}, `{address}`, is also {earlier}"))
                    .label(format!("{earlier} is on line {}", first.line))
                    .note("CIP, VIP, DIP and every RIP are addresses of their own"),
            );
        },
    );
}

/// LVS-NAT: the director stands between the clients' network and the real servers'.
fn director_between(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let (outer, inner) = (
        draft.vip.value.trunc(),
        draft.director.address.value.trunc(),
    );
    if overlap(outer, inner) {
        mistakes.add(
            draft.director.address.place,
            Problem::new(format!("the DIP, `{}`, is in the VIP's network {outer}", draft.director.address.value))
                .note(format!("LVS-NAT has two networks: the clients' with the VIP ({outer}), and the real servers' with the DIP"))
                .note("for one network, use `mode: dr`"),
        );
        return;
    }
    let cip = draft.client.address;
    if inner.contains(&cip.value.addr()) {
        mistakes.add(
            cip.place,
            Problem::new(format!("the client, `{}`, is in the real servers' network {inner}", cip.value))
                .note("real servers would answer it directly, past the director, and the client drops such answers")
                .note(format!("the client belongs in the VIP's network {outer}")),
        );
    } else {
        same_network(cip, "the CIP", outer, "the VIP", mistakes);
    }
    for server in &draft.real_servers {
        let rip = server.host.address;
        let what = format!("the RIP of {}", server.host.name.value);
        if outer.contains(&rip.value.addr()) {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is in the clients' network {outer}", rip.value))
                    .note("its answers would reach the client directly, past the director, and the client drops such answers")
                    .note(format!("real servers belong in the DIP's network {inner}")),
            );
        } else if !inner.contains(&rip.value.addr()) {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is outside every network the director is in", rip.value))
                    .note(format!("the director is in {outer} (VIP) and {inner} (DIP); real servers belong in {inner}")),
            );
        } else {
            same_network(rip, &what, inner, "the DIP", mistakes);
        }
    }
    if let (Some(vip), Some(dip)) = (&draft.vip_interface, &draft.director.interface)
        && vip.value == dip.value
    {
        mistakes.add(
            dip.place,
            Problem::new(format!("{} is the VIP's interface already", quoted(dip.value.as_str())))
                .label(format!("`vip_interface` is on line {}", vip.place.line))
                .note("a NAT director has one interface in the clients' network and another in the real servers'"),
        );
    }
}

/// LVS-DR: one network, because the director finds a real server by its MAC.
fn one_network(draft: &Draft, mistakes: &mut Mistakes<'_, '_>) {
    let network = draft.vip.value.trunc();
    same_network(
        draft.client.address,
        "the CIP",
        network,
        "the VIP",
        mistakes,
    );
    same_network(
        draft.director.address,
        "the DIP",
        network,
        "the VIP",
        mistakes,
    );
    for server in &draft.real_servers {
        let rip = server.host.address;
        let what = format!("the RIP of {}", server.host.name.value);
        if network.contains(&rip.value.addr()) {
            same_network(rip, &what, network, "the VIP", mistakes);
        } else {
            mistakes.add(
                rip.place,
                Problem::new(format!("{what}, `{}`, is outside the VIP's network {network}", rip.value))
                    .note("in direct routing the director changes only the MAC of a request, so real servers are on its own segment"),
            );
        }
    }
    if let Some(interface) = &draft.vip_interface {
        mistakes.add(
            interface.place,
            Problem::new("`vip_interface` is for `mode: nat`")
                .note("in direct routing the VIP is an alias on the interface that has the DIP; name that one with `interface`"),
        );
    }
}

pub(super) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// `address` must be in `network`, written with the same prefix length.
fn same_network(
    address: At<Ipv4Net>,
    what: &str,
    network: Ipv4Net,
    whose: &str,
    mistakes: &mut Mistakes<'_, '_>,
) {
    let own = address.value.trunc();
    if own == network {
        return;
    }
    let problem = if network.contains(&address.value.addr()) {
        Problem::new(format!(
            "{what}, `{}`, has the prefix length /{}; {whose} in the same network has /{}",
            address.value,
            own.prefix_len(),
            network.prefix_len()
        ))
        .label(format!(
            "did you mean `{}/{}`?",
            address.value.addr(),
            network.prefix_len()
        ))
    } else {
        Problem::new(format!(
            "{what}, `{}`, is not in the network of {whose}, {network}",
            address.value
        ))
    };
    mistakes.add(
        address.place,
        problem.note("hosts on one segment agree on its network and prefix length"),
    );
}
