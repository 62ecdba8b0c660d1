//! What is wrong with one host, in the form people and programs get it.

use std::fmt::Write;

use serde::Serialize;

use crate::agent::protocol::{AgentError, Outcome, OutcomeResult};
use crate::exit::{self, Status};
use crate::model::HostName;
use crate::orchestrate::{Cause, HostError};
use crate::plan::PlanError;
use crate::report::clean;
use crate::verify::{Absence, AbsenceKind};

/// What is wrong with one host, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Host.
    #[serde(skip)]
    pub host: HostName,
    /// Which resource, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What went wrong, a lower-case fragment.
    pub cause: String,
    /// What was tried, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Which exit code it is.
    #[serde(skip)]
    pub status: Status,
}

impl From<&HostError> for Trouble {
    fn from(error: &HostError) -> Self {
        Self {
            host: error.host.clone(),
            resource: None,
            cause: error.cause.to_string(),
            tried: error.tried(),
            next: Some(error.hint()),
            status: status(&error.cause),
        }
    }
}

impl Trouble {
    /// There is no plan for the host.
    #[must_use]
    pub fn unplanned(host: &HostName, error: &PlanError) -> Self {
        Self {
            host: host.clone(),
            resource: None,
            cause: error.to_string(),
            tried: None,
            next: error.hint(),
            status: Status::HostFailed,
        }
    }

    /// The resources of `host` that failed.
    pub fn failed<'a>(
        host: &'a HostName,
        outcomes: &'a [Outcome],
    ) -> impl Iterator<Item = Self> + 'a {
        outcomes.iter().filter_map(|outcome| match &outcome.result {
            OutcomeResult::Failed { error } => Some(Self {
                host: host.clone(),
                resource: Some(outcome.resource.to_string()),
                cause: error.cause.clone(),
                tried: None,
                next: error.hint.clone(),
                status: Status::HostFailed,
            }),
            _ => None,
        })
    }

    /// The same as a reason why there is no evidence from the host.
    #[must_use]
    pub fn absence(&self) -> Absence {
        Absence {
            kind: match self.status {
                Status::Unreachable => AbsenceKind::Unreachable,
                _ => AbsenceKind::Failed,
            },
            cause: match &self.tried {
                Some(tried) => format!("{} (tried {tried})", self.cause),
                None => self.cause.clone(),
            },
            hint: self.next.clone(),
        }
    }
}

/// Which exit code a host's failure is.
#[must_use]
pub fn status(cause: &Cause) -> Status {
    match cause {
        Cause::Connect(_) => Status::Unreachable,
        Cause::Agent(AgentError::Locked { .. }) => Status::Locked,
        Cause::Local { .. } => Status::Internal,
        Cause::Privilege(_) | Cause::Upload(_) | Cause::Conversation(_) | Cause::Agent(_) => {
            Status::HostFailed
        }
    }
}

/// The one status for all of them: what has to be mended before anything else shows first.
#[must_use]
pub fn worst(troubles: &[Trouble]) -> Option<Status> {
    exit::worst(troubles.iter().map(|trouble| trouble.status))
}

/// A block per host, as ux.md's "A host that cannot be reached".
#[must_use]
pub fn render(troubles: &[Trouble]) -> String {
    let width = troubles
        .iter()
        .map(|trouble| trouble.host.as_str().len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for trouble in troubles {
        let what = match &trouble.resource {
            Some(resource) => format!("{resource}: {}", trouble.cause),
            None => trouble.cause.clone(),
        };
        let mut lines = what.lines().map(clean::line);
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(out, "✗ {:width$}   {first}", trouble.host.as_str());
        for line in lines {
            let _ = writeln!(out, "    {line}");
        }
        for (label, value) in [("tried", &trouble.tried), ("next", &trouble.next)] {
            if let Some(value) = value {
                let mut lines = value.lines().map(clean::line);
                let first = lines.next().unwrap_or_default();
                let _ = writeln!(out, "    {label:<7}   {first}");
                for line in lines {
                    let _ = writeln!(out, "              {line}");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::protocol::ResourceError;
    use crate::orchestrate::{ConnectFailure, ConversationFailure, Route, UploadFailure};
    use crate::resource::ResourceId;

    fn error(host: &str, cause: Cause) -> HostError {
        HostError {
            host: host.parse().unwrap(),
            route: Route {
                destination: "root@10.20.0.12".to_owned(),
                origin: Some("inventory.yaml:9".to_owned()),
                config: "/state/dr/ssh_config".into(),
            },
            cause,
        }
    }

    #[test]
    fn each_host_is_a_block_with_cause_attempt_and_next_step() {
        let refused = Cause::Connect(ConnectFailure::Refused {
            at: "10.20.0.12:22".to_owned(),
        });
        let outcome = Outcome {
            resource: ResourceId("package httpd".to_owned()),
            result: OutcomeResult::Failed {
                error: ResourceError {
                    cause: "apt-get ended with 100:\nE: Unable to locate package".to_owned(),
                    hint: Some("apt-get update on the host".to_owned()),
                },
            },
        };
        let mut troubles = vec![Trouble::from(&error("director", refused))];
        troubles.extend(Trouble::failed(&"web1".parse().unwrap(), &[outcome]));
        insta::assert_snapshot!(render(&troubles), @r"
        ✗ director   cannot connect: connection refused at 10.20.0.12:22
            tried     ssh root@10.20.0.12 (from inventory.yaml:9)
            next      is sshd running there? `ssh -F /state/dr/ssh_config director` shows the same attempt
        ✗ web1       package httpd: apt-get ended with 100:
            E: Unable to locate package
            next      apt-get update on the host
        ");
        assert_eq!(worst(&troubles), Some(Status::Unreachable));
    }

    #[test]
    fn every_kind_of_failure_has_its_own_exit_code() {
        let refused = Cause::Connect(ConnectFailure::UnknownHostKey);
        let locked = Cause::Agent(AgentError::Locked {
            holder: "ann@desk pid 4711".to_owned(),
        });
        let table = [
            (refused, Status::Unreachable),
            (locked, Status::Locked),
            (Cause::Upload(UploadFailure::DiskFull), Status::HostFailed),
            (
                Cause::Conversation(ConversationFailure::Silent {
                    after: Duration::from_secs(60),
                }),
                Status::HostFailed,
            ),
        ];
        for (cause, expected) in table {
            assert_eq!(status(&cause), expected, "{cause}");
        }
        assert_eq!(worst(&[]), None);
    }
}
