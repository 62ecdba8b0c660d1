//! Machines on which systemd is the first process, as on most that people have.

use crate::Test;
use crate::found::same_lines;
use crate::machines::Machines;
use crate::stage::{Check, Stage};

pub const TESTS: &[Test] = &[(
    "dr_on_hosts_with_systemd_is_confirmed_survives_a_reboot_and_is_put_back",
    confirmed_rebooted_and_put_back,
)];

fn confirmed_rebooted_and_put_back(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &["--system", "debian"])?;
    let before = machines.states()?;
    let inventory = machines.inventory(|_, _, _, _| {})?;

    // On trial: the boot unit starts while this very run holds the host's lock.
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("verified")?;
    for host in machines.ports.keys() {
        machines
            .exec(host, &["systemctl", "is-active", "lvslab-boot"])
            .exit(0)?;
    }
    machines
        .exec("web1", &["systemctl", "restart", "lvslab-boot"])
        .exit(0)?;
    machines.lvslab("verify", &inventory, &[]).exit(0)?;

    for host in ["director", "web2"] {
        stage
            .lvslab(&["sandbox", "reboot", host, "--lab", "machines"])
            .exit(0)?;
    }
    machines.lvslab("verify", &inventory, &[]).exit(0)?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("no changes")?;

    machines.lvslab("down", &inventory, &[]).exit(0)?;
    let after = machines.states()?;
    for (host, state) in &before {
        same_lines(host, &without_peers(state), &without_peers(&after[host]))?;
    }
    Ok(())
}

/// A rebooted host is plugged in anew: `eth0@if17` is then the other end of another cable.
fn without_peers(state: &str) -> String {
    let mut text = String::new();
    for line in state.lines() {
        let named = line.split_once("@if").map(|(name, peer)| {
            let state = peer.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{name}{state}")
        });
        text.push_str(named.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}
