//! Rules in ipvsadm's save format, read.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::action::{Action, understand};
use super::behaviour::Setting;
use super::failure::{Failure, Kind};
use super::partial_edit::PartialEdit;
use super::saved_line;
use crate::ipvs::{Command, Desired, Destination, DestinationKey, Service, ServiceKey};

/// A line that is no rule, or a rule that contradicts another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it, in ipvsadm's words where it has some.
    pub message: String,
    kind: Kind,
}

impl Mistake {
    fn new(line: usize, failure: Failure) -> Self {
        Self {
            line,
            kind: failure.kind,
            message: failure.message,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Rules with mistakes: every one of them, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl RulesError {
    /// All of them, with the exit status of the first.
    pub(super) fn failure(&self) -> Failure {
        let kind = self.mistakes.first().map_or(Kind::Usage, |one| one.kind);
        Failure::new(kind, self.to_string())
    }
}

impl fmt::Display for RulesError {
    /// A line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for RulesError {}

/// Commands with the lines that they come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) commands: Vec<Command>,
    /// Line of each command, from 1; 0 for a command that no line asked for.
    pub(super) lines: Vec<usize>,
}

impl Rules {
    pub(super) fn push(&mut self, line: usize, command: Command) {
        self.commands.push(command);
        self.lines.push(line);
    }

    /// The additions that an earlier line has made in the same words, with no command about the same thing in
    /// between. The kernel refuses them, and yet the table is as the rules say.
    pub(super) fn repetitions(&self) -> HashSet<usize> {
        let mut repetitions = HashSet::new();
        let mut latest: HashMap<Subject, &Command> = HashMap::new();
        for (index, command) in self.commands.iter().enumerate() {
            match command {
                Command::Flush => latest.clear(),
                Command::DeleteService(gone) => latest.retain(|(key, _), _| key != gone),
                _ => {}
            }
            let Some(subject) = subject(command) else {
                continue;
            };
            let is_addition = matches!(
                command,
                Command::CreateService(_) | Command::AddDestination(..)
            );
            if latest.insert(subject, command) == Some(command) && is_addition {
                repetitions.insert(index);
            }
        }
        repetitions
    }
}

/// A service, or one of its destinations.
type Subject = (ServiceKey, Option<DestinationKey>);

/// The service that a command is about, and the destination where it is about one.
fn subject(command: &Command) -> Option<Subject> {
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

/// Completes an edit that leaves something out, given the commands before it.
pub(super) type Complete<'a> = dyn FnMut(PartialEdit, &[Command]) -> Result<Command, Failure> + 'a;

/// Without a table there is nothing to complete an edit from.
fn no_table(partial: PartialEdit, _: &[Command]) -> Result<Command, Failure> {
    Err(Failure::usage(match partial {
        PartialEdit::Scheduler { .. } => {
            "name the scheduler (-s): only in a restore is there one to keep"
        }
        PartialEdit::Method { .. } => {
            "name the forwarding method (-g, -i or -m): only in a restore is there one to keep"
        }
    }))
}

/// Reads saved rules: one command per line, `#` starts a comment, a leading `ipvsadm` is ignored.
///
/// Nothing is sent to the kernel.
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
/// Every line that is no rule.
pub fn parse_rules(text: &str) -> Result<Vec<Command>, RulesError> {
    let rules = Parsed::read(text, &Setting::default(), Rules::default(), &mut no_table).whole()?;
    Ok(rules.commands)
}

/// Reads saved rules as the state that they describe: services (`-A`) and their real servers (`-a`). A rule
/// that is there twice counts once.
///
/// # Errors
/// Every line that is no rule, changes something instead of describing it, contradicts an earlier line, or
/// names a real server of a service that no earlier line has.
pub fn parse_desired(text: &str) -> Result<Vec<Desired>, RulesError> {
    let mut parsed = Parsed::read(text, &Setting::default(), Rules::default(), &mut no_table);
    let rules = std::mem::take(&mut parsed.rules);
    let mut described = Described::default();
    for (command, line) in rules.commands.into_iter().zip(rules.lines) {
        let mistake = match command {
            Command::CreateService(service) => described.service(line, service),
            Command::AddDestination(key, destination) => {
                match described.destination(line, key, destination) {
                    // The service's own line may be one of those with a mistake.
                    Err(Contradiction::NoService) if parsed.lost_service => Ok(()),
                    result => result,
                }
            }
            _ => Err(Contradiction::NoDescription),
        };
        if let Err(contradiction) = mistake {
            let failure = Failure::usage(contradiction.to_string());
            parsed.mistakes.push(Mistake::new(line, failure));
        }
    }
    parsed.mistakes.sort_by_key(|mistake| mistake.line);
    parsed.whole()?;
    Ok(described.desired)
}

/// Services and destinations gathered from rules.
#[derive(Default)]
struct Described {
    desired: Vec<Desired>,
    /// Line and index of each service.
    services: HashMap<ServiceKey, (usize, usize)>,
    /// Line and index, within its service, of each destination.
    destinations: HashMap<(ServiceKey, DestinationKey), (usize, usize)>,
}

/// Why a rule does not describe a table together with those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Contradiction {
    #[error("only -A and -a describe a table")]
    NoDescription,
    #[error("Service not defined")]
    NoService,
    #[error("contradicts line {line}, which describes {what} otherwise")]
    Otherwise { line: usize, what: String },
}

impl Described {
    fn service(&mut self, line: usize, service: Service) -> Result<(), Contradiction> {
        match self.services.entry(service.key) {
            Place::Vacant(place) => {
                place.insert((line, self.desired.len()));
                self.desired.push(Desired {
                    service,
                    destinations: Vec::new(),
                });
                Ok(())
            }
            Place::Occupied(place) => {
                let (line, index) = *place.get();
                let same = self
                    .desired
                    .get(index)
                    .is_some_and(|one| one.service == service);
                same.then_some(()).ok_or_else(|| Contradiction::Otherwise {
                    line,
                    what: format!("service {}", service.key),
                })
            }
        }
    }

    fn destination(
        &mut self,
        line: usize,
        key: ServiceKey,
        destination: Destination,
    ) -> Result<(), Contradiction> {
        let desired = self
            .services
            .get(&key)
            .and_then(|(_, index)| self.desired.get_mut(*index))
            .ok_or(Contradiction::NoService)?;
        let list = &mut desired.destinations;
        match self.destinations.entry((key, destination.key())) {
            Place::Vacant(place) => {
                place.insert((line, list.len()));
                list.push(destination);
                Ok(())
            }
            Place::Occupied(place) => {
                let (line, index) = *place.get();
                let same = list.get(index) == Some(&destination);
                same.then_some(()).ok_or_else(|| Contradiction::Otherwise {
                    line,
                    what: format!("destination {} of {key}", destination.key()),
                })
            }
        }
    }
}

/// The line, from 1, of rules that describe a table that asks for what a command does to a service or to
/// one of its destinations; the last one where there are several.
#[must_use]
pub fn line_of(text: &str, command: &Command) -> Option<usize> {
    let wanted = subject(command)?;
    let parsed = Parsed::read(text, &Setting::default(), Rules::default(), &mut no_table);
    let rules = parsed.whole().ok()?;
    rules
        .commands
        .iter()
        .zip(rules.lines)
        .filter(|(rule, _)| subject(rule).as_ref() == Some(&wanted))
        .map(|(_, line)| line)
        .next_back()
}

/// Rules as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    rules: Rules,
    mistakes: Vec<Mistake>,
    /// A line that was to add a service has a mistake.
    lost_service: bool,
}

impl Parsed {
    /// Reads every line, after the commands of `rules`.
    pub(super) fn read(
        text: &str,
        setting: &Setting,
        rules: Rules,
        complete: &mut Complete<'_>,
    ) -> Self {
        let mut parsed = Self {
            rules,
            ..Self::default()
        };
        let mut words = Vec::new();
        let mut plain = saved_line::Lines::default();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if let Some(command) = plain.command(line) {
                parsed.rules.push(number, command);
                continue;
            }
            words.clear();
            words.extend(words_of(line).take_while(|word| !word.starts_with('#')));
            if words.is_empty() {
                continue;
            }
            let commands = &parsed.rules.commands;
            match rule(&words, setting, &mut |partial| complete(partial, commands)) {
                Ok(command) => parsed.rules.push(number, command),
                Err(failure) => {
                    parsed.lost_service |= matches!(words[0], "-A" | "--add-service");
                    parsed.mistakes.push(Mistake::new(number, failure));
                }
            }
        }
        parsed
    }

    /// The rules, if there is no mistake in them.
    pub(super) fn whole(self) -> Result<Rules, RulesError> {
        if self.mistakes.is_empty() {
            Ok(self.rules)
        } else {
            Err(RulesError {
                mistakes: self.mistakes,
            })
        }
    }
}

/// The words of a line of rules. Like ipvsadm it drops the program's name, wherever it stands.
pub(super) fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', '\r'])
        .filter(|word| !word.is_empty() && *word != "ipvsadm")
}

/// The command of one rule's words.
///
/// A trailing `-b` is dropped: ipvsadm saves it for the third flag of `sh` or `mh`, and cannot read it back.
pub(super) fn rule(
    words: &[&str],
    setting: &Setting,
    complete: &mut dyn FnMut(PartialEdit) -> Result<Command, Failure>,
) -> Result<Command, Failure> {
    let told = words.strip_suffix(&["-b"]).unwrap_or(words);
    match understand("ipvsadm", told, setting)? {
        Action::Change(command) => Ok(command),
        Action::Edit(partial) => complete(partial),
        Action::Help
        | Action::Version
        | Action::List(..)
        | Action::Save { .. }
        | Action::Restore(_) => Err(Failure::usage(format!(
            "`{}' is no rule",
            words.first().copied().unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::test_strategies::{destination, service};
    use crate::ipvs::{Family, Forwarding, TunnelKind};
    use crate::ipvsadm::command_line::{arguments, save_format};
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
        let saved: Vec<String> = commands.iter().map(arguments).collect();
        assert_eq!(saved.join("\n") + "\n", text);
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
            (
                "-A -f 1 -s rr\n\n-A -f 1 -s wrr\n",
                "line 3: contradicts line 1, which describes service fwmark 1 otherwise",
            ),
            (
                "-A -f 1\n-a -f 1 -r 10.0.0.1:80\n-a -f 1 -r 10.0.0.1:80 -w 3\n",
                "line 3: contradicts line 2, which describes destination 10.0.0.1:80 of fwmark 1 otherwise",
            ),
            ("-a -f 1 -r 10.0.0.1\n", "line 1: Service not defined"),
            ("-C\n", "line 1: only -A and -a describe a table"),
        ] {
            assert_eq!(parse_desired(text).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn a_rule_that_is_there_twice_counts_once() {
        let once = "-A -f 1 -s rr\n-a -f 1 -r 10.0.0.1:80 -w 3\n";
        assert_eq!(
            parse_desired(&format!("{once}{once}")).unwrap(),
            parse_desired(once).unwrap()
        );
    }

    #[test]
    fn every_mistake_is_named() {
        let text = "-A -t x:80\n-a -f 1 -r 10.0.0.1\n-C\n-q\n";
        assert_eq!(
            parse_desired(text).unwrap_err().to_string(),
            "line 1: illegal virtual server address[:port] specified\n\
             line 3: only -A and -a describe a table\n\
             line 4: Try `ipvsadm -h' or 'ipvsadm --help' for more information."
        );
        let text = "-A -f 2\n-a -f 1 -r 10.0.0.1\n-C\n";
        assert_eq!(
            parse_desired(text).unwrap_err().to_string(),
            "line 2: Service not defined\nline 3: only -A and -a describe a table"
        );
    }

    #[test]
    fn a_repetition_adds_the_same_again_with_nothing_in_between() {
        for (text, expected) in [
            ("-A -f 1\n-A -f 1\n", &[1][..]),
            ("-A -f 1\n-A -f 1 -s rr\n", &[]),
            ("-A -f 1\n-C\n-A -f 1\n-A -f 1\n", &[3]),
            ("-A -f 1\n-D -f 1\n-A -f 1\n", &[]),
            ("-A -f 1\n-E -f 1 -s rr\n-A -f 1\n", &[]),
            (
                "-A -f 1\n-a -f 1 -r 10.0.0.1\n-A -f 1\n-a -f 1 -r 10.0.0.1\n",
                &[2, 3],
            ),
            (
                "-A -f 1\n-a -f 1 -r 10.0.0.1\n-D -f 1\n-A -f 1\n-a -f 1 -r 10.0.0.1\n",
                &[],
            ),
            ("-D -f 1\n-D -f 1\n", &[]),
        ] {
            let rules = Rules {
                commands: parse_rules(text).unwrap(),
                lines: Vec::new(),
            };
            let mut found: Vec<usize> = rules.repetitions().into_iter().collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
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
            let text = save_format(&service, &destinations);
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
