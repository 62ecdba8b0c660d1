//! What a boot would bring, told apart from what is so now.

use super::{causes, change_files, evidence, found, healthy, observe, plans, with_status};
use crate::agent::protocol::Listener;
use crate::model::{ForwardingMethod, Lab};
use crate::plan::{HostPlan, assumed_facts, plan};
use crate::resource::{NetworkFiles, Observed, OsFamily, ServiceManager, ServiceState};
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::verdict::{Aspect, Check, Status};

/// A file that is read at boot, and what it says there.
fn saved(evidence: &mut Evidence, host: &str, (path, text): (&str, &str)) {
    let files = found(evidence, host).boot_files.as_mut().unwrap();
    healthy::write(files, path, text);
}

/// The file is gone.
fn remove(evidence: &mut Evidence, host: &str, path: &str) {
    change_files(evidence, host, |files| {
        files["files"]
            .as_object_mut()
            .unwrap()
            .remove(path)
            .unwrap();
    });
}

/// Nothing starts the service any more.
fn unlink(evidence: &mut Evidence, host: &str, service: &str) {
    change_files(evidence, host, |files| {
        let links = files["links"].as_object_mut().unwrap();
        links.retain(|path, _| !path.contains(service));
    });
}

/// The causes, which must be so only after a reboot.
fn later(evidence: &Evidence) -> Vec<Check> {
    let failed: Vec<Check> = check(evidence)
        .checks
        .into_iter()
        .filter(|check| check.status == Status::Fail)
        .collect();
    assert!(
        failed
            .iter()
            .all(|check| check.aspect == Aspect::AfterReboot),
        "{failed:#?}"
    );
    failed
}

fn only(evidence: &Evidence) -> Check {
    let mut causes = later(evidence);
    assert_eq!(causes.len(), 1, "{causes:#?}");
    causes.remove(0)
}

const LATE: &str = "/etc/sysctl.d/98-x.conf";

#[test]
fn a_file_that_undoes_the_lab_on_one_interface_is_named() {
    let mut nat = evidence(ForwardingMethod::Nat);
    let line = "net.ipv4.conf.eth1.forwarding = 0\n";
    saved(&mut nat, "director", (LATE, line));
    let named = only(&nat);
    assert_eq!(named.id.to_string(), "director/boot forwarding on eth1");
    assert_eq!(
        named.observed,
        "off for eth1, because of /etc/sysctl.d/98-x.conf:1"
    );
    assert_eq!(
        named.fix,
        [
            "sed -i '\\|^[[:space:]]*-\\?net[./]ipv4[./]conf[./]eth1[./]forwarding[[:space:]]*=|d' \
          /etc/sysctl.d/98-x.conf"
        ]
    );
    let mut dr = evidence(ForwardingMethod::Dr);
    for (value, harmless) in [("8", false), ("2", true), ("0", true)] {
        let line = format!("net.ipv4.conf.eth0.arp_ignore = {value}\n");
        saved(&mut dr, "web1", (LATE, &line));
        assert_eq!(later(&dr).is_empty(), harmless, "{value}");
    }
}

#[test]
fn another_name_of_a_setting_is_deleted_by_that_name() {
    for key in ["net.ipv4.conf.all.forwarding", "net.ipv4.conf.*.forwarding"] {
        let mut nat = evidence(ForwardingMethod::Nat);
        saved(&mut nat, "director", (LATE, &format!("{key} = 0\n")));
        let named = only(&nat);
        assert_eq!(named.id.to_string(), "director/boot forwarding on eth1");
        let pattern = key.replace('.', "[./]").replace('*', "[*]");
        assert!(named.fix[0].contains(&pattern), "{:?}", named.fix);
    }
}

#[test]
fn a_setting_that_no_file_names_is_put_into_one() {
    let mut dr = evidence(ForwardingMethod::Dr);
    remove(&mut dr, "web1", "/etc/sysctl.d/90-lvslab.conf");
    let named = only(&dr);
    assert_eq!(named.id.to_string(), "web1/boot arp eth0");
    assert_eq!(
        named.observed,
        "arp_ignore takes effect as 0, arp_announce takes effect as 0"
    );
    assert_eq!(
        named.fix,
        [
            "echo 'net.ipv4.conf.all.arp_ignore = 1' >> /etc/sysctl.d/90-lvs.conf",
            "echo 'net.ipv4.conf.all.arp_announce = 2' >> /etc/sysctl.d/90-lvs.conf"
        ]
    );
    // Wherever and however it is said, it is the same setting.
    let text = "net/ipv4/conf/eth0/arp_ignore=2\nnet.ipv4.conf.*.arp_announce = 2\n";
    saved(&mut dr, "web1", ("/etc/sysctl.conf", text));
    assert!(later(&dr).is_empty());
}

/// The lab on machines of RHEL, which reads ifcfg files and restores IPVS rules by a unit of ipvsadm.
fn rhel(text: &str) -> Evidence {
    let lab: Lab = crate::topology::parse(text, "lab.yaml", None).unwrap();
    let mut facts = assumed_facts(&lab);
    for facts in facts.values_mut() {
        facts.family = OsFamily::Rhel;
        facts.service_manager = ServiceManager::Systemd;
        facts.network_files = NetworkFiles::System;
    }
    let mut plans = plan(&lab, &facts);
    let plans: Vec<HostPlan> = lab
        .hosts()
        .iter()
        .map(|host| plans.remove(&host.name).unwrap().unwrap())
        .collect();
    healthy::evidence_on(&lab, &facts, &plans)
}

const NAT: &str = include_str!("../../../topologies/nat.yaml");
const DR: &str = include_str!("../../../topologies/dr.yaml");

#[test]
fn rules_that_nothing_restores_are_named_and_what_restores_them_is_enabled() {
    for text in [NAT, DR] {
        let mut evidence = rhel(text);
        assert!(later(&evidence).is_empty());
        unlink(&mut evidence, "director", "lvslab-boot");
        let named = only(&evidence);
        assert!(
            named.id.to_string().starts_with("director/boot ipvs tcp "),
            "{}",
            named.id
        );
        assert_eq!(
            named.fix,
            [
                "systemctl enable lvslab-boot",
                "ipvsadm-save -n > /etc/sysconfig/ipvsadm"
            ]
        );
    }
}

#[test]
fn programs_and_units_of_lvslabs_own_are_not_judged_by_themselves() {
    let mut evidence = rhel(NAT);
    for path in [
        "/etc/systemd/system/lvslab-boot.service",
        "/usr/local/sbin/ipvsadm",
    ] {
        remove(&mut evidence, "director", path);
    }
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
}

#[test]
fn saved_rules_say_the_same_in_any_order_and_are_saved_anew_where_they_do_not() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let rules = |weight: u32| {
        format!(
            "-a -t 192.168.4.15:80 -r 192.168.4.110:80 -g -w {weight}\n\
             -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n"
        )
    };
    let service = "-A -t 192.168.4.15:80 -s wrr\n";
    let path = "/etc/ipvsadm.rules";
    let text = format!("{service}{}", rules(1));
    saved(&mut evidence, "director", (path, &text));
    assert!(later(&evidence).is_empty());
    let text = format!("{service}{}", rules(3));
    saved(&mut evidence, "director", (path, &text));
    let named = only(&evidence);
    assert_eq!(
        named.id.to_string(),
        "director/boot ipvs tcp 192.168.4.15:80"
    );
    assert!(named.observed.ends_with("because of /etc/ipvsadm.rules"));
    assert_eq!(named.fix, ["ipvsadm-save -n > /etc/ipvsadm.rules"]);
}

#[test]
fn another_port_is_listened_on_wherever_the_line_is() {
    let text = NAT.replace("port: 80", "port: 8080");
    let lab = crate::topology::parse(&text, "lab.yaml", None).unwrap();
    let mut evidence = healthy::evidence(&lab, &plans(&lab));
    let drop_in = "/etc/apache2/conf-enabled/lvslab.conf";
    saved(&mut evidence, "web1", (drop_in, "Listen 8081\n"));
    found(&mut evidence, "web1").listeners.clear();
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        [
            "web1/listens on tcp 8080: a socket on *:8080 or 192.168.2.100:8080 → nothing listens on that port"
        ]
    );
    let named = verdict.checks.iter().find(|c| c.status == Status::Fail);
    assert_eq!(
        named.unwrap().fix,
        [
            format!("sed -i 's|^[[:space:]]*Listen 8081[[:space:]]*$|Listen 8080|' {drop_in}"),
            "service apache2 restart".to_owned()
        ]
    );
    let blocked = with_status(&verdict, Status::Blocked);
    let later = "web1/boot web server on tcp 8080".to_owned();
    assert!(blocked.contains(&later), "{blocked:?}");
}

#[test]
fn a_listen_line_that_the_running_web_server_has_not_read_yet_is_named_for_the_next_boot() {
    let with = |lines: &str| {
        let mut evidence = evidence(ForwardingMethod::Dr);
        saved(&mut evidence, "web1", ("/etc/apache2/ports.conf", lines));
        evidence
    };
    let named = only(&with("Listen 8080\nListen 443\n"));
    assert_eq!(named.id.to_string(), "web1/boot web server on tcp 80");
    assert_eq!(
        named.observed,
        "does not listen on port 80, because of /etc/apache2/ports.conf:1, /etc/apache2/ports.conf:2"
    );
    assert_eq!(
        named.fix,
        ["sed -i 's|^[[:space:]]*Listen 8080[[:space:]]*$|Listen 80|' /etc/apache2/ports.conf"]
    );
    for (line, listens) in [
        ("Listen *:80", true),
        ("Listen 192.168.4.15:80", true),
        ("Listen 0.0.0.0:80 http", true),
        ("Listen [::]:80", true),
        ("Listen 127.0.0.1:80", false),
        ("Listen 192.168.4.100:80", false),
    ] {
        assert_eq!(later(&with(line)).is_empty(), listens, "{line}");
    }
}

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

#[test]
fn an_ifcfg_file_that_is_left_over_is_named_where_it_does_harm() {
    let with = |mode: ForwardingMethod, interface: &str, setting: &str| {
        let mut evidence = evidence(mode);
        let path = format!("{SCRIPTS}/ifcfg-{interface}:9");
        saved(&mut evidence, "web1", (&path, setting));
        later(&evidence)
    };
    for (mode, interface, setting, check, seen) in [
        (
            ForwardingMethod::Nat,
            "eth1",
            "IPADDR=192.168.2.110\nPREFIX=24\n",
            "boot addresses of its own",
            "the RIP 192.168.2.110/24 on eth1",
        ),
        (
            ForwardingMethod::Nat,
            "eth1",
            "IPADDR=192.168.4.77\nPREFIX=24\n",
            "boot addresses of its own",
            "192.168.4.77/24 on eth1",
        ),
        (
            ForwardingMethod::Nat,
            "eth1",
            "GATEWAY=192.168.2.1\n",
            "boot route to 192.168.4.10",
            "via 192.168.2.1 dev eth1",
        ),
        (
            ForwardingMethod::Dr,
            "eth0",
            "IPADDR=192.168.4.15\nPREFIX=24\n",
            "boot vip 192.168.4.15",
            "192.168.4.15/24 on eth0, 192.168.4.15/32 on lo",
        ),
    ] {
        let named = &with(mode, interface, setting)[0];
        let path = format!("{SCRIPTS}/ifcfg-{interface}:9");
        assert_eq!(named.id.to_string(), format!("web1/{check}"));
        assert_eq!(named.observed, format!("{seen}, because of {path}"));
        assert_eq!(named.fix, [format!("rm {path}")]);
    }
    for (mode, interface, setting) in [
        (
            ForwardingMethod::Nat,
            "eth1",
            "IPADDR=10.0.0.1\nPREFIX=8\nGATEWAY=192.168.2.5\n",
        ),
        (
            ForwardingMethod::Nat,
            "eth1",
            "IPADDR=192.168.2.100\nPREFIX=24\n",
        ),
        (
            ForwardingMethod::Dr,
            "eth0",
            "IPADDR=192.168.4.77\nPREFIX=24\nGATEWAY=192.168.4.1\n",
        ),
    ] {
        assert!(with(mode, interface, setting).is_empty(), "{setting:?}");
    }
}

#[test]
fn an_ifcfg_file_in_other_words_is_as_good() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    let text = "# the real server\nDEVICE=\"eth1\"\nUUID=1f\nNETMASK=255.255.255.0\nIPADDR=192.168.2.100\n\
                GATEWAY='192.168.2.5'\n";
    let path = format!("{SCRIPTS}/ifcfg-eth1");
    saved(&mut evidence, "web1", (&path, text));
    assert!(later(&evidence).is_empty());
    let text = text.replace("GATEWAY='192.168.2.5'\n", "");
    saved(&mut evidence, "web1", (&path, &text));
    let named = only(&evidence);
    assert_eq!(named.id.to_string(), "web1/boot route to 192.168.4.10");
    assert_eq!(
        named.fix,
        [format!(
            "printf '%s\\n' DEVICE=eth1 BOOTPROTO=static ONBOOT=yes IPADDR=192.168.2.100 PREFIX=24 \
             GATEWAY=192.168.2.5 > {path}"
        )]
    );
    saved(&mut evidence, "web1", (&path, "ONBOOT=no\n"));
    let named = only(&evidence);
    assert_eq!(
        named.id.to_string(),
        "web1/boot address eth1 192.168.2.100/24"
    );
}

#[test]
fn the_vip_of_the_next_boot_is_judged_by_its_mask_and_place() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let path = format!("{SCRIPTS}/ifcfg-lo:0");
    let text = "DEVICE=lo:0\nIPADDR=192.168.4.15\nNETMASK=255.255.255.0\n";
    saved(&mut evidence, "web1", (&path, text));
    let named = only(&evidence);
    assert_eq!(named.id.to_string(), "web1/boot vip 192.168.4.15");
    assert_eq!(
        named.observed,
        format!("192.168.4.15/24 on lo, because of {path}")
    );
    remove(&mut evidence, "web1", &path);
    let named = only(&evidence);
    assert_eq!(named.observed, "not on this host");
    assert_eq!(
        named.fix,
        [format!(
            "printf '%s\\n' DEVICE=lo:0 BOOTPROTO=static ONBOOT=yes IPADDR=192.168.4.15 PREFIX=32 > {path}"
        )]
    );
}

#[test]
fn of_files_that_are_scripts_only_a_reboot_tells() {
    let mut evidence = rhel(NAT);
    let path = format!("{SCRIPTS}/ifcfg-eth1:9");
    saved(
        &mut evidence,
        "web1",
        (&path, "if true; then IPADDR=x; fi\n"),
    );
    let verdict = check(&evidence);
    assert!(verdict.passed, "{:?}", causes(&verdict));
    let skipped = with_status(&verdict, Status::Skipped);
    assert!(
        skipped.contains(&"web1/boot address eth1 192.168.2.100/24".to_owned()),
        "{skipped:?}"
    );
}

#[test]
fn a_service_is_put_into_the_boot_whatever_is_left_of_its_links_and_mask() {
    let running = ServiceState {
        running: true,
        ..ServiceState::default()
    };
    let masked = ServiceState {
        masked: true,
        ..running
    };
    for (mut evidence, service, state, fix) in [
        (
            evidence(ForwardingMethod::Nat),
            "apache2",
            running,
            [
                "update-rc.d -f apache2 remove",
                "update-rc.d apache2 defaults",
            ],
        ),
        (
            rhel(NAT),
            "httpd",
            masked,
            ["systemctl unmask httpd", "systemctl enable httpd"],
        ),
    ] {
        let state = Some(state);
        let id = format!("service {service}");
        observe(&mut evidence, "web1", &id, Observed::Service { state });
        unlink(&mut evidence, "web1", service);
        let named = only(&evidence);
        assert_eq!(named.observed, "does not run");
        assert_eq!(named.fix, fix);
    }
}

#[test]
fn a_web_server_on_all_addresses_reaches_the_vip() {
    let mut evidence = evidence(ForwardingMethod::Dr);
    let address = "0.0.0.0".parse().unwrap();
    found(&mut evidence, "web1").listeners = vec![Listener { address, port: 80 }];
    assert!(check(&evidence).passed);
}
