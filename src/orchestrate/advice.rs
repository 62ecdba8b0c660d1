//! What a person can do about a host that cannot be worked with.

use super::failure::{
    Cause, ConnectFailure, ConversationFailure, HostError, PrivilegeFailure, UploadFailure,
};
use crate::agent::protocol::AgentError;
use crate::sys::on_host;

impl HostError {
    /// What the person can do about it, one sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        let by_hand = format!("ssh -F {} {}", self.route.config.display(), self.host);
        match &self.cause {
            Cause::Connect(failure) => match failure {
                ConnectFailure::Refused { .. } => {
                    format!("is sshd running there? `{by_hand}` shows the same attempt")
                }
                ConnectFailure::TimedOut { .. } | ConnectFailure::NoRoute { .. } => {
                    format!(
                        "is the host up and the address right? `{by_hand}` shows the same attempt"
                    )
                }
                ConnectFailure::Name { .. } => match &self.route.origin {
                    Some(origin) => format!("check the name in {origin}"),
                    None => "check the name".to_owned(),
                },
                ConnectFailure::Authentication { .. } => format!(
                    "put a key the host accepts in the inventory (`identity:`) or your SSH agent; \
                     `{by_hand}` shows the same attempt"
                ),
                ConnectFailure::JumpHost { .. } => format!(
                    "lvslab answers no questions: load a key that the jump host accepts into your SSH agent, or \
                     name it in ~/.ssh/config; `{by_hand}` shows the same attempt"
                ),
                ConnectFailure::UnknownHostKey => format!(
                    "compare its fingerprint and accept it once with `{by_hand}`, \
                     or run again with --accept-new-host-keys"
                ),
                ConnectFailure::ChangedHostKey { .. } => {
                    "was the host reinstalled? then remove the old entry (ssh-keygen -R); \
                     if not, somebody else may be answering"
                        .to_owned()
                }
                ConnectFailure::Closed { .. } | ConnectFailure::Other { .. } => {
                    format!("`{by_hand}` shows the same attempt")
                }
            },
            Cause::Privilege(failure) => match failure {
                PrivilegeFailure::PasswordNeeded | PrivilegeFailure::NotAllowed { .. } => {
                    "log in as root, or let the user run sudo without a password (NOPASSWD)"
                        .to_owned()
                }
                PrivilegeFailure::TerminalNeeded => {
                    "log in as root, or put `Defaults:USER !requiretty` with the login user's name into \
                     sudoers (visudo)"
                        .to_owned()
                }
                PrivilegeFailure::NoSudo => "log in as root, or install sudo".to_owned(),
            },
            Cause::Upload(failure) => match failure {
                UploadFailure::DiskFull => {
                    format!("free some 20 MB there (`{by_hand} df -h /var/lib`) and run again")
                }
                UploadFailure::Corrupt | UploadFailure::Stalled { .. } => {
                    "run again; if it stays so, the connection or the host's disk is bad".to_owned()
                }
                UploadFailure::Other { .. } => {
                    format!("`{by_hand}` and look at {} there", on_host::DIRECTORY)
                }
            },
            Cause::Conversation(failure) => match failure {
                ConversationFailure::Garbage { .. } => {
                    "make the login shell's start-up files on the host print nothing for \
                     non-interactive logins"
                        .to_owned()
                }
                ConversationFailure::Version { .. } | ConversationFailure::NotStarted { .. } => {
                    format!("remove {} on the host and run again", on_host::PROGRAMS)
                }
                _ => "run the same command again: it continues where this one stopped".to_owned(),
            },
            Cause::Agent(AgentError::Locked { .. }) => {
                "wait until that run has ended, then run again".to_owned()
            }
            Cause::Agent(AgentError::NotRoot) => "log in as root".to_owned(),
            Cause::Agent(AgentError::Host { hint, .. }) => hint
                .clone()
                .unwrap_or_else(|| "mend that on the host and run again".to_owned()),
            Cause::Local { .. } => {
                "this is about the machine lvslab runs on, not the host".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::orchestrate::Route;

    fn host_error(cause: Cause) -> HostError {
        HostError {
            host: "web2".parse().unwrap(),
            route: Route {
                destination: "root@10.20.0.12".to_owned(),
                origin: Some("inventory.yaml:9".to_owned()),
                config: "/state/dr/ssh_config".into(),
            },
            cause,
        }
    }

    #[test]
    fn a_failure_names_host_cause_attempt_and_next_step() {
        let error = host_error(Cause::Connect(ConnectFailure::Refused {
            at: "10.20.0.12:22".to_owned(),
        }));
        insta::assert_snapshot!(
            format!("{error}\ntried {}\nnext {}", error.tried().unwrap(), error.hint()),
            @r"
        web2: cannot connect: connection refused at 10.20.0.12:22
        tried ssh root@10.20.0.12 (from inventory.yaml:9)
        next is sshd running there? `ssh -F /state/dr/ssh_config web2` shows the same attempt
        "
        );
    }

    #[test]
    fn every_cause_reads_as_one_lower_case_sentence_with_a_next_step() {
        let causes = [
            Cause::Connect(ConnectFailure::Name {
                name: "wbe2".to_owned(),
            }),
            Cause::Connect(ConnectFailure::UnknownHostKey),
            Cause::Connect(ConnectFailure::ChangedHostKey {
                line: Some("/home/u/.ssh/known_hosts:7".to_owned()),
            }),
            Cause::Connect(ConnectFailure::Authentication {
                detail: "permission denied (publickey)".to_owned(),
            }),
            Cause::Connect(ConnectFailure::JumpHost {
                detail: "ann@bastion: Permission denied (publickey)".to_owned(),
            }),
            Cause::Privilege(PrivilegeFailure::PasswordNeeded),
            Cause::Privilege(PrivilegeFailure::TerminalNeeded),
            Cause::Upload(UploadFailure::DiskFull),
            Cause::Upload(UploadFailure::Corrupt),
            Cause::Conversation(ConversationFailure::NotStarted {
                code: Some(126),
                stderr: "Exec format error".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Ended {
                stderr: "Killed".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Garbage {
                start: "Welcome to".to_owned(),
            }),
            Cause::Conversation(ConversationFailure::Version { theirs: 7 }),
            Cause::Conversation(ConversationFailure::Silent {
                after: Duration::from_secs(60),
            }),
            Cause::Agent(AgentError::Locked {
                holder: "ann@desk 4711".to_owned(),
            }),
        ];
        let text: Vec<String> = causes
            .into_iter()
            .map(host_error)
            .map(|error| format!("{error}\n  {}", error.hint()))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
