//! Files that are read, and files that are not.

use std::io::Write as _;
use std::path::Path;

use crate::model::{ForwardingMethod, Role, Scheduler};
use crate::topology::{Inventory, load, parse};

fn message(path: &Path) -> String {
    let error = load(path, None).expect_err("makes no lab");
    let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
    let text = format!("error: {error}{}", hint.unwrap_or_default());
    match path.parent().and_then(Path::to_str) {
        Some(directory) if !directory.is_empty() => text.replace(directory, "DIR"),
        _ => text,
    }
}

fn file(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("lab.yaml");
    std::fs::write(&path, content).expect("temporary file");
    (directory, path)
}

#[test]
fn a_missing_file() {
    let directory = tempfile::tempdir().expect("temporary directory");
    insta::assert_snapshot!(message(&directory.path().join("lab.yaml")), @"
    error: cannot read DIR/lab.yaml
    hint: give the path of a topology file, for example topologies/dr.yaml
    ");
}

#[test]
fn a_directory() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("labs");
    std::fs::create_dir(&path).expect("directory");
    insta::assert_snapshot!(message(&path), @"error: DIR/labs is a directory; name a topology or inventory file in it");
}

#[test]
fn a_file_of_ten_megabytes_is_refused_by_its_size() {
    let (_directory, path) = file(b"");
    let mut large = std::fs::File::create(&path).expect("file");
    let line = [b'#'; 1024];
    for _ in 0..10 * 1024 {
        large.write_all(&line).expect("write");
    }
    insta::assert_snapshot!(message(&path), @"error: DIR/lab.yaml is larger than 1024 KiB, which is more than a lab needs");
}

#[test]
fn an_endless_file_is_refused_by_its_size() {
    insta::assert_snapshot!(message(Path::new("/dev/zero")), @"error: DIR/zero is larger than 1024 KiB, which is more than a lab needs");
}

#[test]
fn a_file_that_is_not_utf_8() {
    let (_directory, path) = file(b"lab: dr\nmode: d\xff\xfe\n");
    insta::assert_snapshot!(message(&path), @"
    error: DIR/lab.yaml:2:8: not UTF-8 text
    hint: save the file as UTF-8
    ");
}

#[test]
fn the_dr_topology_is_the_lab_of_the_course() {
    let lab = load(Path::new("topologies/dr.yaml"), None).expect("a lab");
    assert_eq!(
        (lab.name().as_str(), lab.method()),
        ("dr", ForwardingMethod::Dr)
    );
    assert_eq!(lab.networks().len(), 1);
    insta::assert_snapshot!(table(&lab), @"
    client: segment 0 ? 192.168.4.10/24
    director: segment 0 ? 192.168.4.5/24
    web1: segment 0 ? 192.168.4.100/24, weight 1, page 192.168.4.100
    web2: segment 0 ? 192.168.4.200/24, weight 1, page 192.168.4.200
    ");
    assert_eq!(lab.service().vip.to_string(), "192.168.4.15/24");
    assert_eq!(lab.service().scheduler, Scheduler::Wrr);
    assert_eq!(lab.url(), "http://192.168.4.15/");
    assert_eq!(lab.dip().to_string(), "192.168.4.5/24");
}

#[test]
fn the_nat_topology_is_the_lab_of_the_course() {
    let lab = load(Path::new("topologies/nat.yaml"), None).expect("a lab");
    assert_eq!(
        (lab.name().as_str(), lab.method()),
        ("nat", ForwardingMethod::Nat)
    );
    assert_eq!(lab.networks().len(), 2);
    insta::assert_snapshot!(table(&lab), @"
    client: segment 0 ? 192.168.4.10/24
    director: segment 0 eth0 192.168.4.5/24, segment 1 eth1 192.168.2.5/24
    web1: segment 1 ? 192.168.2.100/24, weight 1, page 192.168.2.100
    web2: segment 1 ? 192.168.2.200/24, weight 1, page 192.168.2.200
    ");
    assert_eq!(lab.service().vip.to_string(), "192.168.4.5/24");
    assert_eq!(lab.service().scheduler, Scheduler::Wrr);
    assert_eq!(lab.url(), "http://192.168.4.5/");
    assert_eq!(lab.dip().to_string(), "192.168.2.5/24");
}

fn table(lab: &crate::model::Lab) -> String {
    let mut lines = Vec::new();
    for host in lab.hosts() {
        let addresses: Vec<String> = host
            .attachments
            .iter()
            .map(|a| {
                let interface = a.interface.as_ref().map_or("?", |name| name.as_str());
                format!("segment {} {interface} {}", a.network, a.address)
            })
            .collect();
        let mut line = format!("{}: {}", host.name, addresses.join(", "));
        if let Some(server) = lab.real_server(host.name.as_str()) {
            assert!(host.is(Role::RealServer));
            line.push_str(&format!(", weight {}, page {}", server.weight, server.page));
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[test]
fn everything_optional_is_read() {
    let text = r#"
lab: big-1
mode: nat
firewall: leave
selinux: leave
service: { vip: 10.1.0.1/16, port: 8080, scheduler: sh, persistence: 300 }
client: { cip: 10.1.0.2/16, name: c, interface: ens3, ssh: c.example.org }
director: { dip: 10.2.0.1/16, name: lb, interface: ens4, vip_interface: ens3, ssh: "root@[2001:db8::1]:2222" }
real_servers:
  z: { rip: 10.2.0.9/16, weight: 0, page: 007, ssh: z, interface: enp1s0.100 }
  a: { rip: 10.2.0.8/16, weight: 65535, page: "it's <b>bold</b> & $HOME", ssh: admin@a:22 }
"#;
    let lab = parse(text, "x.yaml", None).unwrap_or_else(|error| panic!("{error}"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&lab).expect("JSON"));
}

#[test]
fn an_inventory_says_where_hosts_are_and_wins_over_the_topology() {
    let topology = include_str!("dr.yaml").replace("cip:", "ssh: root@old, cip:");
    let inventory = "hosts:\n  client: { ssh: root@10.20.0.10:22, identity: keys/lab, known_hosts: ~/known }\n  director: { ssh: d }\n  web1: { ssh: w1, identity: /abs/key }\n  web2: { ssh: w2 }\n  spare: { ssh: s }\n";
    let inventory = Inventory {
        text: inventory,
        file_name: "labs/inventory.yaml",
        directory: Path::new("/here/labs"),
        home: Some(Path::new("/home/teacher")),
    };
    let lab = parse(&topology, "dr.yaml", Some(inventory)).unwrap_or_else(|e| panic!("{e}"));
    let targets: Vec<String> = lab
        .hosts()
        .iter()
        .map(|host| format!("{}: {:?}", host.name, host.ssh.as_ref().expect("a target")))
        .collect();
    insta::assert_snapshot!(targets.join("\n"), @r#"
    client: SshTarget { user: Some("root"), host: "10.20.0.10", port: Some(22), identity: Some("/here/labs/keys/lab"), known_hosts: Some("/home/teacher/known"), origin: "labs/inventory.yaml:2" }
    director: SshTarget { user: None, host: "d", port: None, identity: None, known_hosts: None, origin: "labs/inventory.yaml:3" }
    web1: SshTarget { user: None, host: "w1", port: None, identity: Some("/abs/key"), known_hosts: None, origin: "labs/inventory.yaml:4" }
    web2: SshTarget { user: None, host: "w2", port: None, identity: None, known_hosts: None, origin: "labs/inventory.yaml:5" }
    "#);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_no_harm() {
    let windows = format!("\u{feff}{}", include_str!("dr.yaml").replace('\n', "\r\n"));
    let (_directory, path) = file(windows.as_bytes());
    let lab = load(&path, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lab.real_servers().len(), 2);
    let error = parse(&windows.replace("wrr", "wwr"), "dr.yaml", None).expect_err("a mistake");
    assert_eq!(
        (error.mistakes()[0].line, error.mistakes()[0].column),
        (3, 70)
    );
}

/// The message with which an altered lab is refused when it is read from JSON.
fn refused(alter: impl Fn(&mut serde_json::Value)) -> String {
    let lab = parse(
        include_str!("../../../topologies/nat.yaml"),
        "nat.yaml",
        None,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut json = serde_json::to_value(&lab).expect("JSON");
    let again: crate::model::Lab = serde_json::from_value(json.clone()).expect("a lab");
    assert_eq!(again, lab);
    alter(&mut json["parts"]);
    let refused = serde_json::from_value::<crate::model::Lab>(json);
    refused.expect_err("a mistake").to_string()
}

#[test]
fn a_lab_from_json_that_its_methods_could_not_rely_on_is_refused() {
    use serde_json::json;
    assert_eq!(
        refused(|lab| lab["hosts"][0]["roles"] = json!(["real-server"])),
        "the lab has no client"
    );
    assert_eq!(
        refused(|lab| lab["hosts"][2]["attachments"] = json!([])),
        "web1 has no address"
    );
    assert_eq!(
        refused(|lab| lab["hosts"][2]["attachments"][0]["network"] = json!(7)),
        "web1 is on network 7, which the lab does not have"
    );
    assert_eq!(
        refused(|lab| lab["services"] = json!([])),
        "the lab has no service"
    );
    assert_eq!(
        refused(|lab| lab["services"][0]["real_servers"] = json!([])),
        "the service 192.168.4.5:80/tcp has no real server"
    );
    assert_eq!(
        refused(|lab| lab["services"][0]["real_servers"][0]["host"] = json!("web9")),
        "real server web9 is no host of the lab"
    );
}
