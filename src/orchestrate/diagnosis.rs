//! ssh(1)'s reasons for not connecting.

use super::failure::ConnectFailure;

impl ConnectFailure {
    /// Recognises the reason in what ssh(1) wrote.
    #[must_use]
    pub fn from_ssh(text: &str) -> Self {
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.trim_end_matches('\r').trim())
            .filter(|line| !line.is_empty() && !is_chatter(line))
            .collect();
        let has = |needle: &str| lines.iter().find(|line| line.contains(needle)).copied();
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED").is_some()
            || has("Host key for").is_some_and(|line| line.contains("has changed"))
        {
            let line = has("Offending").and_then(|line| line.rsplit(' ').next());
            return Self::ChangedHostKey {
                line: line.map(str::to_owned),
            };
        }
        if has("Host key verification failed").is_some()
            || has("host key is known for").is_some_and(|line| line.starts_with("No "))
        {
            return Self::UnknownHostKey;
        }
        if let Some(line) = has("Permission denied (").or(has("Too many authentication failures")) {
            // Who has not even said which SSH it speaks has refused nobody: that was a host on the way.
            if has("_exchange_identification: ").is_some() {
                return Self::JumpHost {
                    detail: line.trim_end_matches('.').to_owned(),
                };
            }
            let detail = line.split_once(": ").map_or(line, |(_, rest)| rest);
            return Self::Authentication {
                detail: lower_first(detail.trim_end_matches('.')),
            };
        }
        if let Some(line) = has("Could not resolve hostname") {
            let name = line
                .split_once("hostname ")
                .map_or(line, |(_, rest)| rest)
                .split(':')
                .next()
                .unwrap_or(line);
            return Self::Name {
                name: name.to_owned(),
            };
        }
        if let Some((at, why)) = lines.iter().find_map(|line| connect_line(line)) {
            return match why {
                "Connection refused" => Self::Refused { at },
                "Connection timed out" | "Operation timed out" => Self::TimedOut { at },
                "No route to host" | "Network is unreachable" | "Host is unreachable" => {
                    Self::NoRoute { at }
                }
                other => Self::Other {
                    detail: format!("{at}: {}", lower_first(other)),
                },
            };
        }
        let closed = [
            "kex_exchange_identification",
            "Connection closed by",
            "Connection reset by",
            "banner exchange",
        ];
        if let Some(line) = closed.iter().find_map(|needle| has(needle)) {
            return if line.contains("timed out") {
                Self::TimedOut {
                    at: "the host's SSH server".to_owned(),
                }
            } else {
                Self::Closed {
                    detail: lower_first(line),
                }
            };
        }
        Self::Other {
            detail: match lines.last() {
                Some(line) => lower_first(line.trim_start_matches("ssh: ")),
                None => "ssh gave no reason".to_owned(),
            },
        }
    }

    /// Whether the same attempt may succeed a moment later. Failures about keys never do: repeated logins can lock an
    /// account.
    #[must_use]
    pub fn passing(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Closed { .. })
    }
}

/// Lines that ssh also writes when it connects, with `-v` or without.
fn is_chatter(line: &str) -> bool {
    [
        "Warning: Permanently added",
        "debug1: ",
        "OpenSSH_",
        "Authenticated to ",
    ]
    .iter()
    .any(|beginning| line.starts_with(beginning))
}

/// `ssh: connect to host 10.20.0.12 port 22: Connection refused` → (`10.20.0.12:22`, `Connection refused`).
fn connect_line(line: &str) -> Option<(String, &str)> {
    let (_, rest) = line.split_once("connect to host ")?;
    let (target, why) = rest
        .split_once(": ")
        .filter(|(t, _)| t.contains(" port "))?;
    let (host, port) = target.split_once(" port ")?;
    let at = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    Some((at, why))
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_texts_are_told_apart() {
        let table = [
            (
                "ssh: connect to host 10.20.0.12 port 22: Connection refused\r\n",
                ConnectFailure::Refused {
                    at: "10.20.0.12:22".to_owned(),
                },
            ),
            (
                "ssh: connect to host 2001:db8::1 port 22: Connection timed out",
                ConnectFailure::TimedOut {
                    at: "[2001:db8::1]:22".to_owned(),
                },
            ),
            (
                "ssh: connect to host 10.20.0.12 port 22: No route to host",
                ConnectFailure::NoRoute {
                    at: "10.20.0.12:22".to_owned(),
                },
            ),
            (
                "ssh: Could not resolve hostname wbe2.example: Name or service not known",
                ConnectFailure::Name {
                    name: "wbe2.example".to_owned(),
                },
            ),
            (
                "root@10.20.0.12: Permission denied (publickey,password).",
                ConnectFailure::Authentication {
                    detail: "permission denied (publickey,password)".to_owned(),
                },
            ),
            (
                "debug1: connect to address 10.0.0.9 port 22: Connection refused\r\n\
                 ann@bastion: Permission denied (publickey).\r\n\
                 kex_exchange_identification: Connection closed by remote host\r\n\
                 Connection closed by UNKNOWN port 65535",
                ConnectFailure::JumpHost {
                    detail: "ann@bastion: Permission denied (publickey)".to_owned(),
                },
            ),
            (
                "Authenticated to bastion ([10.0.0.1]:22) using \"publickey\".\r\n\
                 Received disconnect from UNKNOWN port 65535:2: Too many authentication failures",
                ConnectFailure::Authentication {
                    detail: "too many authentication failures".to_owned(),
                },
            ),
            (
                "No ED25519 host key is known for 10.20.0.12 and you have requested strict checking.\r\n\
                 Host key verification failed.",
                ConnectFailure::UnknownHostKey,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n\
                 Offending ED25519 key in /home/u/.ssh/known_hosts:7\r\n\
                 Host key verification failed.",
                ConnectFailure::ChangedHostKey {
                    line: Some("/home/u/.ssh/known_hosts:7".to_owned()),
                },
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\r\n\
                 Connection closed by 127.0.0.1 port 2201",
                ConnectFailure::Closed {
                    detail: "kex_exchange_identification: Connection closed by remote host"
                        .to_owned(),
                },
            ),
            (
                "Connection timed out during banner exchange\r\n\
                 Connection to 10.20.0.12 port 22 timed out",
                ConnectFailure::TimedOut {
                    at: "the host's SSH server".to_owned(),
                },
            ),
            (
                "",
                ConnectFailure::Other {
                    detail: "ssh gave no reason".to_owned(),
                },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(ConnectFailure::from_ssh(text), expected, "{text}");
        }
    }

    #[test]
    fn authentication_is_never_retried() {
        let jump = ConnectFailure::JumpHost {
            detail: String::new(),
        };
        assert!(!jump.passing());
        assert!(
            !ConnectFailure::from_ssh("root@h: Permission denied (publickey).").passing(),
            "locked accounts come from retried logins"
        );
        assert!(ConnectFailure::from_ssh("Connection reset by 10.0.0.1 port 22").passing());
    }
}
