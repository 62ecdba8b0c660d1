//! `lvslab down LAB`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::agent::protocol::{Outcome, OutcomeResult, Reply, Request};
use crate::deployment::sandbox;
use crate::deployment::{self, Deployment, Login, Trouble, address_machines, hang_up, run_id};
use crate::exercise;
use crate::labs::{self, LabsError, Selection};
use crate::model::{HostName, Lab, LabId};

use super::{Answer, CommandError, Context, Status};

/// Put every host back as it was found, and stop the sandbox the lab ran in
///
/// Doing it again does nothing. Installed packages stay unless --purge is given.
#[derive(Debug, clap::Args)]
pub struct Down {
    #[command(flatten)]
    selection: Selection,
    /// Also remove the packages that lvslab installed; only possible now, since `down` forgets which they were
    #[arg(long)]
    purge: bool,
    /// Only forget the lab here, without contacting its hosts: for machines that no longer exist
    #[arg(long, conflicts_with = "purge")]
    forget: bool,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.down/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Down {
    /// Does it.
    ///
    /// # Errors
    /// Mistakes in the files, or a sandbox that does not stop. What goes wrong on hosts is part of the
    /// answer.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let asked = match self.selection.load(&ctx.dirs) {
            // A start that was interrupted leaves a sandbox and nothing else.
            Err(LabsError::NotUp { lab: name }) if labs::running(&ctx.dirs)?.contains(&name) => {
                let stopped = sandbox::stop(ctx, &name).await?;
                return self.answer(&Ending::Sandbox { name, stopped });
            }
            other => other?,
        };
        // The lab is put back as it was brought up, even if the file has changed since.
        let lab = match labs::saved(&ctx.dirs, asked.id())? {
            Some(up) if self.selection.inventory.is_none() => up,
            _ => {
                labs::same_place(&ctx.dirs, &asked)?;
                asked
            }
        };
        let name = lab.id().clone();
        if labs::in_sandbox(&lab) {
            let stopped = sandbox::stop(ctx, &name).await?;
            return self.answer(&Ending::Sandbox { name, stopped });
        }
        if self.forget {
            hang_up(ctx, &lab).await;
            labs::forget(&ctx.dirs, &name)?;
            return self.answer(&Ending::Forgotten { name });
        }
        ctx.situation.set(format!(
            "some hosts may be put back and others not: `lvslab down {}` goes on",
            self.selection.words(&lab)
        ));
        let hosts = self.put_back(ctx, &lab).await?;
        if hosts.troubles.is_empty() {
            hang_up(ctx, &lab).await;
            labs::forget(&ctx.dirs, &name)?;
        }
        self.answer(&Ending::Hosts(hosts))
    }

    async fn put_back(&self, ctx: &Context, lab: &Lab) -> Result<Hosts, CommandError> {
        address_machines(ctx, lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, lab).await?;
        if let Some(set) = exercise::active(&ctx.dirs, lab.id())? {
            exercise::take_back(&mut deployment, lab, &set).await;
        }
        let request = Request::Revert {
            lab: lab.id().clone(),
            run: run_id(),
            purge: self.purge,
        };
        let replies = deployment.ask_ready(|_| Some(vec![request.clone()])).await;
        let mut reverted = BTreeMap::new();
        for (host, mut replies) in replies {
            match replies.pop() {
                Some(Reply::Reverted { outcomes }) => {
                    deployment
                        .troubles
                        .extend(Trouble::failed(&host, &outcomes));
                    reverted.insert(host, outcomes);
                }
                other => deployment.confused(&host, other.as_ref()),
            }
        }
        Ok(Hosts {
            lab: lab.clone(),
            reverted,
            troubles: deployment.troubles,
        })
    }

    fn answer(&self, ending: &Ending) -> Result<Answer, CommandError> {
        let status = ending.status();
        if self.json {
            return Answer::document(&ending.document(), status);
        }
        Ok(Answer {
            text: ending.text(),
            complaint: match ending {
                Ending::Hosts(hosts) => deployment::render(&hosts.troubles),
                _ => String::new(),
            },
            status,
        })
    }
}

/// What `down` did.
enum Ending {
    /// The sandbox was stopped, or none ran.
    Sandbox {
        /// Lab.
        name: LabId,
        /// Whether one ran.
        stopped: bool,
    },
    /// Only forgotten here.
    Forgotten {
        /// Lab.
        name: LabId,
    },
    /// Hosts were put back.
    Hosts(Hosts),
}

struct Hosts {
    lab: Lab,
    reverted: BTreeMap<HostName, Vec<Outcome>>,
    troubles: Vec<Trouble>,
}

impl Hosts {
    fn put_back(&self, host: &HostName) -> Option<usize> {
        let outcomes = self.reverted.get(host)?;
        let changed = |o: &&Outcome| matches!(o.result, OutcomeResult::Changed { .. });
        Some(outcomes.iter().filter(changed).count())
    }
}

impl Ending {
    fn status(&self) -> Status {
        match self {
            Self::Hosts(hosts) => deployment::worst(&hosts.troubles).unwrap_or(Status::Done),
            _ => Status::Done,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Sandbox {
                name,
                stopped: true,
            } => format!("lab {name} is down; its sandbox is stopped\n"),
            Self::Sandbox {
                name,
                stopped: false,
            } => format!("nothing to do: lab {name} is not up\n"),
            Self::Forgotten { name } => {
                format!("lab {name} is forgotten here; its machines were not contacted\n")
            }
            Self::Hosts(hosts) => {
                if hosts.troubles.is_empty() && hosts.reverted.values().all(Vec::is_empty) {
                    return format!(
                        "nothing to put back: no host has anything of lab {}\n",
                        hosts.lab.id()
                    );
                }
                let width = hosts
                    .lab
                    .hosts()
                    .iter()
                    .map(|h| h.name.as_str().len())
                    .max();
                let width = width.unwrap_or(0);
                let mut text = format!("lab {}\n\n", hosts.lab.id());
                for host in hosts.lab.hosts() {
                    if let Some(count) = hosts.put_back(&host.name) {
                        let what = match count {
                            0 => "nothing to put back".to_owned(),
                            count => format!("{count} put back"),
                        };
                        let _ = writeln!(text, "  {:width$}  {what}", host.name);
                    }
                }
                text
            }
        }
    }

    fn document(&self) -> Value {
        let exit = self.status().code();
        match self {
            Self::Sandbox { name, stopped } => json!({
                "schema": "lvslab.down/1", "lab": name, "exit": exit,
                "sandbox": if *stopped { "stopped" } else { "not running" }, "hosts": {},
            }),
            Self::Forgotten { name } => json!({
                "schema": "lvslab.down/1", "lab": name, "exit": exit,
                "sandbox": null, "forgotten": true, "hosts": {},
            }),
            Self::Hosts(hosts) => {
                let mut entries = Map::new();
                for host in hosts.lab.hosts() {
                    let errors: Vec<&Trouble> = hosts
                        .troubles
                        .iter()
                        .filter(|trouble| trouble.host == host.name)
                        .collect();
                    entries.insert(
                        host.name.to_string(),
                        json!({
                            "put_back": hosts.put_back(&host.name),
                            "resources": hosts.reverted.get(&host.name),
                            "errors": errors,
                        }),
                    );
                }
                json!({
                    "schema": "lvslab.down/1", "lab": hosts.lab.id(), "exit": exit,
                    "sandbox": null, "hosts": entries,
                })
            }
        }
    }
}
