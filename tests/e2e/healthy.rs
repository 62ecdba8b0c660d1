//! `verify` raises no false alarm: healthy labs with every scheduler, with weights 1:3:0 and with one to eight
//! real servers are green, every time.

use std::fmt::Write as _;
use std::fs;

use crate::Test;
use crate::choice;
use crate::stage::{Check, Stage};

pub const TESTS: &[Test] = &[
    (
        "healthy_labs_of_every_scheduler_are_green_every_time",
        every_scheduler,
    ),
    (
        "healthy_labs_of_one_to_eight_real_servers_are_green",
        one_to_eight,
    ),
];

/// The schedulers of the sandbox's kernel. Neighbours in the list differ as much as possible, since each `up` changes
/// the lab from one to the next.
const SCHEDULERS: [&str; 13] = [
    "wrr", "sh", "lc", "rr", "mh", "wlc", "dh", "sed", "lblc", "nq", "fo", "lblcr", "ovf",
];

/// The least number of looks at healthy labs, over all schedulers.
const LOOKS: usize = 20;

/// A lab with these weights, `web1` first.
fn topology(mode: &str, scheduler: &str, weights: &[u16]) -> String {
    let (vip, director, network) = match mode {
        "nat" => (
            "192.168.4.5/24",
            "dip: 192.168.2.5/24, vip_interface: eth0, interface: eth1",
            "192.168.2",
        ),
        _ => ("192.168.4.15/24", "dip: 192.168.4.5/24", "192.168.4"),
    };
    let mut text = format!(
        "lab: healthy\nmode: {mode}\n\
         service: {{ vip: {vip}, port: 80, protocol: tcp, scheduler: {scheduler} }}\n\
         client: {{ cip: 192.168.4.10/24 }}\ndirector: {{ {director} }}\nreal_servers:\n"
    );
    for (at, weight) in weights.iter().enumerate() {
        let _ = writeln!(
            text,
            "  web{}: {{ rip: {network}.{}/24, weight: {weight} }}",
            at + 1,
            100 + at
        );
    }
    text
}

/// A lab of this test's own, gone when it ends.
struct Own<'a> {
    stage: &'a Stage,
    file: String,
    _alone: crate::stage::Alone<'a>,
}

impl<'a> Own<'a> {
    fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            file: stage.path("healthy.yaml").to_string_lossy().into_owned(),
            _alone: stage.alone(),
        }
    }

    fn up(&self, mode: &str, scheduler: &str, weights: &[u16]) -> Check {
        fs::write(&self.file, topology(mode, scheduler, weights)).map_err(|e| e.to_string())?;
        self.stage
            .lvslab(&["up", &self.file, "--yes", "--requests", "12"])
            .exit(0)
            .map_err(|ran| format!("{mode} {scheduler} {weights:?}\n{ran}"))?;
        Ok(())
    }

    fn verify(&self, requests: &str) -> Check {
        self.stage
            .lvslab(&["verify", &self.file, "--requests", requests])
            .exit(0)?;
        Ok(())
    }

    fn down(&self) -> Check {
        self.stage.lvslab(&["down", &self.file]).exit(0).map(drop)
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        // What a failed `down` leaves running shows in `Stage::close`.
        let _ = self.down();
    }
}

fn every_scheduler(stage: &Stage) -> Check {
    let own = Own::new(stage);
    let looks_at_each = choice::looks()?.get();
    let mut looks = 0;
    for mode in ["dr", "nat"] {
        for (at, scheduler) in SCHEDULERS.into_iter().enumerate() {
            // Every scheduler has a real server of weight 0; half of them per mode are tried without one, too.
            let without = matches!((mode, at % 2), ("dr", 1) | ("nat", 0));
            let weights: [(&[u16], bool); 2] = [
                (&[1, 3, 0], scheduler != "dh"),
                (&[2, 1, 1], without || scheduler == "dh"),
            ];
            for (weights, _) in weights.into_iter().filter(|(_, wanted)| *wanted) {
                own.up(mode, scheduler, weights)?;
                for _ in 0..looks_at_each {
                    own.verify("40")
                        .map_err(|why| format!("{mode} {scheduler} {weights:?}\n{why}"))?;
                }
                looks += 1 + looks_at_each;
            }
        }
        own.down()?;
    }
    if looks < LOOKS {
        return Err(format!("only {looks} looks"));
    }
    Ok(())
}

fn one_to_eight(stage: &Stage) -> Check {
    let own = Own::new(stage);
    let weights = [1, 3, 0, 2, 1, 5, 1, 1];
    for count in 1..=weights.len() {
        let mode = if count % 2 == 0 { "nat" } else { "dr" };
        own.up(mode, "wrr", &weights[..count])
            .map_err(|why| format!("{count} real servers: {why}"))?;
        own.verify("30")
            .map_err(|why| format!("{count} real servers: {why}"))?;
        own.down()?;
    }
    Ok(())
}
