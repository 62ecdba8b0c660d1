//! `lvslab status`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::deployment::{DeploymentError, blocking};
use crate::exercise;
use crate::labs;
use crate::model::{HostName, Lab, LabId};
use crate::report::headline;
use crate::sandbox;
use crate::sys::clock::utc;
use crate::sys::elapsed::in_large_units;

use super::sandbox::state;
use super::{Answer, CommandError, Context};

/// Show which labs are up, where and since when
///
/// Asks the sandboxes of this machine how their hosts are. Contacts no machine of your own.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Print one JSON document (`lvslab.status/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Status {
    /// Every lab that is up, by name.
    ///
    /// # Errors
    /// When what is remembered of the labs cannot be read.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let dirs = ctx.dirs.clone();
        let sandboxes = blocking(move || sandbox::status(&dirs)).await?;
        let mut sandboxes: BTreeMap<LabId, sandbox::Status> = sandboxes
            .map_err(DeploymentError::from)?
            .into_iter()
            .map(|status| (status.lab.clone(), status))
            .collect();
        let mut all = Vec::new();
        for name in labs::running(&ctx.dirs)? {
            all.push(Entry {
                lab: labs::saved(&ctx.dirs, &name)?,
                since: labs::since(&ctx.dirs, &name),
                exercise: exercise::active(&ctx.dirs, &name)?.is_some(),
                sandbox: sandboxes.remove(&name),
                name,
            });
        }
        if self.json {
            let labs: Vec<Value> = all.iter().map(Entry::document).collect();
            return Answer::document(
                &json!({ "schema": "lvslab.status/1", "labs": labs }),
                super::Status::Done,
            );
        }
        Ok(Answer::done(text(&all, SystemTime::now())))
    }
}

/// What is known of one lab that is up.
struct Entry {
    name: LabId,
    /// `None` when its start was interrupted.
    lab: Option<Lab>,
    since: Option<SystemTime>,
    /// Whether an exercise is set.
    exercise: bool,
    sandbox: Option<sandbox::Status>,
}

impl Entry {
    fn document(&self) -> Value {
        let hosts = self.lab.iter().flat_map(Lab::hosts);
        let hosts: Map<String, Value> = hosts
            .map(|host| {
                let seen = self.seen(&host.name);
                let document = json!({
                    "roles": host.roles,
                    "ssh": host.ssh.as_ref().map(ToString::to_string),
                    "state": seen.map(|seen| seen.state),
                    "uptime_seconds": seen.map(|seen| seen.uptime_seconds),
                });
                (host.name.to_string(), document)
            })
            .collect();
        json!({
            "lab": self.name,
            "place": if self.lab.as_ref().is_none_or(labs::in_sandbox) { "sandbox" } else { "machines" },
            "since": self.since.map(seconds),
            "complete": self.lab.is_some(),
            "running": self.sandbox.as_ref().map(|sandbox| sandbox.running),
            "exercise": self.exercise,
            "hosts": hosts,
        })
    }

    fn seen(&self, host: &HostName) -> Option<&sandbox::HostStatus> {
        let hosts = &self.sandbox.as_ref()?.hosts;
        hosts.iter().find(|seen| seen.name == *host)
    }

    fn text(&self, now: SystemTime) -> String {
        let name = &self.name;
        let Some(lab) = &self.lab else {
            return format!(
                "lab {name} · its start was interrupted: `lvslab down {name}` removes what is left\n"
            );
        };
        let mut text = format!("{}\n  {}\n", headline(lab), self.place(lab, now));
        let width = lab.hosts().iter().map(|host| host.name.as_str().len());
        let width = width.max().unwrap_or(0);
        for host in lab.hosts() {
            let what = match self.seen(&host.name) {
                Some(seen) => state(seen),
                None => match &host.ssh {
                    Some(machine) => machine.to_string(),
                    None => continue,
                },
            };
            let _ = writeln!(text, "  {:width$}  {what}", host.name);
        }
        if self.exercise {
            let _ = writeln!(
                text,
                "  an exercise is set: `lvslab hint {name}` helps with it"
            );
        }
        text
    }

    /// `in the sandbox (TCG) since 2026-11-28 13:05:10 UTC (3 min 20 s)`
    fn place(&self, lab: &Lab, now: SystemTime) -> String {
        let place = match &self.sandbox {
            Some(sandbox) if !sandbox.running => {
                return format!(
                    "its sandbox ended by itself: `lvslab up {}` starts it again",
                    self.name
                );
            }
            Some(sandbox) => format!("in the sandbox ({})", sandbox.accelerator),
            None if labs::in_sandbox(lab) => "in the sandbox".to_owned(),
            None => "on machines of your own".to_owned(),
        };
        match self.since {
            Some(since) => {
                let age = now.duration_since(since).unwrap_or_default().as_secs();
                format!(
                    "{place} since {} ({})",
                    utc(seconds(since)),
                    in_large_units(age)
                )
            }
            None => place,
        }
    }
}

fn text(all: &[Entry], now: SystemTime) -> String {
    if all.is_empty() {
        return "no lab is up\n".to_owned();
    }
    let labs: Vec<String> = all.iter().map(|entry| entry.text(now)).collect();
    labs.join("\n")
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::control::GuestState;
    use crate::topology;

    const DR: &str = include_str!("../../topologies/dr.yaml");

    fn up(lab: Option<Lab>, name: &str) -> Entry {
        Entry {
            name: name.parse().unwrap(),
            lab,
            since: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
            exercise: false,
            sandbox: None,
        }
    }

    fn on_machines() -> Lab {
        let hosts: String = ["client", "director", "web1", "web2"]
            .iter()
            .map(|host| format!("  {host}: {{ ssh: \"root@{host}.example:22\" }}\n"))
            .collect();
        let inventory = topology::Inventory {
            text: &format!("hosts:\n{hosts}"),
            file_name: "inventory.yaml",
            directory: "/".as_ref(),
            home: None,
        };
        topology::parse(DR, "dr.yaml", Some(inventory)).unwrap()
    }

    #[test]
    fn labs_are_shown_with_their_place_and_age() {
        let lab = topology::parse(DR, "dr.yaml", None).unwrap();
        let hosts = lab.hosts().iter().map(|host| sandbox::HostStatus {
            name: host.name.clone(),
            state: Some(GuestState::Up),
            uptime_seconds: Some(61),
            port: 2201,
            login: format!("ssh {}", host.name),
        });
        let sandbox = sandbox::Status {
            lab: lab.id().clone(),
            running: true,
            pid: Some(4711),
            accelerator: sandbox::Accelerator::Tcg,
            uptime_seconds: 200,
            memory_bytes: None,
            guest_memory_mib: 1024,
            hosts: hosts.collect(),
        };
        let mut in_sandbox = up(Some(lab), "dr");
        in_sandbox.sandbox = Some(sandbox);
        in_sandbox.exercise = true;
        let all = [
            in_sandbox,
            up(None, "half"),
            up(Some(on_machines()), "room"),
        ];
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_200);
        insta::assert_snapshot!(text(&all, now));
        let document = all[2].document();
        assert_eq!(document["place"], "machines");
        assert_eq!(document["since"], 1_700_000_000);
        assert_eq!(document["hosts"]["web1"]["ssh"], "root@web1.example:22");
        assert_eq!(text(&[], now), "no lab is up\n");
    }
}
