//! `ssh` destinations: `[USER@]HOST[:PORT]`.
//!
//! They become arguments of ssh(1) and lines of a generated ssh_config(5), so only a small alphabet is allowed. A
//! destination cannot begin like an option, and holds nothing that a shell or ssh would expand.

use std::net::Ipv6Addr;

use super::error::quoted;
use super::problem::Problem;
use crate::model::SshTarget;

/// Longest host name DNS has.
const MAX_HOST: usize = 253;

/// Longest user name Linux has (`useradd` allows 32, directories more).
const MAX_USER: usize = 64;

const NOTE: &str = "a destination is `[user@]host[:port]`, like root@web1.example.org:2222 or root@[2001:db8::1]:22";

/// Reads a destination; `origin` says where it was written.
pub(super) fn destination(text: &str, origin: String) -> Result<SshTarget, Problem> {
    let problem =
        |why: &str| Problem::new(format!("ssh destination {}: {why}", quoted(text))).note(NOTE);
    if text.starts_with('-') {
        return Err(problem(
            "it must not begin with `-`, ssh would take it for an option",
        ));
    }
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    if let Some(user) = user {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if user.is_empty()
            || user.len() > MAX_USER
            || user.starts_with('-')
            || !user.chars().all(fits)
        {
            return Err(problem(
                "the user is letters, digits, `.`, `_` and `-`, not beginning with `-`",
            ));
        }
    }
    let (host, port) = split_port(rest)
        .ok_or_else(|| problem("an IPv6 address stands in brackets, and a port after a colon"))?;
    let bracketed = rest.starts_with('[');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if bracketed {
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(problem("what stands in brackets is not an IPv6 address"));
        }
    } else if host.is_empty()
        || host.len() > MAX_HOST
        || host.starts_with('-')
        || !host.chars().all(plain)
    {
        return Err(problem(
            "the host is letters, digits, `.`, `_` and `-`, not beginning with `-`",
        ));
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => Some(number),
            _ => return Err(problem("the port is a number from 1 to 65535")),
        },
    };
    Ok(SshTarget {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        identity: None,
        known_hosts: None,
        origin,
    })
}

/// Splits host and port; `None` if brackets or colons do not match.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Option<String>, String, Option<u16>)> {
        destination(text, "x.yaml:1".to_owned())
            .ok()
            .map(|t| (t.user, t.host, t.port))
    }

    #[test]
    fn user_and_port_are_optional() {
        let all = |user: Option<&str>, host: &str, port| {
            Some((user.map(str::to_owned), host.to_owned(), port))
        };
        assert_eq!(read("web1"), all(None, "web1", None));
        assert_eq!(
            read("root@10.20.0.12:22"),
            all(Some("root"), "10.20.0.12", Some(22))
        );
        assert_eq!(read("a.b_c-d@h:1"), all(Some("a.b_c-d"), "h", Some(1)));
        assert_eq!(
            read("root@[2001:db8::1]:2222"),
            all(Some("root"), "2001:db8::1", Some(2222))
        );
        assert_eq!(read("[::1]"), all(None, "::1", None));
    }

    #[test]
    fn what_ssh_or_a_shell_would_act_on_is_refused() {
        for text in [
            "",
            "@",
            "root@",
            "@web1",
            "-oProxyCommand=id",
            "root@-x",
            "-r@x",
            "a b",
            "a;b",
            "$(id)",
            "a\nb",
            "%h",
            "h:",
            "h:0",
            "h:65536",
            "h:+1",
            "h:1:2",
            "2001:db8::1",
            "[::1",
            "[::1]x",
            "[x]",
            "ssh://web1",
            "a@b@c",
            "web1/",
            "*",
            "!x",
            "h#c",
            "\"h\"",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_accepted_destination_has_only_harmless_characters(text in "\\PC{0,40}") {
            if let Some((user, host, _)) = read(&text) {
                for part in user.iter().chain([&host]) {
                    proptest::prop_assert!(!part.starts_with('-') && !part.is_empty());
                    proptest::prop_assert!(part.chars().all(|c| c.is_ascii_alphanumeric() || ".:_-".contains(c)));
                }
            }
        }
    }
}
