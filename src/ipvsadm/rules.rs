//! Rules in ipvsadm's save format, read.

use std::collections::HashMap;
use std::fmt;

use super::action::{Action, understand};
use super::failure::Failure;
use super::keeping::Keeping;
use super::names::Names;
use super::saved_line;
use crate::ipvs::{Command, Desired, DestinationKey, ServiceKey};

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    /// Line, from 1.
    pub line: usize,
    /// What ipvsadm says of it.
    pub message: String,
    /// The exit status that ipvsadm has for it.
    pub(super) status: i32,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for RulesError {}

/// Rules with the lines they stand in.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) commands: Vec<Command>,
    /// Per command, from 1.
    pub(super) lines: Vec<usize>,
}

/// The command of an edit that leaves something as it is, given those before it.
pub(super) type Keep<'a> = dyn FnMut(Keeping, &[Command]) -> Result<Command, Failure> + 'a;

/// Rules on paper have no table to look into.
fn no_table(keeping: Keeping, _: &[Command]) -> Result<Command, Failure> {
    Err(Failure::usage(match keeping {
        Keeping::Scheduler(..) => "name the scheduler (-s): only in a restore is there one to keep",
        Keeping::Method(..) => {
            "name the forwarding method (-g, -i or -m): only in a restore is there one to keep"
        }
    }))
}

fn parse_alone(text: &str) -> Result<Rules, RulesError> {
    parse(text, &Names::default(), &mut no_table)
}

/// Reads saved rules: one command per line, `#` starts a comment, a leading `ipvsadm` is ignored.
///
/// Nothing is sent anywhere: either all of it is understood or none.
///
/// ```
/// let rules = lvslab::ipvsadm::parse_rules(
///     "-A -t 192.168.4.15:80 -s wrr\n-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n",
/// )?;
/// assert_eq!(rules[0].to_string(), "create service tcp 192.168.4.15:80");
/// # Ok::<(), lvslab::ipvsadm::RulesError>(())
/// ```
///
/// # Errors
/// The first line that is no rule.
pub fn parse_rules(text: &str) -> Result<Vec<Command>, RulesError> {
    parse_alone(text).map(|rules| rules.commands)
}

/// Reads saved rules as the state that they describe: services (`-A`) and their real servers (`-a`).
///
/// # Errors
/// The first line that is no rule, changes something instead of describing it, or names a real server of
/// a service that no line before it has.
pub fn parse_desired(text: &str) -> Result<Vec<Desired>, RulesError> {
    let rules = parse_alone(text)?;
    let mut desired: Vec<Desired> = Vec::new();
    let mut places = HashMap::new();
    for (command, line) in rules.commands.into_iter().zip(rules.lines) {
        let wrong = |message: &str| RulesError {
            line,
            message: message.to_owned(),
            status: 2,
        };
        match command {
            Command::CreateService(service) => {
                if places.insert(service.key, desired.len()).is_some() {
                    return Err(wrong("Service already exists"));
                }
                desired.push(Desired {
                    service,
                    destinations: Vec::new(),
                });
            }
            Command::AddDestination(key, destination) => {
                let service = places
                    .get(&key)
                    .and_then(|place| desired.get_mut(*place))
                    .ok_or_else(|| wrong("Service not defined"))?;
                service.destinations.push(destination);
            }
            _ => return Err(wrong("only -A and -a describe a table")),
        }
    }
    Ok(desired)
}

/// The line, from 1, of rules that describe a table that asks for what a command does to a service or to
/// one of its destinations; the last one where there are several.
#[must_use]
pub fn line_of(text: &str, command: &Command) -> Option<usize> {
    let wanted = subject(command)?;
    let rules = parse_alone(text).ok()?;
    rules
        .commands
        .iter()
        .zip(rules.lines)
        .filter(|(rule, _)| subject(rule).as_ref() == Some(&wanted))
        .map(|(_, line)| line)
        .next_back()
}

fn subject(command: &Command) -> Option<(ServiceKey, Option<DestinationKey>)> {
    match command {
        Command::CreateService(service) | Command::EditService(service) => {
            Some((service.key, None))
        }
        Command::DeleteService(key) => Some((*key, None)),
        Command::AddDestination(key, destination) | Command::EditDestination(key, destination) => {
            Some((*key, Some(destination.key())))
        }
        Command::DeleteDestination(key, destination) => Some((*key, Some(*destination))),
        _ => None,
    }
}

pub(super) fn parse(text: &str, names: &Names, keep: &mut Keep<'_>) -> Result<Rules, RulesError> {
    let mut rules = Rules::default();
    let mut words = Vec::new();
    let mut plain = saved_line::Lines::default();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if let Some(command) = plain.command(line) {
            rules.commands.push(command);
            rules.lines.push(line_number);
            continue;
        }
        words.clear();
        words.extend(
            line.split([' ', '\t', '\r'])
                .filter(|word| !word.is_empty())
                .take_while(|word| !word.starts_with('#'))
                .filter(|word| *word != "ipvsadm"),
        );
        if words.is_empty() {
            continue;
        }
        let failed = |failure: Failure| RulesError {
            line: line_number,
            message: failure.message,
            status: failure.status,
        };
        let command = rule(&words, names, &mut |keeping| keep(keeping, &rules.commands));
        let command = command.map_err(failed)?;
        rules.commands.push(command);
        rules.lines.push(line_number);
    }
    Ok(rules)
}

/// The command of one rule's words.
///
/// A `-b` that nothing follows is what ipvsadm saves for the third flag of `sh` or `mh`, and cannot read itself.
pub(super) fn rule(
    words: &[&str],
    names: &Names,
    keep: &mut dyn FnMut(Keeping) -> Result<Command, Failure>,
) -> Result<Command, Failure> {
    let told = words.strip_suffix(&["-b"]).unwrap_or(words);
    match understand("ipvsadm", told, names)? {
        Action::Change(command) => Ok(command),
        Action::Keep(keeping) => keep(keeping),
        Action::Help
        | Action::Version
        | Action::List(..)
        | Action::Save { .. }
        | Action::Restore { .. } => Err(Failure::usage(format!(
            "`{}' is no rule",
            words.first().copied().unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::test_strategies::{destination, service};
    use crate::ipvs::{Family, Forwarding, Service, TunnelKind};
    use crate::ipvsadm::endpoint::Style;
    use crate::ipvsadm::written::{save_format, write_destination, write_service};
    use proptest::prelude::*;

    #[test]
    fn saved_rules_are_ipvsadms_lines() {
        let text = "\
-A -t 10.0.0.1:443 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 10.0.0.1:443 -r 10.1.0.3:8443 -m -w 3 -x 2000 -y 1500
-a -t 10.0.0.1:443 -r 10.1.0.4:443 -g -w 1
-A -u 10.0.0.1:5060 -s wrr -p 360 --pe sip -o
-A --sctp-service [2001:db8::1]:9 -s rr -p 300 -M 64
-a --sctp-service [2001:db8::1]:9 -r [2001:db8::2]:9 -i -w 0 --tun-type ipip
-a --sctp-service [2001:db8::1]:9 -r 10.1.0.3:9 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a --sctp-service [2001:db8::1]:9 -r 10.1.0.4:9 -i -w 1 --tun-type gre --tun-nocsum
-A -f 4294967295 -s mh -b flag-3
-A -f 8 -6 -s wrr
";
        let commands = parse_rules(text).unwrap();
        assert_eq!(commands.len(), 10);
        let mut saved = String::new();
        for command in &commands {
            match command {
                Command::CreateService(service) => {
                    write_service(&mut saved, service, Style::Numeric);
                }
                Command::AddDestination(key, destination) => {
                    write_destination(&mut saved, *key, destination, Style::Numeric);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(saved, text);
    }

    #[test]
    fn comments_blank_lines_and_the_program_name_are_skipped() {
        let commands =
            parse_rules("# the lab\n\nipvsadm -A -t 192.168.4.15:80 -s wrr # VIP\n\t-C\r\n")
                .unwrap();
        assert_eq!(commands.len(), 2);
    }

    #[test]
    fn rules_describe_a_table_or_are_refused() {
        let desired = parse_desired(
            "-A -t 192.168.4.15:80 -s wrr\n-A -f 1\n-a -t 192.168.4.15:80 -r 192.168.4.100 -g\n",
        )
        .unwrap();
        assert_eq!(desired.len(), 2);
        assert_eq!(desired[0].destinations.len(), 1);
        for (text, said) in [
            ("-A -f 1\n-A -f 1\n", "line 2: Service already exists"),
            ("-a -f 1 -r 10.0.0.1\n", "line 1: Service not defined"),
            ("-C\n", "line 1: only -A and -a describe a table"),
        ] {
            assert_eq!(parse_desired(text).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn the_line_that_asks_for_something_is_found() {
        let text =
            "# lab\n-A -t 192.168.4.15:80 -s wrr\n\n-a -t 192.168.4.15:80 -r 192.168.4.100 -g\n";
        let rules = parse_rules(text).unwrap();
        assert_eq!(line_of(text, &rules[0]), Some(2));
        assert_eq!(line_of(text, &rules[1]), Some(4));
        assert_eq!(line_of(text, &Command::Flush), None);
    }

    #[test]
    fn what_is_no_rule_is_named_by_its_line() {
        for (text, said) in [
            (
                "-C\n-A -t x:80\n",
                "line 2: illegal virtual server address[:port] specified",
            ),
            ("-L\n", "line 1: `-L' is no rule"),
            (
                "-q\n",
                "line 1: Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
            ),
            ("-A -t 1.2.3.4:80 -q\n", "line 1: -q: unknown option"),
            (
                "-E -t 1.2.3.4:80\n",
                "line 1: name the scheduler (-s): only in a restore is there one to keep",
            ),
            (
                "-e -t 1.2.3.4:80 -r 1.2.3.5\n",
                "line 1: name the forwarding method (-g, -i or -m): only in a restore is there one to keep",
            ),
        ] {
            assert_eq!(parse_rules(text).unwrap_err().to_string(), said);
        }
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_back(
            service in service(),
            destinations in prop::collection::vec(destination(), 0..4),
        ) {
            // What the command line can say: ports and persistence as it insists on them.
            let mut service = service;
            if let ServiceKey::Address { port, .. } = &mut service.key {
                *port = (*port).max(1);
            }
            service.flags &= Service::SCHEDULER_FLAG_1 | Service::SCHEDULER_FLAG_2 | Service::SCHEDULER_FLAG_3;
            service.persistence = service.persistence.filter(|seconds| seconds.get() <= 86_400 * 31);
            if service.persistence.is_none() {
                service.granularity = None;
            }
            let destinations: Vec<_> = destinations
                .into_iter()
                .map(|mut destination| {
                    destination.weight &= i32::MAX as u32;
                    destination.upper_threshold &= i32::MAX as u32;
                    destination.lower_threshold &= i32::MAX as u32;
                    if !matches!(destination.forwarding, Forwarding::Tunnel) {
                        destination.address = match service.key.family() {
                            Family::Inet => [10, 0, 0, 1].into(),
                            Family::Inet6 => std::net::Ipv6Addr::LOCALHOST.into(),
                        };
                        destination.forwarding = Forwarding::Masquerade;
                        destination.tunnel = TunnelKind::Ipip;
                        destination.tunnel_flags = 0;
                    } else if let ServiceKey::Address { port, .. } = service.key {
                        destination.port = port;
                    }
                    match &mut destination.tunnel {
                        TunnelKind::Ipip => destination.tunnel_flags = 0,
                        TunnelKind::Gre => destination.tunnel_flags &= 1,
                        TunnelKind::Gue { port } => {
                            *port = (*port).max(1);
                            destination.tunnel_flags %= 3;
                        }
                    }
                    destination
                })
                .collect();
            let text = save_format([(&service, destinations.as_slice())]);
            let mut wanted = vec![Command::CreateService(service.clone())];
            wanted.extend(
                destinations
                    .iter()
                    .map(|destination| Command::AddDestination(service.key, destination.clone())),
            );
            prop_assert_eq!(parse_rules(&text).map_err(|error| format!("{error}\n{text}")), Ok(wanted));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
            let _ = parse_rules(&text);
        }

        #[test]
        fn any_words_of_the_language_are_read_without_a_panic(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "-A", "-a", "-E", "-e", "-D", "-d", "-t", "-u", "-f", "-r", "-s", "-p", "-M", "-w", "-b",
                    "-6", "--pe", "--set", "--start-daemon", "master", "rr", "sh", "sh-port", "1.2.3.4:80",
                    "[::1]:80", "8", "-1", "255.255.255.0", "64", "-i", "-m", "--tun-type", "gue", "--tun-port",
                    "-", "--", "\n",
                ]),
                0..20,
            ),
        ) {
            let _ = parse_rules(&words.join(" "));
        }
    }
}
