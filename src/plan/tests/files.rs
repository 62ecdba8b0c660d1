//! Rendered files, byte for byte.

use super::*;

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

fn content(text: &str, name: &str, path: &str) -> String {
    let lab = lab(text);
    let plan = planned_ok(&lab, name, assumed(&lab, name));
    let file = file(&plan, path).unwrap_or_else(|| panic!("no {path} in {plan:#?}"));
    file.content.clone()
}

#[test]
fn the_directors_alias_file_is_the_courses() {
    assert_eq!(
        content(DR, "director", &format!("{SCRIPTS}/ifcfg-eth0:0")),
        "TYPE=Ethernet\nBOOTPROTO=none\nNAME=eth0:0\nDEVICE=eth0:0\nONBOOT=yes\nIPADDR=192.168.4.15\nPREFIX=24\n"
    );
}

#[test]
fn a_real_servers_loopback_alias_file_is_the_courses() {
    for name in ["web1", "web2"] {
        assert_eq!(
            content(DR, name, &format!("{SCRIPTS}/ifcfg-lo:0")),
            "DEVICE=lo:0\nIPADDR=192.168.4.15\nNETMASK=255.255.255.255\nNETWORK=192.168.4.15\n\
             BROADCAST=192.168.4.15\nONBOOT=yes\nNAME=lo:0\n"
        );
    }
}

#[test]
fn a_hosts_own_file_has_its_address() {
    assert_eq!(
        content(DR, "web1", &format!("{SCRIPTS}/ifcfg-eth0")),
        "TYPE=Ethernet\nBOOTPROTO=none\nNAME=eth0\nDEVICE=eth0\nONBOOT=yes\nIPADDR=192.168.4.100\nPREFIX=24\n"
    );
}

#[test]
fn a_nat_real_servers_file_has_the_director_as_gateway() {
    assert_eq!(
        content(NAT, "web2", &format!("{SCRIPTS}/ifcfg-eth1")),
        "TYPE=Ethernet\nBOOTPROTO=none\nNAME=eth1\nDEVICE=eth1\nONBOOT=yes\nIPADDR=192.168.2.200\nPREFIX=24\n\
         GATEWAY=192.168.2.5\n"
    );
}

#[test]
fn a_dr_real_servers_sysctl_file_hides_the_vip() {
    insta::assert_snapshot!(content(DR, "web1", "/etc/sysctl.d/90-lvslab.conf"), @"
    # lvslab: lab dr, the VIP on lo is hidden from ARP
    net.ipv4.conf.all.arp_ignore = 1
    net.ipv4.conf.lo.arp_ignore = 1
    net.ipv4.conf.all.arp_announce = 2
    net.ipv4.conf.lo.arp_announce = 2
    ");
}

#[test]
fn a_nat_directors_sysctl_file_lets_it_route() {
    insta::assert_snapshot!(content(NAT, "director", "/etc/sysctl.d/90-lvslab.conf"), @"
    # lvslab: lab nat, the director routes between its networks
    net.ipv4.ip_forward = 1
    ");
}

#[test]
fn the_page_is_the_rip_or_what_the_topology_says() {
    assert_eq!(
        content(DR, "web1", "/var/www/html/index.html"),
        "192.168.4.100\n"
    );
    let text = DR.replace(
        "192.168.4.100/24,",
        "192.168.4.100/24, page: \"it's <b>$HOME</b> & `id`\",",
    );
    assert_eq!(
        content(&text, "web1", "/var/www/html/index.html"),
        "it's <b>$HOME</b> & `id`\n"
    );
    let lab = lab(&text);
    let plan = planned_ok(&lab, "web1", assumed(&lab, "web1"));
    let step = plan
        .steps
        .iter()
        .find(|step| step.resource.id().0.ends_with("index.html"))
        .expect("the page");
    assert_eq!(
        step.by_hand,
        ["echo 'it'\\''s <b>$HOME</b> & `id`' > /var/www/html/index.html"]
    );
}

#[test]
fn saved_rules_are_what_ipvsadm_saves() {
    assert_eq!(
        content(DR, "director", "/etc/ipvsadm.rules"),
        "-A -t 192.168.4.15:80 -s wrr\n\
         -a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n\
         -a -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 1\n"
    );
    let text = NAT
        .replace("scheduler: wrr", "scheduler: sh\n  persistence: 300")
        .replace("192.168.2.200/24, weight: 1", "192.168.2.200/24, weight: 0");
    assert_eq!(
        content(&text, "director", "/etc/ipvsadm.rules"),
        "-A -t 192.168.4.5:80 -s sh -p 300 -b sh-fallback\n\
         -a -t 192.168.4.5:80 -r 192.168.2.100:80 -m -w 1\n\
         -a -t 192.168.4.5:80 -r 192.168.2.200:80 -m -w 0\n"
    );
}

#[test]
fn a_director_without_ipvsadm_gets_a_name_for_the_agents() {
    const PATH: &str = "/usr/local/sbin/ipvsadm";
    let lab = lab(DR);
    let mut facts = assumed(&lab, "director");
    let plan = planned_ok(&lab, "director", facts.clone());
    let program = file(&plan, PATH).expect("the program");
    assert_eq!(program.mode, 0o755);
    insta::assert_snapshot!(program.content, @r#"
    #!/bin/sh
    # This system has no ipvsadm of its own; lvslab's agent is one under that name.
    exec /var/lib/lvslab/agent ipvsadm "$@"
    "#);
    facts.ipvsadm = true;
    let with_package = planned_ok(&lab, "director", facts);
    let web1 = planned_ok(&lab, "web1", assumed(&lab, "web1"));
    for (name, runs) in [
        ("", "ipvsadm \"$@\""),
        ("-save", "ipvsadm-save \"$@\""),
        ("-restore", "ipvsadm-restore \"$@\""),
    ] {
        let path = format!("{PATH}{name}");
        let program = file(&plan, &path).expect("the program");
        let last = format!("\nexec /var/lib/lvslab/agent {runs}\n");
        assert!(program.content.ends_with(&last), "{}", program.content);
        assert_eq!(program.mode, 0o755);
        assert!(file(&with_package, &path).is_none());
        assert!(file(&web1, &path).is_none());
    }
}

#[test]
fn another_port_is_listened_on() {
    let text = DR.replace("port: 80", "port: 8080");
    insta::assert_snapshot!(content(&text, "web1", "/etc/apache2/conf-enabled/lvslab.conf"), @r#"
    # lvslab: the port of the virtual service, on which the real servers listen, too.
    Listen 8080
    DocumentRoot "/var/www/html"
    "#);
    let lab = lab(&text);
    let plan = planned_ok(&lab, "web1", assumed(&lab, "web1"));
    let restarts = plan.steps.iter().any(|step| {
        matches!(&step.resource, Resource::Service(s) if s.restart_on == ["/etc/apache2/conf-enabled/lvslab.conf"])
    });
    assert!(restarts, "a new port needs a restart");
    let rhel = planned_ok(&lab, "web1", machine(OsFamily::Rhel, &[("eth0", &[])]));
    assert!(file(&rhel, "/etc/httpd/conf.d/lvslab.conf").is_some());
}

#[test]
fn the_boot_unit_runs_the_agent_after_the_kernel_settings() {
    let lab = machines(DR);
    let plan = planned_ok(&lab, "web1", machine(OsFamily::Debian, &[("ens3", &[])]));
    let unit = file(&plan, "/etc/systemd/system/lvslab-boot.service").expect("the unit");
    insta::assert_snapshot!(unit.content, @"
    [Unit]
    Description=Network files and IPVS rules of an lvslab lab
    Documentation=https://github.com/lvslab/lvslab
    # The ARP settings of a real server must be there before the VIP is.
    After=systemd-sysctl.service network.target NetworkManager-wait-online.service
    Before=apache2.service httpd.service
    ConditionPathExists=/var/lib/lvslab/agent

    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/var/lib/lvslab/agent boot

    [Install]
    WantedBy=multi-user.target
    ");
}

#[test]
fn files_other_than_the_rules_can_be_read_by_everybody() {
    for text in [DR, NAT] {
        let lab = lab(text);
        for (_, plan) in plan(&lab, &assumed_facts(&lab)) {
            for file in files(&plan.expect("a plan")) {
                let wanted = match file.path.as_str() {
                    path if path.ends_with("ipvsadm.rules") => 0o600,
                    path if path.starts_with("/usr/local/sbin/") => 0o755,
                    _ => 0o644,
                };
                assert_eq!(file.mode, wanted, "{}", file.path);
                assert!(file.content.ends_with('\n') && !file.content.contains('\r'));
            }
        }
    }
}

#[test]
fn sh_and_mh_are_told_to_pass_over_real_servers_of_weight_0() {
    let sh = DR.replace("scheduler: wrr", "scheduler: sh");
    let rules = |text: &str| content(text, "director", "/etc/ipvsadm.rules");
    assert!(rules(&sh).starts_with("-A -t 192.168.4.15:80 -s sh\n"));
    let idle = sh.replacen("weight: 1", "weight: 0", 1);
    let persistent = idle.replace("scheduler: sh", "persistence: 60\n  scheduler: sh");
    assert_eq!(
        rules(&persistent).lines().next(),
        Some("-A -t 192.168.4.15:80 -s sh -p 60 -b sh-fallback")
    );
    let mh = idle.replace("scheduler: sh", "scheduler: mh");
    assert!(rules(&mh).starts_with("-A -t 192.168.4.15:80 -s mh -b mh-fallback\n"));
    let lab = lab(&idle);
    let plan = planned_ok(&lab, "director", assumed(&lab, "director"));
    let table = plan.steps.iter().find_map(|step| match &step.resource {
        Resource::Ipvs(table) => Some((table, &step.by_hand)),
        _ => None,
    });
    let (table, by_hand) = table.expect("the virtual service");
    assert_eq!(table.service.flags, crate::ipvs::Service::SCHEDULER_FLAG_1);
    let add = "ipvsadm -A -t 192.168.4.15:80 -s sh -b sh-fallback";
    assert!(by_hand.iter().any(|line| line == add), "{by_hand:?}");
}
