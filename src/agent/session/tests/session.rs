//! Whole sessions against the kernel, in a network namespace of their own and a directory for a root: a
//! real server of a DR lab is made, made again, looked at, broken, repaired and taken down.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::serve::Session;
use crate::agent::boot;
use crate::agent::protocol::frame;
use crate::agent::protocol::{Apply, Collect, Outcome, OutcomeResult, Reply, Request};
use crate::agent::resource::Local;
use crate::agent::system::root::Root;
use crate::netlink::route::{Family, RouteSocket};
use crate::netlink::test_namespace::in_new_network;
use crate::resource::{Address, DefaultRoute, File, Link, Observed, Resource, Sysctl, diff};

struct Host {
    directory: tempfile::TempDir,
    root: Root,
}

impl Host {
    /// A factory-new host with `eth0`, in the network namespace of this thread.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        symlink("/proc", root.join("/proc")).unwrap();
        fs::create_dir_all(root.join("/etc")).unwrap();
        fs::create_dir_all(root.join("/var/www/html")).unwrap();
        fs::create_dir_all(root.join("/var/lib")).unwrap();
        fs::write(
            root.join("/var/www/html/index.html"),
            b"\xffdistribution's page\n",
        )
        .unwrap();
        let socket = RouteSocket::open().unwrap();
        let eth0 = socket.add_bridge("eth0").unwrap();
        socket.set_up(eth0, false).unwrap();
        Self { directory, root }
    }

    /// One session with one request.
    fn ask(&self, request: &Request) -> Reply {
        let mut input = Vec::new();
        frame::write(&mut input, request).unwrap();
        let mut session = Session {
            machine: Local::new(self.root.clone(), None),
            is_root: true,
            output: Vec::new(),
            capture: None,
            caller_is_gone: || false,
        };
        session.run(input.as_slice()).unwrap();
        let mut written = session.output.as_slice();
        let mut last = None;
        while let Some(reply) = frame::read(&mut written).unwrap() {
            last = Some(reply);
        }
        last.unwrap()
    }

    fn apply(&self, resources: &[Resource]) -> Vec<Outcome> {
        let request = Request::Apply(Apply {
            lab: "dr".parse().unwrap(),
            run: "test".into(),
            resources: resources.to_vec(),
            confirm_within_seconds: None,
        });
        match self.ask(&request) {
            Reply::Applied { outcomes, .. } => outcomes,
            other => panic!("{other:?}"),
        }
    }

    fn revert(&self) -> Vec<Outcome> {
        let request = Request::Revert {
            lab: "dr".parse().unwrap(),
            run: "test".into(),
            purge: false,
        };
        match self.ask(&request) {
            Reply::Reverted { outcomes } => outcomes,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that a lab may touch.
    fn state(&self) -> BTreeMap<String, String> {
        let mut state = BTreeMap::new();
        files(self.directory.path(), &mut state);
        let socket = RouteSocket::open().unwrap();
        for link in socket.links().unwrap() {
            state.insert(format!("link {}", link.name), link.up.to_string());
        }
        state.insert(
            "addresses".into(),
            format!("{:?}", socket.addresses().unwrap()),
        );
        state.insert(
            "routes".into(),
            format!("{:?}", socket.default_routes(Family::V4).unwrap()),
        );
        for key in [
            "conf/all/arp_ignore",
            "conf/lo/arp_ignore",
            "ip_forward",
            "conf/all/accept_redirects",
        ] {
            let value = fs::read_to_string(format!("/proc/sys/net/ipv4/{key}")).unwrap();
            state.insert(format!("sysctl {key}"), value);
        }
        state
    }
}

fn files(directory: &Path, state: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let found = entry.metadata().unwrap();
        let about = format!("{:o} {} {}", found.mode(), found.uid(), found.gid());
        let content = if found.is_file() {
            format!("{:?}", fs::read(entry.path()).unwrap())
        } else {
            String::new()
        };
        state.insert(
            entry.path().display().to_string(),
            format!("{about} {content}"),
        );
        if found.is_dir() {
            files(&entry.path(), state);
        }
    }
}

fn file(path: &str, content: &str) -> Resource {
    Resource::File(File {
        path: path.into(),
        content: content.into(),
        mode: 0o644,
    })
}

fn sysctl(key: &str, value: &str) -> Resource {
    Resource::Sysctl(Sysctl {
        key: key.into(),
        value: value.into(),
    })
}

fn address(interface: &str, net: &str, label: Option<&str>) -> Resource {
    Resource::Address(Address {
        interface: interface.parse().unwrap(),
        address: net.parse().unwrap(),
        label: label.map(str::to_owned),
    })
}

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

fn real_server() -> Vec<Resource> {
    vec![
        file(
            &format!("{SCRIPTS}/ifcfg-eth0"),
            "DEVICE=eth0\nIPADDR=192.168.4.100\nPREFIX=24\nGATEWAY=192.168.4.1\n",
        ),
        file(
            &format!("{SCRIPTS}/ifcfg-lo:0"),
            "DEVICE=lo:0\nIPADDR=192.168.4.15\nNETMASK=255.255.255.255\n",
        ),
        file(
            "/etc/sysctl.d/90-lvslab.conf",
            "net.ipv4.conf.all.arp_ignore = 1\n",
        ),
        file("/var/www/html/index.html", "192.168.4.100\n"),
        sysctl("net.ipv4.conf.all.arp_ignore", "1"),
        sysctl("net.ipv4.conf.lo.arp_ignore", "1"),
        sysctl("net.ipv4.ip_forward", "1"),
        Resource::Link(Link {
            interface: "eth0".parse().unwrap(),
        }),
        address("eth0", "192.168.4.100/24", None),
        address("lo", "192.168.4.15/32", Some("lo:0")),
        Resource::DefaultRoute(DefaultRoute {
            via: "192.168.4.1".parse().unwrap(),
            interface: "eth0".parse().unwrap(),
        }),
    ]
}

fn changed(outcomes: &[Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .filter(|o| o.result != OutcomeResult::Unchanged)
        .map(|o| match &o.result {
            OutcomeResult::Changed { .. } => o.resource.0.clone(),
            other => format!("{}: {other:?}", o.resource),
        })
        .collect()
}

#[test]
fn a_real_server_is_made_repaired_and_put_back_byte_for_byte() {
    in_new_network(
        "agent::session::tests::a_real_server_is_made_repaired_and_put_back_byte_for_byte",
        || {
            let host = Host::new();
            let plan = real_server();
            let before = host.state();

            assert_eq!(changed(&host.apply(&plan)).len(), plan.len());
            assert_eq!(changed(&host.apply(&plan)), [] as [&str; 0]);

            // Broken by hand: found and repaired, and only that.
            fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "0").unwrap();
            fs::write(host.root.join("/var/www/html/index.html"), "mine\n").unwrap();
            assert_eq!(
                changed(&host.apply(&plan)),
                [
                    "file /var/www/html/index.html",
                    "sysctl net.ipv4.conf.all.arp_ignore"
                ]
            );

            let undone = changed(&host.revert());
            assert_eq!(undone.first().unwrap(), "default route");
            assert_eq!(host.state(), before);
            assert_eq!(host.revert(), []);
            assert_eq!(host.state(), before);
        },
    );
}

#[test]
fn what_a_later_plan_no_longer_has_is_put_back_and_the_rest_stays() {
    in_new_network(
        "agent::session::tests::what_a_later_plan_no_longer_has_is_put_back_and_the_rest_stays",
        || {
            let host = Host::new();
            let before = host.state();
            host.apply(&real_server());
            let without_vip: Vec<Resource> = real_server()
                .into_iter()
                .filter(|r| !r.id().0.contains("lo:0"))
                .collect();
            assert_eq!(
                changed(&host.apply(&without_vip)),
                [
                    "address lo:0 192.168.4.15/32".to_owned(),
                    format!("file {SCRIPTS}/ifcfg-lo:0")
                ]
            );
            host.revert();
            assert_eq!(host.state(), before);
        },
    );
}

#[test]
fn a_boot_makes_of_the_files_what_apply_made_live() {
    in_new_network(
        "agent::session::tests::a_boot_makes_of_the_files_what_apply_made_live",
        || {
            let host = Host::new();
            let plan = real_server();
            let socket = RouteSocket::open().unwrap();
            host.apply(&plan);
            for entry in socket.addresses().unwrap() {
                socket.delete_address(&entry).unwrap();
            }
            let eth0 = socket.link("eth0").unwrap().unwrap().index;
            socket.set_up(eth0, false).unwrap();
            assert_eq!(boot::bring_up(&host.root), []);
            assert_eq!(changed(&host.apply(&plan)), [] as [&str; 0]);
        },
    );
}

#[test]
fn evidence_is_what_the_plan_made() {
    in_new_network(
        "agent::session::tests::evidence_is_what_the_plan_made",
        || {
            let host = Host::new();
            let plan = real_server();
            host.apply(&plan);
            let listener = std::net::TcpListener::bind("192.168.4.15:80").unwrap();
            let request = Request::Collect(Collect {
                resources: plan.clone(),
                boot_files: true,
                routes_to: vec!["192.168.4.10".parse().unwrap(), "10.9.9.9".parse().unwrap()],
                ipvs: false,
                ipvs_connections_of: None,
                ..Collect::default()
            });
            let Reply::Evidence(evidence) = host.ask(&request) else {
                panic!("no evidence");
            };
            drop(listener);
            for (resource, observed) in plan.iter().zip(&evidence.observed) {
                let observed: &Observed = observed.as_ref().unwrap();
                assert_eq!(diff(resource, observed), None);
            }
            let files = evidence.boot_files.as_ref().unwrap();
            let settings = files.text("/etc/sysctl.d/90-lvslab.conf").unwrap();
            assert!(settings.contains("net.ipv4.conf.all.arp_ignore = 1"));
            let route = |at: usize| {
                let route = &evidence.routes[at];
                (
                    route.via.map(|v| v.to_string()),
                    route.source.map(|s| s.to_string()),
                )
            };
            assert_eq!(route(0), (None, Some("192.168.4.100".into())));
            assert_eq!(
                route(1),
                (Some("192.168.4.1".into()), Some("192.168.4.100".into()))
            );
            let listeners: Vec<String> = evidence
                .listeners
                .iter()
                .map(|l| format!("{}:{}", l.address, l.port))
                .collect();
            assert_eq!(listeners, ["192.168.4.15:80"]);
            assert!(
                evidence
                    .links
                    .iter()
                    .any(|l| l.name.as_str() == "eth0" && l.up)
            );
            assert_eq!(evidence.addresses.len(), 2);
        },
    );
}

#[test]
fn facts_tell_the_host_apart_from_what_the_lab_made() {
    in_new_network(
        "agent::session::tests::facts_tell_the_host_apart_from_what_the_lab_made",
        || {
            let host = Host::new();
            fs::write(
                host.root.join("/etc/os-release"),
                "ID=debian\nPRETTY_NAME=Debian\n",
            )
            .unwrap();
            host.apply(&[address("eth0", "192.168.4.100/24", None)]);
            let request = Request::Facts {
                lab: "dr".parse().unwrap(),
            };
            let Reply::Facts(facts) = host.ask(&request) else {
                panic!("no facts");
            };
            assert_eq!(facts.os, "Debian");
            let owned: Vec<&str> = facts.owned.iter().map(|id| id.0.as_str()).collect();
            assert_eq!(owned, ["address eth0 192.168.4.100/24"]);
            let eth0 = facts
                .links
                .iter()
                .find(|l| l.name.as_str() == "eth0")
                .unwrap();
            assert_eq!(eth0.addresses[0].address.to_string(), "192.168.4.100/24");
            assert!(facts.links.iter().any(|l| l.loopback && !l.ethernet));
        },
    );
}
