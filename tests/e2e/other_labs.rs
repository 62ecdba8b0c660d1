//! Faults in labs that are not the course's: other names and networks, another port, persistence, unequal weights.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::Test;
use crate::faults::{json, one};
use crate::stage::{Check, Stage};

pub const TESTS: &[Test] = &[(
    "faults_in_labs_of_other_names_ports_and_weights_are_named_and_fixed",
    faults,
)];

const NAT: &str = "\
lab: shop
mode: nat
service: { vip: 10.20.1.9/24, port: 8080, protocol: tcp, scheduler: wrr, persistence: 60 }
client: { name: laptop, cip: 10.20.1.77/24 }
director: { name: front, dip: 10.30.0.1/16, vip_interface: eth0, interface: eth1 }
real_servers:
  alpha: { rip: 10.30.7.1/16, weight: 3 }
  beta: { rip: 10.30.8.1/16, weight: 1 }
";

const DR: &str = "\
lab: shop
mode: dr
service: { vip: 10.20.1.100/24, port: 8080, protocol: tcp, scheduler: wlc, persistence: 60 }
client: { name: laptop, cip: 10.20.1.77/24 }
director: { name: front, dip: 10.20.1.9/24 }
real_servers:
  alpha: { rip: 10.20.1.11/24, weight: 3 }
  beta: { rip: 10.20.1.12/24, weight: 1 }
";

/// The faults that depend on what is different in these labs.
const FAULTS: [&str; 7] = [
    "second-address",
    "firewall-drop",
    "wrong-persistence",
    "httpd-loopback",
    "httpd-other-port",
    "rules-outdated",
    "interface-overruled",
];

fn faults(stage: &Stage) -> Check {
    let _alone = stage.alone();
    let file = stage.path("other.yaml").to_string_lossy().into_owned();
    let mut wrong = Vec::new();
    let mut fitted = BTreeSet::new();
    for text in [NAT, DR] {
        fs::write(&file, text).map_err(|error| error.to_string())?;
        stage.lvslab(&["up", &file, "--yes"]).exit(0)?;
        let listed = json(stage, &["break", &file, "--list", "--json"], 0)?;
        for fault in listed["faults"].as_array().into_iter().flatten() {
            let name = fault["name"].as_str().unwrap_or_default();
            let Some(known) = FAULTS.into_iter().find(|known| *known == name) else {
                continue;
            };
            fitted.insert(known);
            // beta, the real server with the smaller weight, where the fault is on a real server.
            let hosts = fault["hosts"].as_array().into_iter().flatten();
            let host = hosts
                .filter_map(Value::as_str)
                .find(|host| *host != "alpha");
            let case = one(stage, "shop", fault, host.ok_or("it fits no host")?)?;
            let said = case.named.err().or(case.fixed.err());
            wrong.extend(said.map(|why| format!("{name} on {}: {why}", case.host)));
        }
        stage.lvslab(&["down", &file]).exit(0)?;
    }
    if fitted.len() < FAULTS.len() {
        return Err(format!("only {fitted:?} fit"));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n\n"))
    }
}
