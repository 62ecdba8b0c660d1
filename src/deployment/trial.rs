//! Whether hosts can still be reached after their changes: each is asked over a new connection to keep them.
//!
//! Each is asked as soon as it is done, however long others take. One that cannot be asked puts itself back, and is
//! asked again when it has had the time to.

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

/// What a host may need to put itself back once its time is up: services are restarted.
const PUTTING_BACK: Duration = Duration::from_secs(15);

/// How long a machine of one's own waits for a confirmation.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Trial {
    /// A machine of your own that cannot be reached over a new connection so many seconds after its changes puts
    /// them back by itself; 0 to keep them in any case
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

    /// Asks each of the hosts that `changed` brings, as it comes, to keep its changes; until `changed` is closed and
    /// all have answered.
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

/// One host that is to be asked.
struct Question {
    roster: Roster,
    host: HostName,
    request: Request,
    /// When it will have put itself back.
    over: Instant,
    progress: Arc<dyn Progress>,
    logins: Arc<Semaphore>,
}

impl Question {
    /// Asked at once, and again when it has put itself back where that fails.
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
        // Never closed, so there is always a permit to come.
        let _permit = self.logins.acquire().await;
        // One that an earlier run left, or this one's first try, proves nothing.
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

/// What stands against the changes of a host; `is_lost` where its connection broke while they were made.
#[must_use]
pub fn trouble(
    host: &HostName,
    end: Result<TrialEnd, HostError>,
    is_lost: bool,
) -> Option<Trouble> {
    match end {
        // Nothing had been changed by then.
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
            "it knows nothing of this run's changes any more: another run has taken them over or back"
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

/// Its own word for how the trial ended cannot be had.
fn still_cut_off(error: &HostError) -> Trouble {
    let mut trouble = Trouble::from(error);
    trouble.cause = format!(
        "{} (since its changes, which it should have put back by now: whether it has is unknown)",
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
