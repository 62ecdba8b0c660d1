//! The two course labs in the sandbox.

use std::collections::BTreeSet;

use crate::Test;
use crate::faults::failing;
use crate::stage::{Check, Deployed, Stage, equal, files_below, processes_naming};

pub const TESTS: &[Test] = &[
    ("dr_up_is_verified_and_says_how_to_log_in", dr_up),
    ("nat_up_is_verified_and_says_how_to_log_in", nat_up),
    (
        "dr_client_requests_alternate_between_the_real_servers",
        dr_alternates,
    ),
    ("dr_files_are_the_course_s_files", dr_files),
    ("dr_second_up_changes_nothing", |stage| {
        second_up(&stage.deployed("dr")?)
    }),
    ("nat_second_up_changes_nothing", |stage| {
        second_up(&stage.deployed("nat")?)
    }),
    ("dr_survives_a_reboot_of_each_host", |stage| {
        reboot_each(&stage.deployed("dr")?)
    }),
    ("nat_survives_a_reboot_of_each_host", |stage| {
        reboot_each(&stage.deployed("nat")?)
    }),
    ("dr_arp_ignore_lost_is_named_and_repaired", dr_broken),
    ("up_corrects_a_client_that_learnt_a_wrong_mac", wrong_mac),
    ("nat_default_route_lost_is_named_and_repaired", nat_broken),
    ("verify_json_is_one_document_of_its_schema", verify_json),
    ("exec_passes_arguments_input_and_exit_code", exec),
    ("down_leaves_nothing_but_the_cache", down),
];

fn dr_up(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    lab.up()
        .exit(0)?
        .says("verified")?
        .says("lvslab ssh client")?
        .says("replies bypass the director")?;
    Ok(())
}

fn nat_up(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    lab.up()
        .exit(0)?
        .says("verified")?
        .says("lvslab ssh client")?;
    Ok(())
}

fn dr_alternates(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let mut pages = Vec::new();
    for _ in 0..4 {
        pages.push(
            lab.exec("client", &["curl", "-s", "http://192.168.4.15/"])
                .exit(0)?
                .out
                .trim()
                .to_owned(),
        );
    }
    pages.sort_unstable();
    equal(
        "four requests over two real servers of equal weight",
        &pages,
        &[
            "192.168.4.100",
            "192.168.4.100",
            "192.168.4.200",
            "192.168.4.200",
        ]
        .map(str::to_owned)
        .to_vec(),
    )
}

fn dr_files(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let shown = lab
        .exec(
            "web1",
            &["cat", "/etc/sysconfig/network-scripts/ifcfg-lo:0"],
        )
        .exit(0)?;
    equal(
        "ifcfg-lo:0 on web1",
        &shown.out.as_str(),
        &"DEVICE=lo:0\nIPADDR=192.168.4.15\nNETMASK=255.255.255.255\nNETWORK=192.168.4.15\n\
          BROADCAST=192.168.4.15\nONBOOT=yes\nNAME=lo:0\n",
    )?;
    let shown = lab
        .exec(
            "director",
            &["cat", "/etc/sysconfig/network-scripts/ifcfg-eth0:0"],
        )
        .exit(0)?;
    equal(
        "ifcfg-eth0:0 on director",
        &shown.out.as_str(),
        &"TYPE=Ethernet\nBOOTPROTO=none\nNAME=eth0:0\nDEVICE=eth0:0\nONBOOT=yes\nIPADDR=192.168.4.15\nPREFIX=24\n",
    )?;
    let labels = lab
        .exec("web1", &["ip", "-o", "-4", "addr", "show", "dev", "lo"])
        .exit(0)?;
    labels.says("192.168.4.15/32")?.says("lo:0")?;
    let labels = lab
        .exec(
            "director",
            &["ip", "-o", "-4", "addr", "show", "dev", "eth0"],
        )
        .exit(0)?;
    labels.says("192.168.4.15/24")?.says("eth0:0")?;
    Ok(())
}

fn second_up(lab: &Deployed<'_>) -> Check {
    let ran = lab.up().exit(0)?.says("no changes")?;
    if ran.out.contains(" changed") {
        return Err(format!("something changed again\n{ran}"));
    }
    Ok(())
}

fn reboot_each(lab: &Deployed<'_>) -> Check {
    for host in ["client", "director", "web1", "web2"] {
        lab.stage
            .lvslab(&["sandbox", "reboot", host, "--lab", lab.lab])
            .exit(0)?;
    }
    lab.verify().exit(0)?;
    lab.up().exit(0)?.says("no changes")?;
    Ok(())
}

fn dr_broken(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    lab.exec("web2", &["sysctl", "-w", "net.ipv4.conf.all.arp_ignore=0"])
        .exit(0)?;
    lab.verify()
        .exit(6)?
        .says("web2")?
        .says("net.ipv4.conf.all.arp_ignore")?;
    only_fails_on("web2", &lab.verify_json()?)?;
    lab.up().exit(0)?.says("1 changed")?;
    lab.verify().exit(0)?;
    Ok(())
}

/// What a client has learnt after a real server without arp_ignore answered ARP for the VIP.
fn wrong_mac(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let mac = lab.exec("web2", &["cat", "/sys/class/net/eth0/address"]);
    let wrong = [
        "ip",
        "neigh",
        "replace",
        "192.168.4.15",
        "dev",
        "eth0",
        "nud",
        "reachable",
        "lladdr",
    ];
    lab.exec("client", &[&wrong[..], &[mac.exit(0)?.out.trim()]].concat())
        .exit(0)?;
    lab.up().exit(0)?.says("no changes")?;
    Ok(())
}

fn nat_broken(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    lab.exec("web1", &["ip", "route", "del", "default"])
        .exit(0)?;
    lab.verify().exit(6)?.says("web1")?.says("no route")?;
    only_fails_on("web1", &lab.verify_json()?)?;
    lab.up().exit(0)?;
    lab.verify().exit(0)?;
    Ok(())
}

/// Fails unless at least one check failed, and every check that failed is about `host`.
fn only_fails_on(host: &str, report: &serde_json::Value) -> Check {
    let failed = failing(report);
    let hosts: BTreeSet<_> = failed.iter().map(|check| check["host"].as_str()).collect();
    equal(
        "hosts with a failed check",
        &hosts,
        &BTreeSet::from([Some(host)]),
    )
}

fn verify_json(stage: &Stage) -> Check {
    let report = stage.deployed("dr")?.verify_json()?;
    equal(
        "schema",
        &report["schema"].as_str(),
        &Some("lvslab.verify/2"),
    )?;
    equal("lab", &report["lab"].as_str(), &Some("dr"))?;
    equal("mode", &report["mode"].as_str(), &Some("dr"))?;
    equal("passed", &report["passed"].as_bool(), &Some(true))?;
    let checks = report["checks"].as_array().ok_or("no checks")?;
    if checks.len() < 20 {
        return Err(format!("only {} checks", checks.len()));
    }
    for check in checks {
        for key in ["id", "host", "status", "summary", "expected", "observed"] {
            if check.get(key).is_none() {
                return Err(format!("a check without {key}: {check}"));
            }
        }
    }
    let counts = report["distribution"]
        .as_object()
        .ok_or("no distribution")?;
    let web1 = counts
        .get("web1")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0);
    let web2 = counts
        .get("web2")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0);
    equal("equal weights, equal shares", &web1, &web2)?;
    if web1 == 0 {
        Err("no requests were counted".to_owned())
    } else {
        Ok(())
    }
}

fn exec(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let said = lab
        .exec(
            "web1",
            &["printf", "%s|", "two words", "it's", "$HOME", "*"],
        )
        .exit(0)?;
    equal(
        "arguments arrive as given",
        &said.out.as_str(),
        &"two words|it's|$HOME|*|",
    )?;
    lab.exec("web1", &["sh", "-c", "exit 7"]).exit(7)?;
    // Output that a command's child prints after the command has ended is passed on too.
    let late = "(sleep 1; echo out; echo err >&2) & exit 3";
    let late = lab.exec("web1", &["sh", "-c", late]).exit(3)?;
    equal(
        "late output",
        &(late.out.as_str(), late.err.as_str()),
        &("out\n", "err\n"),
    )?;
    let name = lab.exec("director", &["hostname"]).exit(0)?;
    equal(
        "each host is a machine of its own",
        &name.out.trim(),
        &"director",
    )
}

fn down(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    lab.stage.lvslab(&["down", &lab.topology()]).exit(0)?;
    let root = stage.path("").to_string_lossy().into_owned();
    equal(
        "processes after down",
        &processes_naming(&root),
        &Vec::new(),
    )?;
    let nat = |path: &std::path::PathBuf| path.to_string_lossy().contains("nat");
    let left: Vec<_> = files_below(&stage.path("state"))
        .into_iter()
        .chain(files_below(&stage.path("run")))
        .filter(nat)
        .collect();
    equal("files after down", &left, &Vec::new())?;
    lab.stage.lvslab(&["down", &lab.topology()]).exit(0)?;
    Ok(())
}
