//! `lvslab plan LAB`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::agent::protocol::{Reply, Request};
use crate::deployment::{self, Deployment, Login, Trouble, reachable};
use crate::labs::{self, Selection};
use crate::model::{HostName, Lab};
use crate::plan::{self, HostPlan};
use crate::report::plan::Section;
use crate::resource::{Change, Resource, ResourceId, diff};

use super::{Answer, CommandError, Context, Status};

/// Show what `up` would make true on each host, and why
///
/// Without --diff no host is contacted: interface names and distribution are the sandbox's, or assumed.
#[derive(Debug, clap::Args)]
pub struct Plan {
    #[command(flatten)]
    selection: Selection,
    /// Ask the hosts what would change (the lab's hosts must be reachable)
    #[arg(long)]
    diff: bool,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.plan/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

/// What would change on each host, by resource; what is not there is as planned already.
type Changes = BTreeMap<HostName, BTreeMap<ResourceId, Change>>;

impl Plan {
    /// The plan.
    ///
    /// # Errors
    /// Mistakes in the files; with `--diff` also that the lab's sandbox does not run.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        let (plans, changes, troubles) = if self.diff {
            self.ask_hosts(ctx, &lab).await?
        } else {
            let (plans, troubles) = assumed(&lab);
            (plans, None, troubles)
        };
        let status = deployment::worst(&troubles).unwrap_or(Status::Done);
        if self.json {
            return document(&lab, &plans, changes.as_ref(), &troubles, status);
        }
        let sections = plans.iter().map(|(host, plan)| {
            let section = match changes.as_ref().and_then(|changes| changes.get(host)) {
                Some(changes) => Section::Diff(plan, changes),
                None => Section::Plan(plan),
            };
            (host.clone(), section)
        });
        let notes = if self.diff {
            Vec::new()
        } else {
            vec![assumption(&lab).to_owned()]
        };
        Ok(Answer {
            text: crate::report::plan::plan(&lab, &sections.collect(), &notes, ctx.style),
            complaint: deployment::render(&troubles),
            status,
        })
    }

    async fn ask_hosts(
        &self,
        ctx: &Context,
        lab: &Lab,
    ) -> Result<(BTreeMap<HostName, HostPlan>, Option<Changes>, Vec<Trouble>), CommandError> {
        labs::same_place(&ctx.dirs, lab)?;
        reachable(ctx, lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, lab).await?;
        deployment.plan().await;
        let resources: BTreeMap<HostName, Vec<Resource>> = deployment
            .plans
            .iter()
            .map(|(host, plan)| {
                let resources = plan.steps.iter().map(|s| s.resource.clone()).collect();
                (host.clone(), resources)
            })
            .collect();
        let replies = deployment
            .ask_ready(|host| {
                let resources = resources.get(host)?.clone();
                Some(vec![Request::Observe { resources }])
            })
            .await;
        let mut changes = Changes::new();
        for (host, mut replies) in replies {
            let Some(Reply::Observed { observed }) = replies.pop() else {
                deployment.confused(&host, None);
                continue;
            };
            let Some(resources) = resources.get(&host) else {
                continue;
            };
            let mut differences = BTreeMap::new();
            for (resource, observed) in resources.iter().zip(&observed) {
                match observed {
                    Ok(observed) => {
                        differences
                            .extend(diff(resource, observed).map(|change| (resource.id(), change)));
                    }
                    Err(error) => deployment.troubles.push(Trouble {
                        host: host.clone(),
                        resource: Some(resource.id().to_string()),
                        cause: error.cause.clone(),
                        tried: None,
                        next: error.hint.clone(),
                        status: Status::HostFailed,
                    }),
                }
            }
            changes.insert(host, differences);
        }
        Ok((deployment.plans, Some(changes), deployment.troubles))
    }
}

/// The plan from what is assumed of the hosts, without asking any.
fn assumed(lab: &Lab) -> (BTreeMap<HostName, HostPlan>, Vec<Trouble>) {
    let (mut plans, mut troubles) = (BTreeMap::new(), Vec::new());
    for (host, planned) in plan::plan(lab, &plan::assumed_facts(lab)) {
        match planned {
            Ok(planned) => {
                plans.insert(host, planned);
            }
            Err(error) => troubles.push(Trouble::unplanned(&host, &error)),
        }
    }
    (plans, troubles)
}

fn assumption(lab: &Lab) -> &'static str {
    if labs::in_sandbox(lab) {
        "No host was asked; sandbox hosts are known beforehand."
    } else {
        "No host was asked, so distribution and interface names are assumed; --diff asks."
    }
}

fn document(
    lab: &Lab,
    plans: &BTreeMap<HostName, HostPlan>,
    changes: Option<&Changes>,
    troubles: &[Trouble],
    status: Status,
) -> Result<Answer, CommandError> {
    let mut hosts = Map::new();
    for host in lab.hosts() {
        let changes = changes.and_then(|changes| changes.get(&host.name));
        let steps: Vec<Value> = plans
            .get(&host.name)
            .into_iter()
            .flat_map(|plan| &plan.steps)
            .map(|step| {
                let id = step.resource.id();
                json!({
                    "resource": step.resource,
                    "why": step.why,
                    "by_hand": step.by_hand,
                    "change": changes.and_then(|changes| changes.get(&id)),
                    "id": id,
                })
            })
            .collect();
        let errors: Vec<&Trouble> = troubles.iter().filter(|t| t.host == host.name).collect();
        hosts.insert(
            host.name.to_string(),
            json!({ "steps": steps, "errors": errors }),
        );
    }
    Answer::document(
        &json!({
            "schema": "lvslab.plan/1",
            "lab": lab.id(),
            "mode": lab.method(),
            "asked": changes.is_some(),
            "exit": status.code(),
            "hosts": hosts,
        }),
        status,
    )
}
