//! The words of a command line, scanned as popt(3) 1.19 does, because ipvsadm is built with popt.
//!
//! Input: argv without its first element. Output: options with their arguments, in order, and the words that
//! are left over. Long names are never abbreviated; short ones may share a word (`-Ln`) and carry their
//! argument in it (`-t192.168.4.15:80`, `-w=3`).

/// Every option of ipvsadm 1.31, and `--keep-going` of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opt {
    AddService,
    EditService,
    DeleteService,
    Clear,
    List,
    Zero,
    AddServer,
    EditServer,
    DeleteServer,
    Set,
    Help,
    Version,
    Restore,
    Save,
    StartDaemon,
    StopDaemon,
    TcpService,
    UdpService,
    SctpService,
    FwmarkService,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Masquerading,
    Ipip,
    Gatewaying,
    Weight,
    UpperThreshold,
    LowerThreshold,
    Numeric,
    Connection,
    McastInterface,
    SyncId,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    Sort,
    Exact,
    Ipv6,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    KeepGoing,
}

/// Whether an option has an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Argument,
    /// The next word, unless there is none or it starts with `-`.
    Optional,
}

use Takes::{Argument, Nothing, Optional};

const OPTIONS: &[(Opt, &str, Option<char>, Takes)] = &[
    (Opt::AddService, "add-service", Some('A'), Nothing),
    (Opt::EditService, "edit-service", Some('E'), Nothing),
    (Opt::DeleteService, "delete-service", Some('D'), Nothing),
    (Opt::Clear, "clear", Some('C'), Nothing),
    (Opt::List, "list", Some('L'), Nothing),
    (Opt::List, "list", Some('l'), Nothing),
    (Opt::Zero, "zero", Some('Z'), Nothing),
    (Opt::AddServer, "add-server", Some('a'), Nothing),
    (Opt::EditServer, "edit-server", Some('e'), Nothing),
    (Opt::DeleteServer, "delete-server", Some('d'), Nothing),
    (Opt::Set, "set", None, Nothing),
    (Opt::Help, "help", Some('h'), Nothing),
    (Opt::Version, "version", Some('v'), Nothing),
    (Opt::Restore, "restore", Some('R'), Nothing),
    (Opt::Save, "save", Some('S'), Nothing),
    (Opt::StartDaemon, "start-daemon", None, Argument),
    (Opt::StopDaemon, "stop-daemon", None, Argument),
    (Opt::TcpService, "tcp-service", Some('t'), Argument),
    (Opt::UdpService, "udp-service", Some('u'), Argument),
    (Opt::SctpService, "sctp-service", None, Argument),
    (Opt::FwmarkService, "fwmark-service", Some('f'), Argument),
    (Opt::Scheduler, "scheduler", Some('s'), Argument),
    (Opt::Persistent, "persistent", Some('p'), Optional),
    (Opt::Netmask, "netmask", Some('M'), Argument),
    (Opt::RealServer, "real-server", Some('r'), Argument),
    (Opt::Masquerading, "masquerading", Some('m'), Nothing),
    (Opt::Ipip, "ipip", Some('i'), Nothing),
    (Opt::Gatewaying, "gatewaying", Some('g'), Nothing),
    (Opt::Weight, "weight", Some('w'), Argument),
    (Opt::UpperThreshold, "u-threshold", Some('x'), Argument),
    (Opt::LowerThreshold, "l-threshold", Some('y'), Argument),
    (Opt::Numeric, "numeric", Some('n'), Nothing),
    (Opt::Connection, "connection", Some('c'), Nothing),
    (Opt::McastInterface, "mcast-interface", None, Argument),
    (Opt::SyncId, "syncid", None, Argument),
    (Opt::Timeout, "timeout", None, Nothing),
    (Opt::Daemon, "daemon", None, Nothing),
    (Opt::Stats, "stats", None, Nothing),
    (Opt::Rate, "rate", None, Nothing),
    (Opt::Thresholds, "thresholds", None, Nothing),
    (Opt::PersistentConn, "persistent-conn", None, Nothing),
    (Opt::NoSort, "nosort", None, Nothing),
    (Opt::Sort, "sort", None, Nothing),
    (Opt::Exact, "exact", Some('X'), Nothing),
    (Opt::Ipv6, "ipv6", Some('6'), Nothing),
    (Opt::OnePacket, "ops", Some('o'), Nothing),
    (Opt::Engine, "pe", None, Argument),
    (Opt::SchedulerFlags, "sched-flags", Some('b'), Argument),
    (Opt::McastGroup, "mcast-group", None, Argument),
    (Opt::McastPort, "mcast-port", None, Argument),
    (Opt::McastTtl, "mcast-ttl", None, Argument),
    (Opt::SyncMaxlen, "sync-maxlen", None, Argument),
    (Opt::TunnelInfo, "tun-info", None, Nothing),
    (Opt::TunnelType, "tun-type", None, Argument),
    (Opt::TunnelPort, "tun-port", None, Argument),
    (Opt::TunnelNoChecksum, "tun-nocsum", None, Nothing),
    (Opt::TunnelChecksum, "tun-csum", None, Nothing),
    (Opt::TunnelRemoteChecksum, "tun-remcsum", None, Nothing),
    (Opt::KeepGoing, "keep-going", None, Nothing),
];

/// An option that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanError<'a> {
    /// The whole word that it is in.
    pub(super) word: &'a str,
    /// poptStrerror(3)
    pub(super) reason: &'static str,
}

/// An option and its argument.
pub(super) type Scanned<'a> = (Opt, Option<&'a str>);

/// Scans one command line.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    words: &'a [&'a str],
    next: usize,
    /// The rest of a word of short options.
    shorts: Option<&'a str>,
    /// After `--` nothing is an option.
    only_leftovers: bool,
    leftovers: Vec<&'a str>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(words: &'a [&'a str]) -> Self {
        Self {
            words,
            next: 0,
            shorts: None,
            only_leftovers: false,
            leftovers: Vec::new(),
        }
    }

    /// The word that was scanned last.
    pub(super) fn word(&self) -> &'a str {
        self.words
            .get(self.next.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// Words that were no options, once there are no more options.
    pub(super) fn into_leftovers(self) -> Vec<&'a str> {
        self.leftovers
    }

    /// The next option, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Scanned<'a>>, ScanError<'a>> {
        let mut attached = None;
        let (opt, takes) = loop {
            if let Some(rest) = self.shorts.take() {
                break self.short(rest)?;
            }
            let Some(&word) = self.words.get(self.next) else {
                return Ok(None);
            };
            self.next += 1;
            if self.only_leftovers || !word.starts_with('-') || word == "-" {
                self.leftovers.push(word);
            } else if word == "--" {
                self.only_leftovers = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, argument) = match long.split_once('=') {
                    Some((name, argument)) => (name, Some(argument)),
                    None => (long, None),
                };
                let Some((opt, _, _, takes)) = OPTIONS.iter().find(|(_, long, _, _)| *long == name)
                else {
                    return Err(self.error("unknown option"));
                };
                if argument.is_some() && *takes == Nothing {
                    return Err(self.error("option does not take an argument"));
                }
                attached = argument;
                break (*opt, *takes);
            } else {
                self.shorts = Some(&word[1..]);
            }
        };
        if takes == Nothing {
            return Ok(Some((opt, None)));
        }
        let argument = attached.or_else(|| self.shorts.take());
        if argument.is_some() {
            return Ok(Some((opt, argument)));
        }
        match (self.words.get(self.next), takes) {
            (None, Optional) => Ok(Some((opt, None))),
            (None, _) => Err(self.error("missing argument")),
            (Some(word), Optional) if word.starts_with('-') => Ok(Some((opt, None))),
            (Some(word), _) => {
                self.next += 1;
                Ok(Some((opt, Some(*word))))
            }
        }
    }

    /// The first of several short options in one word; the rest is kept for the next call.
    fn short(&mut self, rest: &'a str) -> Result<(Opt, Takes), ScanError<'a>> {
        let mut letters = rest.chars();
        let letter = letters.next();
        let Some((opt, _, _, takes)) = OPTIONS
            .iter()
            .find(|(_, _, short, _)| short.is_some() && *short == letter)
        else {
            return Err(self.error("unknown option"));
        };
        let rest = letters.as_str();
        match rest.strip_prefix('=') {
            Some(_) if *takes == Nothing => {
                return Err(self.error("option does not take an argument"));
            }
            Some(argument) => self.shorts = Some(argument),
            None if !rest.is_empty() => self.shorts = Some(rest),
            None => {}
        }
        Ok((*opt, *takes))
    }

    fn error(&self, reason: &'static str) -> ScanError<'a> {
        ScanError {
            word: self.word(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan<'a>(words: &'a [&'a str]) -> (Vec<Scanned<'a>>, Result<Vec<&'a str>, ScanError<'a>>) {
        let mut scanner = Scanner::new(words);
        let mut options = Vec::new();
        loop {
            match scanner.next() {
                Ok(Some(option)) => options.push(option),
                Ok(None) => return (options, Ok(scanner.into_leftovers())),
                Err(error) => return (options, Err(error)),
            }
        }
    }

    #[test]
    fn short_options_share_a_word_and_carry_their_argument() {
        let (options, leftovers) = scan(&["-Ln", "-t10.0.0.1:80", "-w=3", "rest"]);
        assert_eq!(
            options,
            [
                (Opt::List, None),
                (Opt::Numeric, None),
                (Opt::TcpService, Some("10.0.0.1:80")),
                (Opt::Weight, Some("3")),
            ]
        );
        assert_eq!(leftovers, Ok(vec!["rest"]));
    }

    #[test]
    fn persistence_takes_the_next_word_unless_it_is_an_option() {
        assert_eq!(scan(&["-p", "600"]).0, [(Opt::Persistent, Some("600"))]);
        assert_eq!(
            scan(&["-p", "-s", "rr"]).0,
            [(Opt::Persistent, None), (Opt::Scheduler, Some("rr"))]
        );
        assert_eq!(scan(&["-p"]).0, [(Opt::Persistent, None)]);
        assert_eq!(scan(&["--persistent=9"]).0, [(Opt::Persistent, Some("9"))]);
    }

    #[test]
    fn long_names_are_not_abbreviated_and_errors_show_the_word() {
        for (word, reason) in [
            ("--add", "unknown option"),
            ("-Lq", "unknown option"),
            ("--list=1", "option does not take an argument"),
            ("-t", "missing argument"),
        ] {
            assert_eq!(scan(&[word]).1, Err(ScanError { word, reason }));
        }
    }

    /// Expectations are what libpopt 1.19 answers to the same words.
    #[test]
    fn an_equals_sign_is_only_for_short_options_that_take_an_argument() {
        let reason = "option does not take an argument";
        for (word, before) in [
            ("-C=x", &[][..]),
            ("-C=", &[]),
            ("-L=n", &[]),
            ("-L==n", &[]),
            ("-Ln=", &[(Opt::List, None)]),
            ("-m=w", &[]),
        ] {
            assert_eq!(
                scan(&[word, "3"]),
                (before.to_vec(), Err(ScanError { word, reason }))
            );
        }
        for (words, option) in [
            (&["-w=3"][..], (Opt::Weight, Some("3"))),
            (&["-w==3"], (Opt::Weight, Some("=3"))),
            (&["-w="], (Opt::Weight, Some(""))),
            (&["-w", "=3"], (Opt::Weight, Some("=3"))),
            (&["-p="], (Opt::Persistent, Some(""))),
            (&["-p==5"], (Opt::Persistent, Some("=5"))),
        ] {
            assert_eq!(scan(words), (vec![option], Ok(Vec::new())), "{words:?}");
        }
    }

    #[test]
    fn after_two_dashes_nothing_is_an_option() {
        let (options, leftovers) = scan(&["-L", "--", "-n", "-"]);
        assert_eq!(options, [(Opt::List, None)]);
        assert_eq!(leftovers, Ok(vec!["-n", "-"]));
    }
}
