//! `lvslab repair LAB`.

use serde_json::{Value, json};

use crate::agent::protocol::{Apply, Outcome, OutcomeResult, Reply, Request};
use crate::deployment::{self, Deployment, Login, Trouble, reachable, run_id};
use crate::exercise::{self, Exercise};
use crate::labs::{self, Selection};
use crate::model::{HostName, Lab};

use super::{Answer, CommandError, Context, Status};

/// End the exercise that is set: put right what `break` broke
///
/// Only the host of the exercise is changed. `lvslab up` does the same and whatever else the lab needs.
#[derive(Debug, clap::Args)]
pub struct Repair {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.repair/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Repair {
    /// Does it.
    ///
    /// # Errors
    /// Mistakes in the files, or a lab that is not up. What goes wrong on hosts is part of the answer.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        labs::same_place(&ctx.dirs, &lab)?;
        let Some(set) = exercise::active(&ctx.dirs, lab.id())? else {
            return self.nothing(&lab);
        };
        ctx.situation.set(format!(
            "the exercise may be taken back in part: `lvslab repair {}` goes on",
            lab.id()
        ));
        reachable(ctx, &lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        let mut changed = 0;
        if exercise::take_back(&mut deployment, &lab, &set).await {
            deployment.plan().await;
            changed = apply(&mut deployment, &lab, &set.host).await;
        }
        if deployment.troubles.is_empty() {
            exercise::forget(&ctx.dirs, lab.id())?;
        }
        self.answer(&lab, &set, changed, &deployment)
    }

    fn nothing(&self, lab: &Lab) -> Result<Answer, CommandError> {
        let name = lab.id();
        if self.json {
            let document = json!({
                "schema": "lvslab.repair/1", "lab": name, "repaired": Value::Null, "errors": [], "exit": 0,
            });
            return Answer::document(&document, Status::Done);
        }
        Ok(Answer::done(format!(
            "nothing to repair: no exercise is set in lab {name}; `lvslab up {}` puts right what else is broken\n",
            self.selection.words(lab)
        )))
    }

    fn answer(
        &self,
        lab: &Lab,
        set: &Exercise,
        changed: usize,
        deployment: &Deployment<'_>,
    ) -> Result<Answer, CommandError> {
        let status = deployment::worst(&deployment.troubles).unwrap_or(Status::Done);
        let name = lab.id();
        if self.json {
            let repaired = (status == Status::Done)
                .then(|| json!({ "fault": set.fault, "host": set.host, "setting": set.setting }));
            return Answer::document(
                &json!({
                    "schema": "lvslab.repair/1",
                    "lab": name,
                    "repaired": repaired,
                    "changed": changed,
                    "errors": deployment.troubles,
                    "exit": status.code(),
                }),
                status,
            );
        }
        let mut complaint = deployment::render(&deployment.troubles);
        let mut text = String::new();
        if status == Status::Done {
            text = format!(
                "lab {name}: it was {} on {} ({}); that is put right\n\n  check      lvslab verify {name}\n",
                set.fault, set.host, set.setting
            );
        } else {
            complaint += &format!(
                "the exercise is not ended; `lvslab repair {name}` tries again, `lvslab up {}` repairs all\n",
                self.selection.words(lab)
            );
        }
        Ok(Answer {
            text,
            complaint,
            status,
        })
    }
}

/// Makes the one host what it should be; how many of its resources were changed.
async fn apply(deployment: &mut Deployment<'_>, lab: &Lab, host: &HostName) -> usize {
    let Some(plan) = deployment.plans.get(host) else {
        return 0;
    };
    let request = Request::Apply(Apply {
        lab: lab.id().clone(),
        run: run_id(),
        resources: plan.steps.iter().map(|s| s.resource.clone()).collect(),
        // These settings were confirmed when they were deployed.
        confirm_within_seconds: None,
    });
    let ask = |asked: &HostName| (asked == host).then(|| vec![request.clone()]);
    let mut replies = deployment.ask_ready(ask).await;
    match replies.remove(host).and_then(|mut replies| replies.pop()) {
        Some(Reply::Applied { outcomes, .. }) => {
            deployment.troubles.extend(Trouble::failed(host, &outcomes));
            outcomes.iter().filter(|outcome| is_change(outcome)).count()
        }
        Some(other) => {
            deployment.confused(host, Some(&other));
            0
        }
        None => 0,
    }
}

fn is_change(outcome: &Outcome) -> bool {
    matches!(outcome.result, OutcomeResult::Changed { .. })
}
