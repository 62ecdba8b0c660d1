//! `lvslab up LAB`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::agent::protocol::{Apply, Outcome, OutcomeResult, Reply, Request};
use crate::deployment::sandbox::{self, Starting};
use crate::deployment::{self, Deployment, Login, Trial, Trouble, address_machines, run_id};
use crate::exercise;
use crate::labs::{self, Selection};
use crate::model::{HostName, Lab};
use crate::orchestrate::Cause;
use crate::report::{HostLine, HostOutcome, UpTable, host_summary, up_table};
use crate::sandbox::Started;
use crate::verify::{Verdict, check};

use super::{Answer, CommandError, Context, Status};

/// Bring a lab up and prove that it works
///
/// Starts the sandbox where hosts have no `ssh:`, configures every host, sends requests through the virtual
/// service and checks the evidence. Ends with 0 only when everything was verified. Running it again repairs
/// what is broken and changes nothing else.
#[derive(Debug, clap::Args)]
pub struct Up {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    starting: Starting,
    /// Requests to send from the client; rounded up to whole cycles of the scheduler
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    trial: Trial,
    /// Print one JSON document (`lvslab.up/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

/// What the hosts were told and did.
type Outcomes = BTreeMap<HostName, Vec<Outcome>>;

impl Up {
    /// Does it.
    ///
    /// # Errors
    /// Mistakes in the files, or no sandbox. What goes wrong on hosts is part of the answer.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        labs::same_place(&ctx.dirs, &lab)?;
        ctx.situation.set("nothing was started or changed");
        let started = if labs::in_sandbox(&lab) {
            Some(sandbox::start(ctx, &lab, &self.starting).await?)
        } else {
            labs::remember(&ctx.dirs, &lab)?;
            address_machines(ctx, &lab, self.login).await?;
            None
        };

        let words = self.selection.words(&lab);
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        labs::touch(&ctx.dirs, &lab, |host| !deployment.in_trouble(host))?;
        if let Some(set) = exercise::active(&ctx.dirs, lab.id())?
            && exercise::take_back(&mut deployment, &lab, &set).await
        {
            exercise::forget(&ctx.dirs, lab.id())?;
        }
        deployment.plan().await;
        ctx.situation.set(format!(
            "some hosts may be changed and others not: `lvslab up {words}` completes the lab, \
             `lvslab down {words}` puts everything back"
        ));
        let (changed, trials) = unbounded_channel();
        let (outcomes, ends) = tokio::join!(
            apply(&mut deployment, &lab, self.trial, changed),
            self.trial.confirm(ctx, &lab, trials)
        );
        for (host, end) in ends? {
            let is_lost = deployment.in_trouble(&host);
            let trouble = deployment::trial_trouble(&host, end, is_lost);
            deployment.troubles.extend(trouble);
        }
        let verdict = if deployment.troubles.is_empty() {
            for host in lab.hosts() {
                ctx.progress.doing(host.name.as_str(), "verifying");
            }
            Some(check(&deployment.collect(self.requests).await?))
        } else {
            None
        };
        let run = Run {
            lab: &lab,
            words,
            started,
            outcomes,
            verdict,
            deployment,
        };
        if self.json {
            run.document()
        } else {
            Ok(run.text(ctx))
        }
    }
}

/// Sends to `changed` every host that has changes to confirm, or may have some.
async fn apply(
    deployment: &mut Deployment<'_>,
    lab: &Lab,
    trial: Trial,
    changed: UnboundedSender<HostName>,
) -> Outcomes {
    let run = run_id();
    // Corrects neighbours that have cached another host's MAC for the VIP, as happens when a real server with a wrong
    // arp_ignore has answered for it.
    let announce = Request::Announce {
        address: lab.vip().into(),
    };
    let requests: BTreeMap<HostName, Vec<Request>> = deployment
        .plans
        .iter()
        .map(|(host, plan)| {
            let apply = Apply {
                lab: lab.id().clone(),
                run: run.clone(),
                resources: plan.steps.iter().map(|s| s.resource.clone()).collect(),
                confirm_within_seconds: trial.seconds(lab, host),
            };
            let mut requests = vec![Request::Apply(apply)];
            if *host == lab.director().name {
                requests.push(announce.clone());
            }
            (host.clone(), requests)
        })
        .collect();
    let machines: BTreeSet<HostName> = requests
        .keys()
        .filter(|host| trial.seconds(lab, host).is_some())
        .cloned()
        .collect();
    let tell = move |host: &HostName, result: &Result<Vec<Reply>, Cause>| {
        let may_wait = match result {
            Ok(replies) => matches!(replies.first(), Some(Reply::Applied { on_trial: true, .. })),
            // Another run has locked the host, or its agent refuses for another reason.
            Err(Cause::Agent(_)) => false,
            // A host whose connection broke may have been changed, too.
            Err(_) => true,
        };
        if may_wait && machines.contains(host) {
            // The receiver is gone only when confirming has failed as a whole, which ends the run.
            let _ = changed.send(host.clone());
        }
    };
    let replies = deployment
        .ask_ready_and_tell(|host| requests.get(host).cloned(), tell)
        .await;
    let mut done = Outcomes::new();
    for (host, replies) in replies {
        match replies.into_iter().next() {
            Some(Reply::Applied { outcomes, .. }) => {
                deployment
                    .troubles
                    .extend(Trouble::failed(&host, &outcomes));
                done.insert(host, outcomes);
            }
            other => deployment.confused(&host, other.as_ref()),
        }
    }
    done
}

struct Run<'a> {
    lab: &'a Lab,
    words: String,
    started: Option<Started>,
    outcomes: Outcomes,
    verdict: Option<Verdict>,
    deployment: Deployment<'a>,
}

impl Run<'_> {
    fn status(&self) -> Status {
        if let Some(status) = deployment::worst(&self.deployment.troubles) {
            return status;
        }
        match &self.verdict {
            Some(verdict) if verdict.passed => Status::Done,
            _ => Status::NotVerified,
        }
    }

    fn text(&self, ctx: &Context) -> Answer {
        let status = self.status();
        let table = UpTable {
            place: self
                .started
                .as_ref()
                .map(|started| format!("sandbox ({})", started.accelerator)),
            sandbox: self
                .started
                .as_ref()
                .map(|started| started.summary(self.lab.hosts().len())),
            hosts: self.hosts(),
            next: self.next(status),
        };
        let mut complaint = deployment::render(&self.deployment.troubles);
        if !self.deployment.troubles.is_empty() {
            complaint.push_str(&self.remainder(status));
        }
        Answer {
            text: up_table(self.lab, &table, self.verdict.as_ref(), ctx.style),
            complaint,
            status,
        }
    }

    /// One line for every finished host; the others are shown with their troubles.
    fn hosts(&self) -> Vec<HostLine> {
        let finished = self.lab.hosts().iter().filter_map(|host| {
            let outcomes = self.outcomes.get(&host.name)?;
            let plan = self.deployment.plans.get(&host.name)?;
            (!self.deployment.in_trouble(&host.name)).then(|| HostLine {
                host: host.name.clone(),
                summary: host_summary(plan),
                outcome: match count_changed(outcomes) {
                    0 => HostOutcome::Unchanged,
                    count => HostOutcome::Changed(count),
                },
            })
        });
        finished.collect()
    }

    fn next(&self, status: Status) -> Vec<(String, String)> {
        let line = |what: &str, command: String| (what.to_owned(), command);
        let mut next = Vec::new();
        if status == Status::Done {
            let client = &self.lab.client().name;
            next.push(line("log in", format!("lvslab ssh {client}")));
            next.push(line("try", format!("curl {}", self.lab.url())));
        }
        if !self.outcomes.is_empty() {
            next.push(line("undo", format!("lvslab down {}", self.words)));
        }
        next
    }

    /// What is done and how to get the rest done.
    fn remainder(&self, status: Status) -> String {
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for host in self.lab.hosts() {
            let finished =
                self.outcomes.contains_key(&host.name) && !self.deployment.in_trouble(&host.name);
            if finished { &mut done } else { &mut left }.push(host.name.as_str());
        }
        let again = format!(
            "run `lvslab up {}` again to finish {}",
            self.words,
            left.join(", ")
        );
        let exit = status.code();
        match done.len() {
            0 => format!("{again}   exit {exit}\n"),
            1 => format!("✓ {} is done; {again}   exit {exit}\n", done[0]),
            _ => format!("✓ {} are done; {again}   exit {exit}\n", done.join(", ")),
        }
    }

    fn document(&self) -> Result<Answer, CommandError> {
        let status = self.status();
        let hosts: serde_json::Map<String, Value> = self
            .lab
            .hosts()
            .iter()
            .map(|host| (host.name.to_string(), self.host_document(&host.name)))
            .collect();
        Answer::document(
            &json!({
                "schema": "lvslab.up/1",
                "lab": self.lab.id(),
                "mode": self.lab.method(),
                "passed": status == Status::Done,
                "exit": status.code(),
                "sandbox": self.started.as_ref().map(|started| json!({
                    "how": started.how,
                    "seconds": started.elapsed.as_secs_f64(),
                    "accelerator": started.accelerator.to_string(),
                    "ssh_config": started.ssh_config,
                })),
                "hosts": hosts,
                "verify": self.verdict,
            }),
            status,
        )
    }

    fn host_document(&self, host: &HostName) -> Value {
        let outcomes = self.outcomes.get(host).map(Vec::as_slice);
        let errors: Vec<&Trouble> = self
            .deployment
            .troubles
            .iter()
            .filter(|trouble| trouble.host == *host)
            .collect();
        json!({
            "changed": outcomes.map(count_changed),
            "resources": outcomes,
            "errors": errors,
        })
    }
}

fn count_changed(outcomes: &[Outcome]) -> usize {
    outcomes
        .iter()
        .filter(|outcome| matches!(outcome.result, OutcomeResult::Changed { .. }))
        .count()
}
