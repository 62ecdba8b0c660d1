//! `lvslab break LAB FAULT`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::agent::protocol::{Reply, Request};
use crate::deployment::{self, Deployment, Login, reachable};
use crate::exercise::{self, Exercise};
use crate::fault::{Fault, Layer, PlannedLab, catalogue};
use crate::labs::{self, Selection};
use crate::model::{HostName, Lab};
use crate::plan::{assumed_facts, plan};
use crate::resource::{Observed, Resource, Sysctl};

use super::{Answer, CommandError, Context, Status};

/// Set an exercise: break one thing of a lab that is up
///
/// `lvslab verify` then names it, `lvslab hint` helps step by step, `lvslab repair` (and `up`) puts it right.
/// One exercise at a time.
#[derive(Debug, clap::Args)]
#[command(name = "break")]
pub struct Break {
    /// Name of the fault, one of `--list`; may stand alone where one lab is up
    #[arg(index = 2)]
    fault: Option<String>,
    /// Host to break; otherwise the one where the fault teaches most
    #[arg(long, value_name = "HOST", conflicts_with_all = ["list", "random"])]
    host: Option<HostName>,
    /// List the faults that fit the lab, without contacting it
    #[arg(long, conflicts_with_all = ["fault", "random"])]
    list: bool,
    /// Any fault on any host it fits, without saying which
    #[arg(long, conflicts_with = "fault")]
    random: bool,
    /// The same number chooses the same fault
    #[arg(long, value_name = "N", requires = "random")]
    seed: Option<u64>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.break/1`, with --list `lvslab.faults/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Break {
    /// Does it.
    ///
    /// # Errors
    /// Mistakes in the files, a lab that is not up, a fault that does not fit, an exercise that is set already.
    pub async fn exec(mut self, ctx: &Context) -> Result<Answer, CommandError> {
        if self.fault.is_none() && !self.list && !self.random {
            self.fault = self.selection.take_word(&ctx.dirs);
            if self.fault.is_none() {
                return Err(CommandError::NoFaultNamed);
            }
        }
        let lab = self.selection.load(&ctx.dirs)?;
        if self.list {
            return self.listed(&lab);
        }
        labs::same_place(&ctx.dirs, &lab)?;
        if exercise::active(&ctx.dirs, lab.id())?.is_some() {
            return Err(CommandError::ExerciseSet {
                lab: lab.id().clone(),
            });
        }
        ctx.situation.set("nothing was changed");
        reachable(ctx, &lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        deployment.expect().await;
        if let Some(status) = deployment::worst(&deployment.troubles) {
            // Which faults fit depends on every host.
            return self.refused(&lab, &deployment, status);
        }
        let (fault, seed) = self.choose(&lab, &deployment)?;
        let kept = kept(&mut deployment, &fault).await;
        let set = Exercise::new(&fault, &kept);
        if deployment.troubles.is_empty() {
            // Remembered before the host is touched, so that `repair` can undo it whatever happens.
            exercise::remember(&ctx.dirs, lab.id(), &set)?;
            ctx.situation.set(format!(
                "the exercise may be set in part: `lvslab repair {}` takes it back",
                lab.id()
            ));
            let script = [(fault.host.clone(), fault.damage.inflict.clone())];
            exercise::run(&mut deployment, &script.into()).await;
        }
        self.answer(&lab, &fault, seed, &deployment)
    }

    fn choose(
        &self,
        lab: &Lab,
        deployment: &Deployment<'_>,
    ) -> Result<(Fault, Option<u64>), CommandError> {
        let ground = PlannedLab {
            lab,
            facts: &deployment.facts,
            plans: &deployment.plans,
        };
        match &self.fault {
            Some(name) => Ok((ground.find(name, self.host.as_ref())?, None)),
            None => {
                let seed = match self.seed {
                    Some(seed) => seed,
                    None => random_seed()?,
                };
                Ok((ground.random(seed)?, Some(seed)))
            }
        }
    }

    fn refused(
        &self,
        lab: &Lab,
        deployment: &Deployment<'_>,
        status: Status,
    ) -> Result<Answer, CommandError> {
        if self.json {
            let document = json!({
                "schema": "lvslab.break/1",
                "lab": lab.id(),
                "set": false,
                "errors": deployment.troubles,
                "exit": status.code(),
            });
            return Answer::document(&document, status);
        }
        Ok(Answer {
            text: String::new(),
            complaint: deployment::render(&deployment.troubles) + "nothing was broken\n",
            status,
        })
    }

    fn answer(
        &self,
        lab: &Lab,
        fault: &Fault,
        seed: Option<u64>,
        deployment: &Deployment<'_>,
    ) -> Result<Answer, CommandError> {
        let status = deployment::worst(&deployment.troubles).unwrap_or(Status::Done);
        let name = lab.id();
        if self.json {
            let told = seed.is_none().then(|| {
                json!({
                    "name": fault.kind.name,
                    "host": fault.host,
                    "layer": fault.kind.layer.word(),
                    "effect": fault.kind.effect.words(),
                    "symptom": fault.kind.symptom,
                    "setting": fault.damage.setting,
                    "cause": fault.damage.cause,
                })
            });
            return Answer::document(
                &json!({
                    "schema": "lvslab.break/1",
                    "lab": name,
                    "set": status == Status::Done,
                    "seed": seed,
                    "fault": told,
                    "errors": deployment.troubles,
                    "exit": status.code(),
                }),
                status,
            );
        }
        let mut text = String::new();
        if status == Status::Done {
            match seed {
                Some(seed) => {
                    let _ = writeln!(text, "lab {name}: one thing is broken now (seed {seed})");
                }
                None => {
                    let kind = fault.kind;
                    let _ = writeln!(
                        text,
                        "lab {name}: {} on {}\n\n  fault      {}\n  effect     {}\n  symptom    {}\n",
                        kind.name,
                        fault.host,
                        kind.what,
                        kind.effect.words(),
                        kind.symptom
                    );
                }
            }
            let _ = writeln!(
                text,
                "  hints      lvslab hint {name}\n  grade      lvslab verify {name}\n  undo       lvslab repair {name}"
            );
        }
        let mut complaint = deployment::render(&deployment.troubles);
        if status != Status::Done {
            let _ = writeln!(
                complaint,
                "the exercise is not set; `lvslab repair {name}` takes back what may have been done"
            );
        }
        Ok(Answer {
            text,
            complaint,
            status,
        })
    }

    fn listed(&self, lab: &Lab) -> Result<Answer, CommandError> {
        let facts = assumed_facts(lab);
        let plans: BTreeMap<_, _> = plan(lab, &facts)
            .into_iter()
            .filter_map(|(host, planned)| Some((host, planned.ok()?)))
            .collect();
        let ground = PlannedLab {
            lab,
            facts: &facts,
            plans: &plans,
        };
        let fitting: Vec<(Vec<HostName>, Fault)> = catalogue()
            .filter_map(|kind| {
                let fits = ground.fitting(kind);
                let hosts = fits.iter().map(|fault| fault.host.clone()).collect();
                Some((hosts, fits.into_iter().next()?))
            })
            .collect();
        if self.json {
            let faults: Vec<Value> = fitting
                .iter()
                .map(|(hosts, fault)| {
                    json!({
                        "name": fault.kind.name,
                        "layer": fault.kind.layer.word(),
                        "effect": fault.kind.effect.words(),
                        "what": fault.kind.what,
                        "symptom": fault.kind.symptom,
                        "hosts": hosts,
                    })
                })
                .collect();
            let document = json!({
                "schema": "lvslab.faults/1",
                "lab": lab.id(),
                "faults": faults,
            });
            return Answer::document(&document, Status::Done);
        }
        Ok(Answer::done(table(&fitting)))
    }
}

/// A block per layer, a line per fault.
fn table(fitting: &[(Vec<HostName>, Fault)]) -> String {
    let width = |of: fn(&Fault) -> usize| fitting.iter().map(|(_, f)| of(f)).max().unwrap_or(0);
    let name = width(|fault| fault.kind.name.len());
    let effect = width(|fault| fault.kind.effect.words().len());
    let mut text = String::new();
    let mut layer: Option<Layer> = None;
    let mut sorted: Vec<_> = fitting.iter().collect();
    sorted.sort_by_key(|(_, fault)| fault.kind.layer);
    for (hosts, fault) in sorted {
        if layer != Some(fault.kind.layer) {
            let gap = if layer.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", fault.kind.layer.word());
            layer = Some(fault.kind.layer);
        }
        let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
        let _ = writeln!(
            text,
            "  {:name$}  {:effect$}  {} ({})",
            fault.kind.name,
            fault.kind.effect.words(),
            fault.kind.what,
            hosts.join(", ")
        );
    }
    text
}

/// The present values of the kernel settings that the fault changes and no plan sets.
async fn kept(deployment: &mut Deployment<'_>, fault: &Fault) -> Vec<(String, String)> {
    if fault.damage.keeps.is_empty() {
        return Vec::new();
    }
    let resources: Vec<Resource> = fault
        .damage
        .keeps
        .iter()
        .map(|key| {
            Resource::Sysctl(Sysctl {
                key: key.clone(),
                value: String::new(),
            })
        })
        .collect();
    let request = Request::Observe { resources };
    let ask = |host: &HostName| (*host == fault.host).then(|| vec![request.clone()]);
    let mut replies = deployment.ask_ready(ask).await;
    match replies
        .remove(&fault.host)
        .and_then(|mut replies| replies.pop())
    {
        Some(Reply::Observed { observed }) => fault
            .damage
            .keeps
            .iter()
            .zip(observed)
            .filter_map(|(key, observed)| match observed {
                Ok(Observed::Sysctl { value: Some(value) }) => Some((key.clone(), value)),
                _ => None,
            })
            .collect(),
        Some(other) => {
            deployment.confused(&fault.host, Some(&other));
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn random_seed() -> Result<u64, CommandError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| {
        CommandError::io("get a random number")(std::io::Error::other(error.to_string()))
    })?;
    // Short enough to be said aloud in a classroom.
    Ok(u64::from(u32::from_le_bytes(bytes)) % 100_000)
}
