//! One thing broken at a time: it is the only failure.

use super::{
    address, causes, evidence, found, found_after, observe, readdress, set_sysctl, silence,
    with_status,
};
use crate::agent::protocol::{Listener, Neighbour};
use crate::model::ForwardingMethod;
use crate::resource::{FileState, Observed, ServiceState};
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::verdict::Status;

/// One thing broken, and what is said of it: the causes, as [`causes`] writes them.
type Fault = (
    &'static str,
    ForwardingMethod,
    fn(&mut Evidence),
    &'static [&'static str],
);

const FAULTS: &[Fault] = &[
    (
        "forwarding switched off on the inner interface alone",
        ForwardingMethod::Nat,
        |e| set_sysctl(e, "director", "net.ipv4.conf.eth1.forwarding", "0"),
        &["director/effective forwarding on eth1: 1 → 0"],
    ),
    (
        "ip_forward off",
        ForwardingMethod::Nat,
        |e| {
            set_sysctl(e, "director", "net.ipv4.ip_forward", "0");
            set_sysctl(e, "director", "net.ipv4.conf.eth1.forwarding", "0");
            silence(e, "192.168.2.100");
            silence(e, "192.168.2.110");
            let director = found_after(e, "director");
            director.ipvs_totals.as_mut().unwrap().packets_out = 0;
        },
        &["director/effective forwarding on eth1: 1 → 0"],
    ),
    (
        "the interface's own arp_ignore outbids all's",
        ForwardingMethod::Dr,
        |e| set_sysctl(e, "web1", "net.ipv4.conf.eth0.arp_ignore", "8"),
        &["web1/effective arp_ignore on eth0: 1 or 2 → 8"],
    ),
    (
        "the VIP on lo with the network's mask",
        ForwardingMethod::Dr,
        |e| {
            let wide = address("lo", "192.168.4.15/24");
            readdress(e, "web1", "192.168.4.15", Some(wide));
        },
        &["web1/vip 192.168.4.15: 192.168.4.15/32 on lo → 192.168.4.15/24 on lo"],
    ),
    (
        "web1 has web2's address",
        ForwardingMethod::Nat,
        |e| {
            found(e, "web1")
                .addresses
                .push(address("eth1", "192.168.2.110/24"))
        },
        &[
            "web1/addresses of its own: none of another host's addresses → \
           the RIP 192.168.2.110/24 on eth1",
        ],
    ),
    (
        "a NAT real server with a leg in the clients' network",
        ForwardingMethod::Nat,
        |e| {
            let web1 = found(e, "web1");
            web1.addresses.push(address("eth0", "192.168.4.100/24"));
            web1.routes[0].interface = Some("eth0".parse().unwrap());
            web1.routes[0].via = None;
            silence(e, "192.168.2.100");
        },
        &[
            "web1/no way around the director: no address in 192.168.4.0/24 → 192.168.4.100/24 on eth0",
        ],
    ),
    (
        "a stray route takes the answers another way",
        ForwardingMethod::Nat,
        |e| {
            found(e, "web1").routes[0].via = Some("192.168.2.77".parse().unwrap());
            silence(e, "192.168.2.100");
        },
        &["web1/route to 192.168.4.10: via 192.168.2.5 dev eth1 → via 192.168.2.77 dev eth1"],
    ),
    (
        "the web server listens on loopback only",
        ForwardingMethod::Dr,
        |e| {
            let address = "127.0.0.1".parse().unwrap();
            found(e, "web2").listeners = vec![Listener { address, port: 80 }];
            silence(e, "192.168.4.110");
        },
        &["web2/listens on tcp 80: a socket on *:80 or 192.168.4.15:80 → 127.0.0.1:80"],
    ),
    (
        "the web server does not run",
        ForwardingMethod::Dr,
        |e| {
            let state = Some(ServiceState {
                enabled: true,
                ..ServiceState::default()
            });
            observe(e, "web2", "service apache2", Observed::Service { state });
            found(e, "web2").listeners.clear();
            silence(e, "192.168.4.110");
        },
        &["web2/service apache2: runs → does not run"],
    ),
    (
        "the interface is down",
        ForwardingMethod::Nat,
        |e| {
            observe(
                e,
                "web1",
                "default route",
                Observed::DefaultRoute { routes: vec![] },
            );
            let web1 = found(e, "web1");
            web1.links[0].up = false;
            web1.links[0].carrier = false;
            web1.routes[0].interface = None;
            web1.routes[0].via = None;
            silence(e, "192.168.2.100");
        },
        &["web1/link eth1: up → down"],
    ),
    (
        "lo is down on a direct-routing real server, which still lists the VIP",
        ForwardingMethod::Dr,
        |e| {
            found(e, "web1").links.last_mut().unwrap().up = false;
            silence(e, "192.168.4.100");
        },
        &["web1/link lo: up → down"],
    ),
    (
        "ARP is off on a real server, as old instructions have it",
        ForwardingMethod::Dr,
        |e| {
            found(e, "web1").links[0].no_arp = true;
            silence(e, "192.168.4.100");
        },
        &["web1/arp eth0: ARP is on → ARP is off"],
    ),
    (
        "no carrier",
        ForwardingMethod::Dr,
        |e| {
            found(e, "web1").links[0].carrier = false;
            silence(e, "192.168.4.100");
        },
        &["web1/carrier eth0: carrier → no carrier"],
    ),
    (
        "a destination nobody planned",
        ForwardingMethod::Dr,
        |e| {
            let mut status = ipvs_status(e);
            let mut stranger = status.destinations[0].clone();
            stranger.destination.address = "192.168.4.77".parse().unwrap();
            status.destinations.push(stranger);
            set_ipvs(e, Some(status));
        },
        &[
            "director/ipvs tcp 192.168.4.15:80: wrr: 192.168.4.100:80 gatewaying weight 1, \
           192.168.4.110:80 gatewaying weight 1 → 192.168.4.77:80 gatewaying weight 1 is not planned",
        ],
    ),
    (
        "a wrong scheduler and a wrong weight",
        ForwardingMethod::Dr,
        |e| {
            let mut status = ipvs_status(e);
            status.service.scheduler = "sh".to_owned();
            status.destinations[1].destination.weight = 3;
            set_ipvs(e, Some(status));
        },
        &[
            "director/ipvs tcp 192.168.4.15:80: wrr: 192.168.4.100:80 gatewaying weight 1, \
           192.168.4.110:80 gatewaying weight 1 → sh instead of wrr; 192.168.4.110:80 gatewaying \
           weight 3 instead of 192.168.4.110:80 gatewaying weight 1",
        ],
    ),
    (
        "the virtual service is gone",
        ForwardingMethod::Dr,
        |e| {
            set_ipvs(e, None);
            silence(e, "192.168.4.100");
            silence(e, "192.168.4.110");
        },
        &[
            "director/ipvs tcp 192.168.4.15:80: wrr: 192.168.4.100:80 gatewaying weight 1, \
           192.168.4.110:80 gatewaying weight 1 → no such service",
        ],
    ),
    (
        "web1 shows another page",
        ForwardingMethod::Dr,
        |e| {
            let state = Some(FileState {
                content_base64: "aGk=".to_owned(),
                mode: 0o644,
                uid: 0,
                gid: 0,
                context: None,
                read_instead: None,
            });
            observe(
                e,
                "web1",
                "file /var/www/html/index.html",
                Observed::File { state },
            );
            for response in e.fetched_mut().as_mut().unwrap() {
                if response.body == "192.168.4.100" {
                    response.body = "hi".to_owned();
                }
            }
        },
        &["web1/page: `192.168.4.100` → `hi`"],
    ),
    (
        "answers that no check explains",
        ForwardingMethod::Dr,
        |e| silence(e, "192.168.4.100"),
        &[
            "client/requests answered: 100 of 100 answered with status 200 → \
           50 of 100 answered with status 200; 50 timed out (curl 28)",
        ],
    ),
    (
        "an unfair share that no check explains",
        ForwardingMethod::Dr,
        |e| e.fetched_mut().as_mut().unwrap()[0].body = "192.168.4.110".to_owned(),
        &["client/distribution: web1 50, web2 50 → web1 49, web2 51"],
    ),
    (
        "requests on one kept-alive connection",
        ForwardingMethod::Dr,
        |e| {
            let responses = e.fetched_mut().as_mut().unwrap();
            responses[3].local_port = responses[2].local_port;
            responses[3].connections = Some(0);
        },
        &[
            "client/fresh connections: a connection of its own for every answer → \
           99 connections for 100 answers; 1 came over one that was kept alive",
        ],
    ),
    (
        "requests on one kept-alive connection, in a document that tells them by their ports alone",
        ForwardingMethod::Dr,
        |e| {
            let responses = e.fetched_mut().as_mut().unwrap();
            responses[3].local_port = responses[2].local_port;
            for response in responses {
                response.connections = None;
            }
        },
        &[
            "client/fresh connections: a connection of its own for every answer → \
           99 connections for 100 answers; 1 came over one that was kept alive",
        ],
    ),
    (
        "a neighbour entry of nobody's on the director",
        ForwardingMethod::Nat,
        |e| {
            found_after(e, "director").neighbours.push(neighbour(
                "192.168.2.100",
                "eth1",
                "02:00:00:00:00:01",
            ));
            silence(e, "192.168.2.100");
        },
        &[
            "director/neighbour 192.168.2.100: 52:54:00:00:01:02 (web1), or no entry → \
           02:00:00:00:00:01 (no host of this lab)",
        ],
    ),
    (
        "a real server whose neighbour entry for the client is another host's",
        ForwardingMethod::Dr,
        |e| {
            found(e, "web1").neighbours.push(neighbour(
                "192.168.4.10",
                "eth0",
                "52:54:00:00:00:03",
            ));
            silence(e, "192.168.4.100");
        },
        &[
            "web1/neighbour 192.168.4.10: 52:54:00:00:00:00 (client), or no entry → \
           52:54:00:00:00:03 (web2)",
        ],
    ),
    (
        "a packet filter that drops the requests",
        ForwardingMethod::Dr,
        |e| {
            found(e, "web1").firewall.nft = Some(DROPS.to_owned());
            silence(e, "192.168.4.100");
        },
        &[
            "web1/firewall: no rule that drops or diverts them → inet guard input: tcp dport 80 drop",
        ],
    ),
    (
        "a rule that forwards the VIP past IPVS",
        ForwardingMethod::Nat,
        |e| {
            found(e, "director").firewall.iptables = Some(DIVERTS.to_owned());
            silence(e, "192.168.2.110");
        },
        &[
            "director/firewall: no rule that drops or diverts them → nat -A PREROUTING -d 192.168.4.5/32 -p tcp -m tcp \
             --dport 80 -j DNAT --to-destination 192.168.2.100",
        ],
    ),
    (
        "a blackhole route to the client",
        ForwardingMethod::Dr,
        |e| {
            let route = &mut found(e, "web1").routes[0];
            route.interface = None;
            route.entry = Some("blackhole 192.168.4.10".to_owned());
            silence(e, "192.168.4.100");
        },
        &["web1/route to 192.168.4.10: dev eth0, on the link → no way: blackhole 192.168.4.10"],
    ),
    (
        "a NAT real server that answers no ARP at all",
        ForwardingMethod::Nat,
        |e| set_sysctl(e, "web1", "net.ipv4.conf.eth1.arp_ignore", "8"),
        &["web1/effective arp_ignore on eth1: 0 or 1 or 2 → 8"],
    ),
    (
        "DR whose director passes the answers on",
        ForwardingMethod::Dr,
        |e| {
            found_after(e, "director")
                .ipvs_totals
                .as_mut()
                .unwrap()
                .packets_out = 12
        },
        &["director/replies: 0 outgoing packets → 12 outgoing packets"],
    ),
    (
        "NAT whose director sees no answers",
        ForwardingMethod::Nat,
        |e| {
            found_after(e, "director")
                .ipvs_totals
                .as_mut()
                .unwrap()
                .packets_out = 0
        },
        &["director/replies: more than 0 outgoing packets → 0 outgoing packets"],
    ),
    (
        "requests that the director did not count",
        ForwardingMethod::Nat,
        |e| {
            found_after(e, "director")
                .ipvs_totals
                .as_mut()
                .unwrap()
                .connections = 100
        },
        &["director/connections: at least 100 connections → 93 connections"],
    ),
];

/// `nft -j list ruleset` with one rule that drops tcp port 80.
pub(super) const DROPS: &str = r#"{"nftables": [
    {"chain": {"family": "inet", "table": "guard", "name": "input", "handle": 1, "type": "filter",
               "hook": "input", "prio": 0, "policy": "accept"}},
    {"rule": {"family": "inet", "table": "guard", "chain": "input", "handle": 2, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}},
        {"drop": null}]}}]}"#;

/// `iptables-save` with what a lesson on port forwarding has left behind.
const DIVERTS: &str = "\
*nat
:PREROUTING ACCEPT [2:120]
:INPUT ACCEPT [1:60]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [1:60]
-A PREROUTING -d 192.168.4.5/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.2.100
COMMIT";

pub(super) fn neighbour(address: &str, interface: &str, mac: &str) -> Neighbour {
    Neighbour {
        address: address.parse().unwrap(),
        interface: interface.parse().unwrap(),
        mac: Some(mac.to_owned()),
        state: "reachable".to_owned(),
    }
}

fn table(evidence: &mut Evidence) -> &mut crate::ipvs::Table {
    found(evidence, "director")
        .ipvs
        .as_mut()
        .unwrap()
        .as_mut()
        .unwrap()
}

fn ipvs_status(evidence: &mut Evidence) -> crate::ipvs::ServiceStatus {
    table(evidence)[0].clone()
}

fn set_ipvs(evidence: &mut Evidence, status: Option<crate::ipvs::ServiceStatus>) {
    *table(evidence) = status.into_iter().collect();
}

#[test]
fn every_single_fault_is_the_only_failure() {
    for (what, mode, inflict, expected) in FAULTS {
        let mut evidence = evidence(*mode);
        inflict(&mut evidence);
        let verdict = check(&evidence);
        assert_eq!(causes(&verdict), *expected, "{what}");
        assert!(!verdict.passed, "{what}");
        assert!(with_status(&verdict, Status::Error).is_empty(), "{what}");
        for check in &verdict.checks {
            let blocked = check.status == Status::Blocked;
            assert_eq!(
                blocked,
                !check.blocked_by.is_empty(),
                "{what}: {}",
                check.id
            );
        }
    }
}
