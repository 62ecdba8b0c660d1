//! What a boot brings up, in network namespaces of its own.

use std::fs;

use super::*;
use crate::netlink::test_namespace::in_new_network;

fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::at(directory.path());
    for (name, text) in files {
        let path = root.join(SCRIPTS).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (directory, root)
}

fn shown(socket: &RouteSocket) -> Vec<String> {
    let mut shown: Vec<String> = socket
        .addresses()
        .unwrap()
        .iter()
        .filter(|a| a.address.addr().is_ipv4() && !a.address.addr().is_loopback())
        .map(|a| format!("{} {}", a.label, a.address))
        .collect();
    shown.extend(
        socket
            .default_routes(Family::V4)
            .unwrap()
            .iter()
            .map(|r| format!("default via {}", r.via.unwrap())),
    );
    shown
}

#[test]
fn interfaces_come_up_before_their_aliases_and_gateways_last() {
    in_new_network(
        "agent::boot::tests::interfaces_come_up_before_their_aliases_and_gateways_last",
        || {
            let (_directory, root) = root(&[
                (
                    "ifcfg-eth0:0",
                    "DEVICE=eth0:0\nIPADDR=192.168.4.15\nPREFIX=24\n",
                ),
                (
                    "ifcfg-eth0",
                    "DEVICE=eth0\nIPADDR=192.168.4.5\nPREFIX=24\nGATEWAY=192.168.4.1\n",
                ),
                (
                    "ifcfg-lo:0",
                    "DEVICE=lo:0\nIPADDR=192.168.4.16\nNETMASK=255.255.255.255\nBROADCAST=192.168.4.16\n",
                ),
                (
                    "ifcfg-eth1",
                    "DEVICE=eth1\nIPADDR=10.0.0.1\nPREFIX=24\nONBOOT=no\n",
                ),
                ("ifcfg-eth0.bak", "reboot\n"),
            ]);
            let socket = RouteSocket::open().unwrap();
            let eth0 = socket.add_bridge("eth0").unwrap();
            socket.set_up(eth0, false).unwrap();
            for _ in 0..2 {
                assert_eq!(bring_up(&root), []);
                assert!(socket.link("eth0").unwrap().unwrap().up);
                assert!(socket.link("lo").unwrap().unwrap().up);
                assert_eq!(
                    shown(&socket),
                    [
                        "lo:0 192.168.4.16/32",
                        "eth0 192.168.4.5/24",
                        "eth0:0 192.168.4.15/24",
                        "default via 192.168.4.1"
                    ]
                );
            }
        },
    );
}

#[test]
fn the_gateway_comes_in_place_of_the_machine_s_own() {
    in_new_network(
        "agent::boot::tests::the_gateway_comes_in_place_of_the_machine_s_own",
        || {
            let text = "IPADDR=192.168.2.100\nPREFIX=24\nGATEWAY=192.168.2.5\n";
            let (_directory, root) = root(&[("ifcfg-eth0", text)]);
            let socket = RouteSocket::open().unwrap();
            let index = socket.add_bridge("eth0").unwrap();
            let expected = ["eth0 192.168.2.100/24", "default via 192.168.2.5"];
            assert_eq!(bring_up(&root), []);
            assert_eq!(shown(&socket), expected);
            socket
                .set_default_route(&DefaultRouteEntry {
                    family: Family::V4,
                    via: Some([192, 168, 2, 1].into()),
                    index,
                    metric: 0,
                    protocol: 3,
                })
                .unwrap();
            assert_eq!(shown(&socket)[1], "default via 192.168.2.1");
            assert_eq!(bring_up(&root), []);
            assert_eq!(shown(&socket), expected);
        },
    );
}

#[test]
fn an_address_that_the_machine_itself_brought_up_stays_and_the_gateway_comes_to_it() {
    in_new_network(
        "agent::boot::tests::an_address_that_the_machine_itself_brought_up_stays_and_the_gateway_comes_to_it",
        || {
            let text = "IPADDR=192.168.2.100\nPREFIX=24\nGATEWAY=192.168.2.5\n";
            let (_directory, root) = root(&[("ifcfg-eth0", text)]);
            let socket = RouteSocket::open().unwrap();
            let index = socket.add_bridge("eth0").unwrap();
            socket.set_up(index, true).unwrap();
            socket
                .add_address(&AddressEntry {
                    index,
                    address: "192.168.2.100/24".parse().unwrap(),
                    label: "eth0".to_owned(),
                    broadcast: None,
                })
                .unwrap();
            assert_eq!(bring_up(&root), []);
            assert_eq!(
                shown(&socket),
                ["eth0 192.168.2.100/24", "default via 192.168.2.5"]
            );
        },
    );
}

#[test]
fn a_bad_file_does_not_keep_the_others_down() {
    in_new_network(
        "agent::boot::tests::a_bad_file_does_not_keep_the_others_down",
        || {
            let (_directory, root) = root(&[
                (
                    "ifcfg-eth0",
                    "IPADDR=192.168.4.5\nPREFIX=24\nGATEWAY=10.0.0.1\n",
                ),
                ("ifcfg-eth1", "IPADDR=192.168.2.5\nPREFIX=24\n"),
                ("ifcfg-a", "rm -rf /\n"),
            ]);
            let socket = RouteSocket::open().unwrap();
            socket.add_bridge("eth0").unwrap();
            let problems: Vec<String> = bring_up(&root).iter().map(ToString::to_string).collect();
            assert_eq!(problems.len(), 3, "{problems:?}");
            assert_eq!(
                problems[0],
                format!("{SCRIPTS}/ifcfg-a: line 1: no assignment")
            );
            assert_eq!(
                problems[1],
                format!("{SCRIPTS}/ifcfg-eth1: there is no interface eth1")
            );
            assert!(
                problems[2].starts_with(&format!(
                    "{SCRIPTS}/ifcfg-eth0: cannot add the default route via 10.0.0.1: "
                )),
                "{problems:?}"
            );
            assert_eq!(shown(&socket), ["eth0 192.168.4.5/24"]);
        },
    );
}

#[test]
fn a_host_without_files_has_nothing_to_do() {
    let (_directory, root) = root(&[]);
    assert_eq!(bring_up(&root), []);
}

#[test]
fn rules_that_cannot_be_read_are_named_with_their_line() {
    let (_directory, root) = root(&[]);
    fs::create_dir_all(root.join("/etc")).unwrap();
    fs::write(root.join("/etc/ipvsadm.rules"), "# saved\n-A -t nonsense\n").unwrap();
    let problems = bring_up(&root);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].file, "/etc/ipvsadm.rules");
    assert!(problems[0].cause.starts_with("line 2: "), "{problems:?}");
}
