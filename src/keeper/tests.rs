//! What a boot makes of files that people write.

use std::time::Duration;

use super::*;
use crate::requirement::{Origin, Topic};
use crate::resource::{NetworkFiles, OsFamily, ServiceManager};

const SANDBOX: System = System {
    family: OsFamily::Debian,
    service_manager: ServiceManager::SysV,
    network_files: NetworkFiles::Agent,
    network_manager: false,
};

const RHEL: System = System {
    family: OsFamily::Rhel,
    service_manager: ServiceManager::Systemd,
    network_files: NetworkFiles::System,
    network_manager: true,
};

const DEBIAN: System = System {
    service_manager: ServiceManager::Systemd,
    ..SANDBOX
};

fn files(contents: &[(&str, &str)]) -> BootFiles {
    let mut files = BootFiles::default();
    for (path, text) in contents {
        let (text, written) = ((*text).to_owned(), Duration::ZERO);
        files.add(*path, BootFile { text, written });
    }
    files
}

fn enabled(mut files: BootFiles, service: &str) -> BootFiles {
    files.link(
        format!("/etc/systemd/system/multi-user.target.wants/{service}.service"),
        format!("/lib/systemd/system/{service}.service"),
    );
    files
}

/// Each address with its interface and the file it comes from.
fn addresses(files: &BootFiles, system: &System) -> Vec<String> {
    let state = after_boot(files, system, &[]);
    let shown = state.addresses.into_iter().flatten().map(|found| {
        let origin = found.origin.map(|origin| origin.to_string());
        format!(
            "{} on {} by {}",
            found.value.address,
            found.value.interface,
            origin.unwrap_or_default()
        )
    });
    shown.collect()
}

const ETH0: (&str, &str) = (
    "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "# typed by hand\nIPADDR=\"192.168.4.100\"\nNETMASK=255.255.255.0\nUUID=x\n",
);
const LO_ALIAS: (&str, &str) = (
    "/etc/sysconfig/network-scripts/ifcfg-lo:0",
    "DEVICE=lo:0\nIPADDR=192.168.4.15\nPREFIX=32\n",
);
const LO: (&str, &str) = (
    "/etc/sysconfig/network-scripts/ifcfg-lo",
    "DEVICE=lo\nIPADDR=127.0.0.1\nPREFIX=8\n",
);

#[test]
fn ifcfg_files_count_where_something_reads_them() {
    let own = "192.168.4.100/24 on eth0 by /etc/sysconfig/network-scripts/ifcfg-eth0";
    let vip = "192.168.4.15/32 on lo by /etc/sysconfig/network-scripts/ifcfg-lo:0";
    let written = files(&[ETH0, LO_ALIAS]);
    assert_eq!(addresses(&written, &SANDBOX), [own, vip]);
    assert_eq!(addresses(&written, &RHEL), [own]);
    assert_eq!(addresses(&written, &DEBIAN), [""; 0]);
    let with_unit = enabled(written, agent_boot::UNIT);
    assert_eq!(addresses(&with_unit, &RHEL), [own, vip]);
    assert_eq!(addresses(&with_unit, &DEBIAN), [own, vip]);
}

#[test]
fn network_scripts_bring_up_lo_0_with_lo() {
    let scripts = System {
        network_manager: false,
        ..RHEL
    };
    let vip = |written: &[(&str, &str)]| {
        let found = addresses(&files(written), &scripts);
        found.iter().any(|one| one.starts_with("192.168.4.15/32"))
    };
    assert!(vip(&[LO, LO_ALIAS]));
    assert!(!vip(&[LO_ALIAS]));
}

#[test]
fn a_script_among_ifcfg_files_is_run_by_rhel_and_refused_by_our_agent() {
    let script = (
        "/etc/sysconfig/network-scripts/ifcfg-eth1",
        "IPADDR=$(mine)\n",
    );
    let written = files(&[ETH0, script]);
    let state = after_boot(&written, &RHEL, &[]);
    assert_eq!(state.unread.len(), 1);
    assert_eq!(state.unread[0].topic, Topic::Network);
    assert_eq!(state.unread[0].place, Origin::file(script.0));
    assert_eq!(after_boot(&written, &SANDBOX, &[]).unread, []);
}

#[test]
fn a_masked_unit_is_not_started() {
    let mut written = enabled(files(&[ETH0]), agent_boot::UNIT);
    assert!(!addresses(&written, &DEBIAN).is_empty());
    written.link("/etc/systemd/system/lvslab-boot.service", "/dev/null");
    assert!(addresses(&written, &DEBIAN).is_empty());
}

#[test]
fn sysv_starts_what_runlevel_2_links_to() {
    let running = |link: &str| {
        let mut written = files(&[]);
        written.link(link, "../init.d/apache2");
        after_boot(&written, &SANDBOX, &[])
            .web
            .expect("a web server")
            .running
    };
    assert!(running("/etc/rc2.d/S01apache2"));
    assert!(!running("/etc/rc2.d/K01apache2"));
    assert!(!running("/etc/rc3.d/S01apache2"));
}

#[test]
fn settings_are_looked_up_with_their_line() {
    let written = files(&[
        ("/etc/sysctl.d/50.conf", "net.ipv4.conf.*.arp_ignore = 1\n"),
        ("/etc/sysctl.conf", "# mine\nnet/ipv4/ip_forward=1\n"),
    ]);
    let keys = [
        "net.ipv4.conf.all.arp_ignore",
        "net.ipv4.ip_forward",
        "net.ipv4.conf.eth0.rp_filter",
    ];
    let settings = after_boot(&written, &SANDBOX, &keys.map(str::to_owned)).settings;
    let shown: Vec<String> = settings
        .values
        .iter()
        .map(|(key, found)| {
            format!(
                "{key}={} {}",
                found.value,
                found.origin.as_ref().expect("a line")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "net.ipv4.conf.all.arp_ignore=1 /etc/sysctl.d/50.conf:1",
            "net.ipv4.ip_forward=1 /etc/sysctl.conf:2",
        ]
    );
}

#[test]
fn the_distributions_service_restores_its_own_file_and_ours_the_newest() {
    let rules = "-A -t 192.168.4.15:80 -s wrr\n";
    let services = |files: &BootFiles, system: &System| {
        after_boot(files, system, &[]).ipvs.expect("a table").len()
    };
    let rhels = files(&[("/etc/sysconfig/ipvsadm", rules)]);
    let debians = files(&[("/etc/ipvsadm.rules", rules)]);
    assert_eq!(services(&rhels, &RHEL), 0);
    assert_eq!(services(&enabled(rhels.clone(), "ipvsadm"), &RHEL), 1);
    assert_eq!(services(&rhels, &SANDBOX), 1);
    let mut debians = enabled(debians, "ipvsadm");
    assert_eq!(services(&debians, &DEBIAN), 0);
    let (text, written) = ("AUTO=\"true\"\n".to_owned(), Duration::ZERO);
    debians.add("/etc/default/ipvsadm", BootFile { text, written });
    assert_eq!(services(&debians, &DEBIAN), 1);
}

#[test]
fn rules_that_cannot_be_read_leave_the_table_open() {
    let written = files(&[("/etc/ipvsadm.rules", "# saved\n-A -t nonsense\n")]);
    let state = after_boot(&written, &SANDBOX, &[]);
    assert_eq!(state.unread[0].topic, Topic::Ipvs);
    assert_eq!(state.unread[0].place, Origin::line("/etc/ipvsadm.rules", 2));
}
