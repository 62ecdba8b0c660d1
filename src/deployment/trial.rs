//! Confirms each host's changes over a new connection, which proves that the host can still be reached.
//!
//! A host is asked as soon as its own changes are done. A host that cannot be asked reverts its changes; it is asked
//! again once it has had time for that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::agent::protocol::{Reply, Request, TrialEnd};
use crate::context::Context;
use crate::exit::Status;
use crate::model::{HostName, Lab};
use crate::orchestrate::{Fleet, HostError, LOGINS_AT_ONCE, Roster};
use crate::sys::local::LocalError;
use crate::sys::progress::Progress;

use super::{Trouble, roster, run_id};

/// Longest time that a host takes to revert its changes once its time is up: services are restarted.
const PUTTING_BACK: Duration = Duration::from_secs(15);

/// How long a machine of the person's own waits for a confirmation.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Trial {
    /// A machine of your own reverts its changes unless lvslab reaches it over a new connection within this time; 0
    /// keeps them in any case
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(..=3600))]
    confirm_within: u32,
}

impl Trial {
    /// Seconds for `host`; `None` for hosts of the sandbox, which nothing can cut off from this machine.
    #[must_use]
    pub fn seconds(self, lab: &Lab, host: &HostName) -> Option<u32> {
        let is_machine = lab
            .host(host.as_str())
            .is_some_and(|host| host.ssh.is_some());
        (is_machine && self.confirm_within > 0).then_some(self.confirm_within)
    }

    /// Asks every host that `changed` yields to keep its changes. Returns when `changed` is closed and all hosts have
    /// answered.
    ///
    /// # Errors
    /// When this machine does not let us connect.
    pub async fn confirm(
        self,
        ctx: &Context,
        lab: &Lab,
        mut changed: UnboundedReceiver<HostName>,
    ) -> Result<Ends, LocalError> {
        let mut asked = JoinSet::new();
        let logins = Arc::new(Semaphore::new(LOGINS_AT_ONCE));
        let mut anew = None;
        while let Some(host) = changed.recv().await {
            let roster = match &anew {
                Some(roster) => roster,
                _ => {
                    let roster = roster(ctx, lab).and_then(|roster| roster.anew());
                    let failed = LocalError::when("make the directory of the SSH sockets");
                    anew.insert(roster.map_err(failed)?)
                }
            };
            let question = Question {
                roster: roster.just(&host),
                host,
                request: Request::Confirm {
                    lab: lab.id().clone(),
                    run: run_id(),
                },
                over: Instant::now()
                    + Duration::from_secs(self.confirm_within.into())
                    + PUTTING_BACK,
                progress: Arc::clone(&ctx.progress),
                logins: Arc::clone(&logins),
            };
            asked.spawn(question.answered());
        }
        let ends = asked.join_all().await;
        if let Some(roster) = anew {
            roster.disconnect().await;
        }
        Ok(ends)
    }
}

/// How each host's trial ended.
pub type Ends = Vec<(HostName, Result<TrialEnd, HostError>)>;

/// The request to keep its changes, to one host.
struct Question {
    roster: Roster,
    host: HostName,
    request: Request,
    /// When the host has reverted its changes unless it was asked.
    over: Instant,
    progress: Arc<dyn Progress>,
    logins: Arc<Semaphore>,
}

impl Question {
    /// Asks at once. If that fails, asks again after the host has reverted its changes.
    async fn answered(self) -> (HostName, Result<TrialEnd, HostError>) {
        let mut answer = self.ask().await;
        if let Err(error) = &answer {
            let doing = format!("{}; waiting until it has put itself back", error.cause);
            self.progress.doing(self.host.as_str(), &doing);
            sleep_until(self.over).await;
            answer = self.ask().await;
        }
        (self.host, answer)
    }

    async fn ask(&self) -> Result<TrialEnd, HostError> {
        // The semaphore is never closed, so a permit always comes.
        let _permit = self.logins.acquire().await;
        // An older connection, of an earlier run or of the first attempt, would prove nothing.
        self.roster.hang_up().await;
        let mut fleet = Fleet::connect(self.roster.clone(), &self.progress).await;
        let mut replies = fleet.ask_all(&self.request, &self.progress).await;
        match replies.remove(&self.host) {
            Some(Ok(Reply::TrialOver(end))) => Ok(end),
            Some(Err(error)) => Err(error),
            _ => Ok(TrialEnd::Unknown),
        }
    }
}

/// The trouble with a host's changes, if there is any. `is_lost`: its connection broke while they were made.
#[must_use]
pub fn trouble(
    host: &HostName,
    end: Result<TrialEnd, HostError>,
    is_lost: bool,
) -> Option<Trouble> {
    match end {
        // The connection broke before anything was changed.
        Ok(TrialEnd::Unknown) if is_lost => None,
        Ok(end) => told(host, end),
        Err(error) => Some(still_cut_off(&error)),
    }
}

/// The trouble with changes that do not stay.
fn told(host: &HostName, end: TrialEnd) -> Option<Trouble> {
    let (cause, next) = match end {
        TrialEnd::Committed => return None,
        TrialEnd::RolledBack { failed } if failed.is_empty() => (
            "no new connection came through after its changes, so it has put them back".to_owned(),
            "see what keeps new connections out (a firewall, a route, sshd's own limits); then run \
             `lvslab up` again",
        ),
        TrialEnd::RolledBack { failed } => (
            format!(
                "no new connection came through after its changes, and it could not put all of them back:\n{}",
                failed.join("\n")
            ),
            "put these back by hand, or run `lvslab down`, which tries again",
        ),
        TrialEnd::Unknown => (
            "it no longer has this run's changes: another run has taken them over or reverted them"
                .to_owned(),
            "run `lvslab up` again",
        ),
    };
    Some(Trouble {
        host: host.clone(),
        resource: None,
        cause,
        tried: None,
        next: Some(next.to_owned()),
        status: Status::RolledBack,
    })
}

/// The host cannot be asked how its trial ended.
fn still_cut_off(error: &HostError) -> Trouble {
    let mut trouble = Trouble::from(error);
    trouble.cause = format!(
        "{} (lost after its changes; it should have reverted them by now, which is not confirmed)",
        trouble.cause
    );
    trouble.status = Status::Unreachable;
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::trouble::{render, worst};

    #[test]
    fn a_host_that_put_itself_back_says_why_and_what_next() {
        let host: HostName = "web1".parse().unwrap();
        assert_eq!(told(&host, TrialEnd::Committed), None);
        let troubles: Vec<Trouble> = [
            TrialEnd::RolledBack { failed: vec![] },
            TrialEnd::RolledBack {
                failed: vec!["default route: network is unreachable".to_owned()],
            },
            TrialEnd::Unknown,
        ]
        .into_iter()
        .filter_map(|end| told(&host, end))
        .collect();
        assert_eq!(worst(&troubles), Some(Status::RolledBack));
        insta::assert_snapshot!(render(&troubles));
    }
}
