//! What `up`, `plan --diff`, `verify` and `down` share: reaching a lab's hosts, planning from their facts,
//! collecting evidence.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::agent::protocol::{Reply, Request};
use crate::context::Context;
use crate::exit::Status;
use crate::model::{HostName, Lab};
use crate::orchestrate::{Cause, ConversationFailure, Fleet, HostError};
use crate::plan::{self, HostPlan, PlanError};
use crate::resource::Facts;
use crate::sys::local::LocalError;
use crate::verify::{self, Evidence, Machine, Round};

mod error;
mod machines;
pub mod sandbox;
mod trial;
mod trouble;
pub mod vantage_point;

pub use error::DeploymentError;
pub use machines::{Login, address_machines, addresses, disconnect, hang_up, reachable, roster};
pub use trial::{Trial, trouble as trial_trouble};
pub use trouble::{Trouble, render, status as host_status, worst};

/// A lab whose hosts are being worked with.
pub struct Deployment<'a> {
    ctx: &'a Context,
    lab: &'a Lab,
    fleet: Fleet,
    /// What each host is.
    pub facts: BTreeMap<HostName, Facts>,
    /// What each host should be.
    pub plans: BTreeMap<HostName, HostPlan>,
    /// What went wrong so far, in order.
    pub troubles: Vec<Trouble>,
    /// Whether an established connection has broken.
    lost: bool,
}

impl<'a> Deployment<'a> {
    /// Connects to every host of a lab whose SSH configuration is in place. Hosts that cannot be reached
    /// are in `troubles`.
    ///
    /// # Errors
    /// When this machine does not let us.
    pub async fn connect(ctx: &'a Context, lab: &'a Lab) -> Result<Self, LocalError> {
        let fleet = fleet(ctx, lab).await?;
        let troubles = fleet.failures().iter().map(Trouble::from).collect();
        Ok(Self {
            ctx,
            lab,
            fleet,
            facts: BTreeMap::new(),
            plans: BTreeMap::new(),
            troubles,
            lost: false,
        })
    }

    /// Asks every host that is reached what it is, and plans what it should be made.
    pub async fn plan(&mut self) {
        self.learn().await;
        self.take(plan::plan(self.lab, &self.facts));
    }

    /// Like [`Self::plan`], for comparing only: obstacles to changing a host are no trouble then.
    pub async fn expect(&mut self) {
        self.learn().await;
        self.take(plan::expectations(self.lab, &self.facts));
    }

    async fn learn(&mut self) {
        let request = Request::Facts {
            lab: self.lab.id().clone(),
        };
        let replies = self.ask_ready(|_| Some(vec![request.clone()])).await;
        for (host, mut replies) in replies {
            match replies.pop() {
                Some(Reply::Facts(found)) => {
                    self.facts.insert(host, *found);
                }
                other => self.confused(&host, other.as_ref()),
            }
        }
    }

    fn take(&mut self, plans: BTreeMap<HostName, Result<HostPlan, PlanError>>) {
        for (host, planned) in plans {
            match planned {
                Ok(planned) => {
                    self.plans.insert(host, planned);
                }
                Err(error) => self.troubles.push(Trouble::unplanned(&host, &error)),
            }
        }
    }

    /// Sends each host the requests that `requests` gives for it, all hosts at once. Hosts in trouble are left out;
    /// new troubles are added to `troubles`.
    pub async fn ask_ready(
        &mut self,
        requests: impl Fn(&HostName) -> Option<Vec<Request>>,
    ) -> BTreeMap<HostName, Vec<Reply>> {
        self.ask_ready_and_tell(requests, |_, _| {}).await
    }

    /// Like [`Self::ask_ready`]; calls `done` for each host as soon as it has answered.
    pub async fn ask_ready_and_tell(
        &mut self,
        requests: impl Fn(&HostName) -> Option<Vec<Request>>,
        done: impl Fn(&HostName, &Result<Vec<Reply>, Cause>) + Clone + Send + 'static,
    ) -> BTreeMap<HostName, Vec<Reply>> {
        let asked: BTreeMap<_, _> = self
            .lab
            .hosts()
            .iter()
            .filter(|host| !self.in_trouble(&host.name))
            .filter_map(|host| Some((host.name.clone(), requests(&host.name)?)))
            .collect();
        let mut replies = BTreeMap::new();
        let results = self
            .fleet
            .ask_and_tell(asked, &self.ctx.progress, done)
            .await;
        for (host, result) in results {
            match result {
                Ok(answers) => {
                    replies.insert(host, answers);
                }
                Err(error) => self.note(&error),
            }
        }
        replies
    }

    /// Whether something went wrong with `host`.
    #[must_use]
    pub fn in_trouble(&self, host: &HostName) -> bool {
        self.troubles.iter().any(|trouble| trouble.host == *host)
    }

    fn note(&mut self, error: &HostError) {
        self.lost |= matches!(
            error.cause,
            Cause::Conversation(ConversationFailure::Lost { .. })
        );
        self.troubles.push(Trouble::from(error));
    }

    /// Records an answer that does not fit the question. Controller and agent are one program, so that is a bug in it.
    pub fn confused(&mut self, host: &HostName, reply: Option<&Reply>) {
        self.troubles.push(Trouble {
            host: host.clone(),
            resource: None,
            cause: match reply {
                Some(_) => "the agent answered another question than the one it was asked",
                None => "the agent gave no answer",
            }
            .to_owned(),
            tried: None,
            next: Some("this is a mistake in lvslab; please report it".to_owned()),
            status: Status::Internal,
        });
    }

    /// Collects evidence from every host that has a plan. Hosts with trouble are part of it as hosts without
    /// evidence.
    ///
    /// When a connection breaks, everything is collected once more over new ones, which is safe because looking
    /// changes nothing.
    ///
    /// # Errors
    /// When this machine does not let us connect again.
    pub async fn collect(&mut self, requests: u32) -> Result<Evidence, LocalError> {
        let requests = verify::requests_for(self.lab, requests);
        let known = self.troubles.len();
        self.lost = false;
        let evidence = self.gather(requests, &verify::ROUNDS).await;
        if !self.lost {
            return Ok(evidence);
        }
        self.troubles.truncate(known);
        for host in self.lab.hosts() {
            let doing = "looking again: a connection was lost";
            self.ctx.progress.doing(host.name.as_str(), doing);
        }
        self.fleet = fleet(self.ctx, self.lab).await?;
        for error in self.fleet.failures() {
            if !self.in_trouble(&error.host) {
                self.note(&error);
            }
        }
        Ok(self.gather(requests, &verify::ROUNDS).await)
    }

    /// Captures one request on every host that has a plan.
    pub async fn trace(&mut self) -> Evidence {
        self.gather(1, &verify::TRACE_ROUNDS).await
    }

    async fn gather(&mut self, requests: u32, rounds: &[fn(&Evidence) -> Round]) -> Evidence {
        let taken = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut evidence = Evidence::new(self.lab, requests, taken);
        for (host, machine) in self.machines() {
            evidence.known(&host, machine);
        }
        for trouble in &self.troubles {
            evidence.absent(&trouble.host, trouble.absence());
        }
        for round in rounds {
            self.ask_round(round(&evidence), &mut evidence).await;
        }
        evidence
    }

    /// The hosts whose interfaces could be told apart.
    fn machines(&self) -> Vec<(HostName, Machine)> {
        self.plans
            .iter()
            .filter_map(|(host, plan)| {
                let machine = Machine {
                    facts: self.facts.get(host)?.clone(),
                    interfaces: plan.interfaces.clone().into_iter().collect(),
                };
                Some((host.clone(), machine))
            })
            .collect()
    }

    async fn ask_round(&mut self, round: Round, evidence: &mut Evidence) {
        let asked: BTreeMap<_, _> = round
            .requests
            .into_iter()
            .filter(|(host, _)| !self.in_trouble(host))
            .collect();
        let results = self.fleet.ask(asked.clone(), &self.ctx.progress).await;
        for (host, result) in results {
            let requests = asked.get(&host).map(Vec::as_slice).unwrap_or_default();
            match result {
                Ok(replies) => {
                    for (request, reply) in requests.iter().zip(replies) {
                        evidence.absorb(&host, request, Ok(reply));
                    }
                }
                Err(error) => {
                    self.note(&error);
                    let absence = Trouble::from(&error).absence();
                    for request in requests {
                        evidence.absorb(&host, request, Err(absence.clone()));
                    }
                }
            }
        }
    }
}

async fn fleet(ctx: &Context, lab: &Lab) -> Result<Fleet, LocalError> {
    let roster =
        roster(ctx, lab).map_err(LocalError::when("make the directory of the SSH sockets"))?;
    Ok(Fleet::connect(roster, &ctx.progress).await)
}

/// Who runs this, for the hosts' locks: `user@host pid 4711`.
#[must_use]
pub fn run_id() -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name);
    let host = nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|_| "unknown".to_owned());
    format!("{user}@{host} pid {}", std::process::id())
}

/// `work` on a thread where it may block.
///
/// # Errors
/// When it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LocalError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| LocalError::when("finish the work")(std::io::Error::other(error)))
}
