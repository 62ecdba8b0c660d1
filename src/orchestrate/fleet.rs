//! All hosts of a lab: one agent each, asked in parallel. Every host gets a result.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::agent::Agent;
use super::conversation::Answer;
use super::failure::{Cause, HostError, Route};
use super::session::{self, Destination, control_path, local};
use super::upload::AgentBinary;
use crate::agent::protocol::{Reply, Request};
use crate::model::{HostName, Lab};
use crate::sys::dirs::{Dirs, create_private};
use crate::sys::pace::Pace;
use crate::sys::progress::Progress;

/// Logins at the same time. sshd refuses more than `MaxStartups` (10) unfinished ones, and all logins through a jump
/// host go to one sshd.
pub const LOGINS_AT_ONCE: usize = 8;

/// One result per host.
pub type PerHost<T> = BTreeMap<HostName, Result<T, HostError>>;

/// Where every host of a lab is.
#[derive(Debug, Clone)]
pub struct Roster {
    destinations: BTreeMap<HostName, (Destination, Route)>,
    sockets: PathBuf,
}

impl Roster {
    /// The hosts of a lab whose SSH configuration is in place. Makes the directory of their sockets. `pace` is how time
    /// passes for waits on them.
    ///
    /// # Errors
    /// When that directory cannot be made, is not ours, or is too long.
    pub fn of(lab: &Lab, dirs: &Dirs, pace: Pace) -> io::Result<Self> {
        let sockets = dirs.lab_runtime(lab.id()).join("ssh");
        // One after the other: each is checked to be ours, and /tmp is everybody's.
        for directory in [&dirs.runtime, &dirs.lab_runtime(lab.id()), &sockets] {
            create_private(directory)?;
        }
        let config = dirs.lab(lab.id()).join("ssh_config");
        let mut destinations = BTreeMap::new();
        for host in lab.hosts() {
            let route = Route {
                destination: match &host.ssh {
                    Some(target) => target.to_string(),
                    None => format!("{} in the sandbox", host.name),
                },
                origin: host.ssh.as_ref().map(|target| target.origin.clone()),
                config: config.clone(),
            };
            let destination = Destination {
                host: host.name.clone(),
                config: config.clone(),
                control: control_path(&sockets, &host.name)?,
                pace,
            };
            destinations.insert(host.name.clone(), (destination, route));
        }
        Ok(Self {
            destinations,
            sockets,
        })
    }

    /// The same hosts over new connections, beside those that are open.
    ///
    /// # Errors
    /// See [`Roster::of`].
    pub fn anew(&self) -> io::Result<Self> {
        let sockets = self.sockets.with_file_name("new");
        create_private(&sockets)?;
        let mut destinations = self.destinations.clone();
        for (host, (to, _)) in &mut destinations {
            to.control = control_path(&sockets, host)?;
        }
        Ok(Self {
            destinations,
            sockets,
        })
    }

    /// `host` alone.
    #[must_use]
    pub fn just(&self, host: &HostName) -> Self {
        let mut alone = self.clone();
        alone.destinations.retain(|other, _| other == host);
        alone
    }

    /// The destination of `host`.
    #[must_use]
    pub fn destination(&self, host: &HostName) -> Option<&Destination> {
        self.destinations.get(host).map(|(to, _)| to)
    }

    /// `cause` as an error of `host`.
    #[must_use]
    pub fn error(&self, host: &HostName, cause: Cause) -> HostError {
        let route = match self.destinations.get(host) {
            Some((_, route)) => route.clone(),
            None => Route {
                destination: host.to_string(),
                origin: None,
                config: PathBuf::new(),
            },
        };
        HostError {
            host: host.clone(),
            route,
            cause,
        }
    }

    /// Ends every connection.
    pub async fn hang_up(&self) {
        for (to, _) in self.destinations.values() {
            session::close(to).await;
        }
    }

    /// Ends every connection, and removes the sockets and their directory.
    pub async fn disconnect(&self) {
        self.hang_up().await;
        let _ = std::fs::remove_dir_all(&self.sockets);
        if let Some(lab) = self.sockets.parent() {
            // Not empty when the sandbox has sockets there.
            let _ = std::fs::remove_dir(lab);
        }
    }
}

/// The agents of a lab's hosts.
#[derive(Debug)]
pub struct Fleet {
    roster: Roster,
    members: BTreeMap<HostName, Result<Agent, Cause>>,
}

impl Fleet {
    /// Connects to every host and starts its agent. Hosts that fail do not keep the others from working;
    /// see [`Fleet::failures`].
    pub async fn connect(roster: Roster, progress: &Arc<dyn Progress>) -> Self {
        let binary = tokio::task::spawn_blocking(|| AgentBinary::this().map(Arc::new)).await;
        let binary = match binary {
            Ok(Ok(binary)) => Ok(binary),
            Ok(Err(error)) => Err(local("read the running program", &error)),
            Err(error) => Err(local("read the running program", &io::Error::other(error))),
        };
        let logins = Arc::new(Semaphore::new(LOGINS_AT_ONCE));
        let mut starts = JoinSet::new();
        for (host, (to, _)) in &roster.destinations {
            let (host, to, binary) = (host.clone(), to.clone(), binary.clone());
            let (logins, progress) = (Arc::clone(&logins), Arc::clone(progress));
            starts.spawn(async move {
                let started = async {
                    let binary = binary?;
                    // Never closed, so there is always a permit to come.
                    let _permit = logins.acquire().await;
                    progress.doing(host.as_str(), "connecting");
                    Agent::start(&to, &binary, progress.as_ref()).await
                };
                let started = started.await;
                (host, started)
            });
        }
        let mut members = BTreeMap::new();
        for (host, started) in starts.join_all().await {
            members.insert(host, started);
        }
        Self { roster, members }
    }

    /// The hosts that cannot be asked any more, each with its reason.
    #[must_use]
    pub fn failures(&self) -> Vec<HostError> {
        self.members
            .iter()
            .filter_map(|(host, member)| {
                let cause = member.as_ref().err()?;
                Some(self.roster.error(host, cause.clone()))
            })
            .collect()
    }

    /// The same request for every host; see [`Fleet::ask`].
    pub async fn ask_all(
        &mut self,
        request: &Request,
        progress: &Arc<dyn Progress>,
    ) -> PerHost<Reply> {
        let requests = self
            .members
            .keys()
            .map(|host| (host.clone(), vec![request.clone()]))
            .collect();
        self.ask(requests, progress)
            .await
            .into_iter()
            .map(|(host, replies)| {
                // One request, so one reply.
                let reply = replies.map(|mut replies| replies.swap_remove(0));
                (host, reply)
            })
            .collect()
    }

    /// Puts each host's requests to it one after the other, all hosts at once. A host's first failure ends
    /// its requests and is its result.
    pub async fn ask(
        &mut self,
        requests: BTreeMap<HostName, Vec<Request>>,
        progress: &Arc<dyn Progress>,
    ) -> PerHost<Vec<Reply>> {
        self.ask_and_tell(requests, progress, |_, _| {}).await
    }

    /// [`Fleet::ask`] that tells of each host that was asked as soon as it is done.
    pub async fn ask_and_tell(
        &mut self,
        requests: BTreeMap<HostName, Vec<Request>>,
        progress: &Arc<dyn Progress>,
        done: impl Fn(&HostName, &Result<Vec<Reply>, Cause>) + Clone + Send + 'static,
    ) -> PerHost<Vec<Reply>> {
        let mut results = BTreeMap::new();
        let mut asked = JoinSet::new();
        for (host, requests) in requests {
            match self.members.remove(&host) {
                Some(Ok(agent)) => {
                    let (progress, done) = (Arc::clone(progress), done.clone());
                    asked.spawn(async move {
                        let (member, result) = ask_one(agent, &host, requests, &progress).await;
                        done(&host, &result);
                        (host, member, result)
                    });
                }
                Some(Err(cause)) => {
                    results.insert(host.clone(), Err(self.roster.error(&host, cause.clone())));
                    self.members.insert(host, Err(cause));
                }
                None => {
                    let cause = Cause::Local {
                        doing: "find the host".to_owned(),
                        reason: "it is not part of the lab".to_owned(),
                    };
                    results.insert(host.clone(), Err(self.roster.error(&host, cause)));
                }
            }
        }
        for (host, member, result) in asked.join_all().await {
            let result = result.map_err(|cause| self.roster.error(&host, cause));
            results.insert(host.clone(), result);
            self.members.insert(host, member);
        }
        results
    }
}

async fn ask_one(
    agent: Agent,
    host: &HostName,
    requests: Vec<Request>,
    progress: &Arc<dyn Progress>,
) -> (Result<Agent, Cause>, Result<Vec<Reply>, Cause>) {
    let mut agent = agent;
    let mut replies = Vec::with_capacity(requests.len());
    for request in &requests {
        let answer = agent
            .ask(request, |resource| {
                progress.doing(host.as_str(), &resource.to_string());
            })
            .await;
        match answer {
            Ok((back, Answer::Reply(reply))) => {
                agent = back;
                replies.push(reply);
            }
            // A refusal leaves the agent ready for other requests.
            Ok((back, Answer::Refused(error))) => return (Ok(back), Err(Cause::Agent(error))),
            Err(cause) => return (Err(cause.clone()), Err(cause)),
        }
    }
    (Ok(agent), Ok(replies))
}
