//! What a boot would bring, told apart from what is so now.

use super::{causes, evidence, found, healthy, observe, with_status};
use crate::agent::protocol::{IfcfgEvidence, ListenLine};
use crate::model::{ForwardingMethod, Lab};
use crate::plan::{HostPlan, assumed_facts, plan};
use crate::resource::{NetworkFiles, Observed, OsFamily, ServiceManager, ServiceState};
use crate::verify::check;
use crate::verify::evidence::Evidence;
use crate::verify::verdict::{Aspect, Check, Status};

/// A file sets `key` by a line that names `line`.
fn saved(evidence: &mut Evidence, host: &str, (key, line, value): (&str, &str, &str)) {
    let entries = &mut found(evidence, host).boot_sysctls;
    let entry = entries.iter_mut().find(|entry| entry.key == key);
    let entry = entry.expect("a key that was asked for");
    entry.set = Some((value.to_owned(), "/etc/sysctl.d/98-x.conf".to_owned()));
    entry.line = line.to_owned();
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
            .all(|check| check.aspect == Aspect::AfterReboot)
    );
    failed
}

#[test]
fn a_file_that_undoes_the_lab_on_one_interface_is_named() {
    let mut nat = evidence(ForwardingMethod::Nat);
    let inner = "net.ipv4.conf.eth1.forwarding";
    saved(&mut nat, "director", (inner, inner, "0"));
    let named = later(&nat);
    assert_eq!(
        named[0].id.to_string(),
        format!("director/boot sysctl {inner}")
    );
    assert_eq!(named[0].observed, "0, set by /etc/sysctl.d/98-x.conf");
    assert_eq!(
        named[0].fix,
        [
            "sed -i '\\|^[[:space:]]*-\\?net[./]ipv4[./]conf[./]eth1[./]forwarding[[:space:]]*=|d' \
          /etc/sysctl.d/98-x.conf"
        ]
    );
    let mut dr = evidence(ForwardingMethod::Dr);
    let own = "net.ipv4.conf.eth0.arp_ignore";
    for (value, harmless) in [("8", false), ("2", true), ("0", true)] {
        saved(&mut dr, "web1", (own, own, value));
        assert_eq!(later(&dr).is_empty(), harmless, "{value}");
    }
}

#[test]
fn another_name_of_a_setting_is_deleted_by_that_name() {
    let mut nat = evidence(ForwardingMethod::Nat);
    let key = "net.ipv4.ip_forward";
    let inner = "net.ipv4.conf.eth1.forwarding";
    for line in ["net.ipv4.conf.all.forwarding", "net.ipv4.conf.*.forwarding"] {
        saved(&mut nat, "director", (key, line, "0"));
        saved(&mut nat, "director", (inner, line, "0"));
        let [named] = &later(&nat)[..] else {
            panic!("one cause");
        };
        assert_eq!(
            named.id.to_string(),
            "director/boot sysctl net.ipv4.ip_forward"
        );
        let pattern = line.replace('.', "[./]").replace('*', "[*]");
        assert!(named.fix[0].contains(&pattern), "{:?}", named.fix);
    }
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
    healthy::evidence(&lab, &plans)
}

const NAT: &str = include_str!("../../../topologies/nat.yaml");
const DR: &str = include_str!("../../../topologies/dr.yaml");

#[test]
fn lvslabs_own_unit_is_what_is_enabled_also_where_a_person_would_take_another() {
    let hosts = [(NAT, "director"), (DR, "director"), (DR, "web1")];
    for (text, host) in hosts {
        let mut evidence = rhel(text);
        let state = Some(ServiceState {
            running: true,
            ..ServiceState::default()
        });
        let id = "service lvslab-boot";
        observe(&mut evidence, host, id, Observed::Service { state });
        let [named] = &later(&evidence)[..] else {
            panic!("one cause");
        };
        assert_eq!(named.fix, ["systemctl enable --now lvslab-boot"], "{host}");
    }
}

#[test]
fn files_that_explain_leaves_out_are_written_all_the_same() {
    for (path, mode, aspect) in [
        (
            "/etc/systemd/system/lvslab-boot.service",
            "644",
            Aspect::AfterReboot,
        ),
        // Typed now, and not there.
        ("/usr/local/sbin/ipvsadm", "755", Aspect::Now),
    ] {
        let mut evidence = rhel(NAT);
        let id = format!("file {path}");
        observe(
            &mut evidence,
            "director",
            &id,
            Observed::File { state: None },
        );
        let verdict = check(&evidence);
        let failed = with_status(&verdict, Status::Fail);
        assert_eq!(failed, [format!("director/{id}")]);
        let named = verdict.checks.iter().find(|c| c.status == Status::Fail);
        let named = named.unwrap();
        assert_eq!(named.aspect, aspect, "{path}");
        let (first, last) = (named.fix.first().unwrap(), named.fix.last().unwrap());
        assert_eq!(*first, format!("cat > {path} <<'EOF'"));
        assert_eq!(*last, format!("chmod {mode} {path}"));
    }
}

#[test]
fn the_file_that_says_where_to_listen_counts_now_and_its_fix_restarts_the_web_server() {
    let text = NAT.replace("port: 80", "port: 8080");
    let lab = crate::topology::parse(&text, "lab.yaml", None).unwrap();
    let plans = super::plans(&lab);
    let mut evidence = healthy::evidence(&lab, &plans);
    let id = "file /etc/apache2/conf-enabled/lvslab.conf";
    observe(&mut evidence, "web1", id, Observed::File { state: None });
    found(&mut evidence, "web1").listeners.clear();
    let verdict = check(&evidence);
    assert_eq!(
        causes(&verdict),
        [format!(
            "web1/{id}: 3 lines of text, mode 0644 → no such file"
        )]
    );
    let named = verdict.checks.iter().find(|c| c.status == Status::Fail);
    let named = named.unwrap();
    assert_eq!(named.aspect, Aspect::Now);
    assert_eq!(named.fix.last().unwrap(), "service apache2 restart");
    let blocked = with_status(&verdict, Status::Blocked);
    assert!(
        blocked.contains(&"web1/listens on tcp 8080".to_owned()),
        "{blocked:?}"
    );
}

#[test]
fn a_listen_line_that_the_running_web_server_has_not_read_yet_is_named_for_the_next_boot() {
    let with = |lines: &[&str]| {
        let mut evidence = evidence(ForwardingMethod::Dr);
        let ports = |line: &&str| ListenLine {
            file: "/etc/apache2/ports.conf".to_owned(),
            line: (*line).to_owned(),
        };
        found(&mut evidence, "web1").listen_lines = lines.iter().map(ports).collect();
        evidence
    };
    let outdated = with(&["Listen 8080", "Listen 443"]);
    let [named] = &later(&outdated)[..] else {
        panic!("one cause");
    };
    assert_eq!(named.id.to_string(), "web1/boot listens on tcp 80");
    assert_eq!(
        named.observed,
        "`Listen 8080` in /etc/apache2/ports.conf, `Listen 443` in /etc/apache2/ports.conf"
    );
    assert_eq!(
        named.fix,
        ["sed -i 's|^[[:space:]]*Listen 8080[[:space:]]*$|Listen 80|' /etc/apache2/ports.conf"]
    );
    for (lines, listens) in [
        (["Listen *:80"], true),
        (["Listen 192.168.4.15:80"], true),
        (["Listen 0.0.0.0:80 http"], true),
        (["Listen [::]:80"], true),
        (["Listen 127.0.0.1:80"], false),
        (["Listen 192.168.4.100:80"], false),
    ] {
        assert_eq!(later(&with(&lines)).is_empty(), listens, "{lines:?}");
    }
    // Evidence without any is older, or from a configuration that is kept elsewhere.
    assert_eq!(
        with_status(&check(&with(&[])), Status::Skipped),
        ["web1/boot listens on tcp 80"]
    );
}

#[test]
fn an_ifcfg_file_that_nobody_planned_is_named_where_it_does_harm() {
    let with = |mode: ForwardingMethod, interface: &str, (address, gateway): (&str, &str)| {
        let mut evidence = evidence(mode);
        let file = IfcfgEvidence {
            path: format!("/etc/sysconfig/network-scripts/ifcfg-{interface}:9"),
            interface: interface.parse().unwrap(),
            address: address.parse().ok(),
            gateway: gateway.parse().ok(),
        };
        found(&mut evidence, "web1").ifcfg_files = Some(vec![file]);
        later(&evidence)
            .into_iter()
            .map(|check| (check.observed, check.fix))
            .next()
    };
    for (mode, interface, setting, harm) in [
        (
            ForwardingMethod::Nat,
            "eth1",
            ("192.168.2.110/24", ""),
            "the RIP 192.168.2.110/24 on eth1",
        ),
        (
            ForwardingMethod::Nat,
            "eth1",
            ("192.168.4.77/24", ""),
            "192.168.4.77/24 on eth1",
        ),
        (
            ForwardingMethod::Nat,
            "eth1",
            ("", "192.168.2.1"),
            "the default route via 192.168.2.1",
        ),
        (
            ForwardingMethod::Dr,
            "eth0",
            ("192.168.4.15/24", ""),
            "the VIP 192.168.4.15/24 on eth0",
        ),
    ] {
        let path = format!("/etc/sysconfig/network-scripts/ifcfg-{interface}:9");
        assert_eq!(
            with(mode, interface, setting),
            Some((
                format!("{path} brings up {harm}"),
                vec![format!("rm {path}")]
            ))
        );
    }
    for (mode, interface, setting) in [
        (ForwardingMethod::Nat, "eth1", ("10.0.0.1/8", "192.168.2.5")),
        (ForwardingMethod::Nat, "eth1", ("192.168.2.100/24", "")),
        (
            ForwardingMethod::Dr,
            "eth0",
            ("192.168.4.77/24", "192.168.4.1"),
        ),
    ] {
        assert_eq!(with(mode, interface, setting), None, "{setting:?}");
    }
}

#[test]
fn of_ifcfg_files_that_the_system_reads_itself_nothing_is_said() {
    let mut evidence = evidence(ForwardingMethod::Nat);
    found(&mut evidence, "web1").ifcfg_files = None;
    let verdict = check(&evidence);
    let made = |host: &str| {
        let id = format!("{host}/boot ifcfg files");
        verdict
            .checks
            .iter()
            .any(|check| check.id.to_string() == id)
    };
    assert!(!made("web1") && made("web2"));
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
        let [named] = &later(&evidence)[..] else {
            panic!("one cause");
        };
        assert_eq!(named.fix, fix);
    }
}
