//! Labs of every forwarding method, with hosts of every known system.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::Scheduler;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sandbox,
    Debian,
    RhelWithNetworkScripts,
    RhelWithNetworkManager,
}

const KINDS: [Kind; 4] = [
    Kind::Sandbox,
    Kind::Debian,
    Kind::RhelWithNetworkScripts,
    Kind::RhelWithNetworkManager,
];

/// A lab with its facts.
pub(super) fn case() -> impl Strategy<Value = (Lab, BTreeMap<HostName, Facts>)> {
    let kind = prop::sample::select(&KINDS[..]);
    let scheduler = prop::sample::select(&Scheduler::ALL[..]);
    let persistence = prop::option::of(1u32..86400);
    let weights = prop::collection::vec(0u16.., 1..8);
    let port = prop::sample::select(vec![80u16, 81, 443, 8080, 65535]);
    let configured = any::<bool>();
    let service = (port, scheduler, persistence);
    (any::<bool>(), kind, weights, service, configured).prop_map(|(nat, kind, weights, service, configured)| {
        let (port, scheduler, persistence) = service;
        let persistence = persistence.map(|seconds| format!(", persistence: {seconds}")).unwrap_or_default();
        let mut text = format!(
            "lab: x\nmode: {}\nservice: {{ vip: 10.1.0.{}/24, port: {port}, scheduler: {scheduler}{persistence} }}\nclient: {{ cip: 10.1.0.10/24 }}\ndirector: {{ dip: {} }}\nreal_servers:\n",
            if nat { "nat" } else { "dr" },
            if nat { 5 } else { 15 },
            if nat { "10.2.0.5/24, interface: eth1, vip_interface: eth0" } else { "10.1.0.5/24" },
        );
        for (at, weight) in weights.iter().enumerate() {
            let network = if nat { 2 } else { 1 };
            // At least one server has a weight: a lab without is refused.
            let weight = if at == 0 { (*weight).max(1) } else { *weight };
            text += &format!("  s{at}: {{ rip: 10.{network}.0.{}/24, weight: {weight} }}\n", 100 + at);
        }
        let lab = lab(&text);
        let facts = lab
            .hosts()
            .iter()
            .map(|host| {
                let facts = match kind {
                    Kind::Sandbox => assumed_facts(&lab).remove(&host.name).expect("facts"),
                    _ => {
                        let names: Vec<String> = host.attachments.iter().map(|a| format!("eth{}", a.network)).collect();
                        let addresses: Vec<String> = host.attachments.iter().map(|a| a.address.to_string()).collect();
                        let addresses: Vec<[&str; 1]> = addresses.iter().map(|a| [a.as_str()]).collect();
                        let mut links: Vec<(&str, &[&str])> = vec![("mgmt0", &["10.20.0.9/24"])];
                        for (name, address) in names.iter().zip(&addresses) {
                            links.push((name, if configured { address } else { &[] }));
                        }
                        let family = if matches!(kind, Kind::Debian) { OsFamily::Debian } else { OsFamily::Rhel };
                        let mut facts = machine(family, &links);
                        facts.network_manager = matches!(kind, Kind::RhelWithNetworkManager);
                        facts.management = Some("mgmt0".parse().expect("a name"));
                        facts
                    }
                };
                (host.name.clone(), facts)
            })
            .collect();
        (lab, facts)
    })
}
