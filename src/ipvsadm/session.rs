//! Carries out what a command line asks for.

use std::io;

use super::action::{Action, Listing, OnRefusal, Restore, Start, understand};
use super::behaviour::{Behaviour, Setting};
use super::connections;
use super::endpoint::Style;
use super::entry::Format;
use super::failure::{Failure, Kind, system_text};
use super::help;
use super::list;
use super::proc_table;
use super::restore::restore;
use super::rules::words_of;
use super::{PROGRAM, Streams};
use crate::ipvs::{Client, Command, IpvsError, Table};

/// One call of ipvsadm or of a wrapper around it.
pub(super) struct Session<'a, 's> {
    pub(super) streams: &'a mut Streams<'s>,
    pub(super) setting: Setting,
}

impl Session<'_, '_> {
    /// `ipvsadm`; `program` is the name that it was called by.
    pub(super) fn ipvsadm(&mut self, program: &str, words: &[&str]) -> Result<(), Failure> {
        if self.setting.behaviour == Behaviour::Original {
            // It looks for IPVS before it looks at its arguments.
            connect()?;
        }
        let action = if words.is_empty() {
            Action::List(Listing::Everything, self.plain_format())
        } else {
            understand(program, words, &self.setting)?
        };
        match (action, self.setting.behaviour) {
            (Action::Restore(_), Behaviour::Original) => {
                let text = self.input()?;
                self.line_by_line(program, &text)
            }
            (action, _) => self.perform(program, action),
        }
    }

    /// `ipvsadm-save`: only `-n` means something, and words that are no options are ignored.
    pub(super) fn save_wrapper(&mut self, program: &str, words: &[&str]) -> Result<(), Failure> {
        let mut numeric = false;
        for word in words {
            match *word {
                "-n" => numeric = true,
                word if word.starts_with('-') => {
                    return Err(Failure::new(
                        Kind::WrapperUsage,
                        format!(
                            "{program}: writes the IPVS table to standard output as rules\n    \
                             -n  numbers instead of names of hosts and services"
                        ),
                    ));
                }
                _ => {}
            }
        }
        self.perform(PROGRAM, Action::Save { numeric })
    }

    /// `ipvsadm-restore`: clears the table and restores what is on standard input. It has no options and
    /// ignores words.
    pub(super) fn restore_wrapper(&mut self) -> Result<(), Failure> {
        if self.setting.behaviour == Behaviour::Ours {
            return self.perform(
                PROGRAM,
                Action::Restore(Restore {
                    start: Start::Empty,
                    on_refusal: OnRefusal::Undo,
                }),
            );
        }
        // Two calls of ipvsadm, between which the table is empty.
        let text = self.input()?;
        if let Err(failure) = self.perform(PROGRAM, Action::Change(Command::Flush)) {
            self.complain(&failure.message);
        }
        let rules: String = text
            .split_inclusive('\n')
            .filter(|line| !line.starts_with('#'))
            .collect();
        connect()?;
        self.line_by_line(PROGRAM, &rules)
    }

    fn perform(&mut self, program: &str, action: Action) -> Result<(), Failure> {
        match action {
            Action::Help => self.print(&help::usage(program)),
            Action::Version => self.print(help::VERSION),
            Action::List(listing, format) => {
                let text = self.list(listing, format)?;
                self.print(&text)
            }
            Action::Save { numeric } => {
                let table = connect()?.table().map_err(|error| Failure::list(&error))?;
                self.print(&list::saved(&table, numeric, &self.setting))
            }
            Action::Restore(how) => {
                // Without root this says so before it reads the rules.
                let ipvs = connect()?;
                let text = self.input()?;
                let repetitions = restore(&ipvs, &text, &self.setting, how)?;
                self.complain(repetitions.trim_end());
                Ok(())
            }
            Action::Change(command) => change(&open()?, &command),
            Action::Edit(partial) => {
                let ipvs = open()?;
                change(&ipvs, &partial.complete(&ipvs, &[])?)
            }
        }
    }

    /// `-R` as the original does it: each line is a command of its own, carried out before the next one is
    /// read. A refusal is reported and the rest goes on, a bad argument ends it, and the last command's exit
    /// status is the restore's.
    fn line_by_line(&mut self, program: &str, text: &str) -> Result<(), Failure> {
        let mut result = Ok(());
        for line in text.lines() {
            let words: Vec<&str> = words_of(line).collect();
            if words.is_empty() {
                continue;
            }
            if let Err(Failure { message, .. }) = result {
                self.complain(&message);
            }
            result = match understand(program, &words, &self.setting) {
                Ok(Action::Restore(_)) => return Err(Failure::no_command(program)),
                Ok(action @ (Action::Help | Action::Version)) => {
                    return self.perform(program, action);
                }
                Ok(action) => self.perform(program, action),
                Err(failure) => Err(failure),
            };
            if let Err(Failure {
                kind: Kind::List | Kind::Usage | Kind::NoCommand,
                ..
            }) = result
            {
                return result;
            }
        }
        result
    }

    fn list(&self, listing: Listing, format: Format) -> Result<String, Failure> {
        let ipvs = open()?;
        let names = &self.setting.names;
        let failed = |error: IpvsError| list_failure(&error);
        match listing {
            Listing::Everything => {
                let info = ipvs.info().map_err(failed)?;
                let table = if format.is_plain() {
                    plain_table(&ipvs)
                } else {
                    ipvs.table()
                };
                let table = table.map_err(failed)?;
                Ok(list::everything(&info, &table, format, names))
            }
            Listing::Service(key) => match ipvs.service(key).map_err(failed)? {
                Some(status) => Ok(list::one(&status, format, names)),
                None => Err(Failure::new(Kind::List, "No such service")),
            },
            Listing::Timeouts => Ok(list::timeouts(&ipvs.timeouts().map_err(failed)?)),
            Listing::Daemons => Ok(list::daemons(&ipvs.daemons().map_err(failed)?)),
            Listing::Connections => {
                // Everybody may read the file, but ipvsadm only works for root.
                ipvs.info().map_err(failed)?;
                let file = std::fs::read(connections::THREAD_PATH).map_err(|_| {
                    Failure::new(
                        Kind::List,
                        format!("cannot open file {}", connections::PATH),
                    )
                })?;
                let style = if format.numeric {
                    Style::Numeric
                } else {
                    Style::Named(names)
                };
                Ok(connections::listing(
                    &String::from_utf8_lossy(&file),
                    format,
                    style,
                ))
            }
        }
    }

    fn plain_format(&self) -> Format {
        Format {
            behaviour: self.setting.behaviour,
            ..Format::default()
        }
    }

    fn input(&mut self) -> Result<String, Failure> {
        let mut text = Vec::new();
        self.streams.input.read_to_end(&mut text).map_err(|error| {
            Failure::new(Kind::Refused, format!("cannot read the rules: {error}"))
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn print(&mut self, text: &str) -> Result<(), Failure> {
        let output = &mut self.streams.output;
        let written = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
        match written {
            Ok(()) => Ok(()),
            // The reader has read enough, as in `ipvsadm -L | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                let reason = error
                    .raw_os_error()
                    .map_or_else(|| error.to_string(), system_text);
                let message = format!("cannot write to standard output: {reason}");
                Err(Failure::new(Kind::Output, message))
            }
        }
    }

    /// Writes a line to standard error, unless it is empty.
    pub(super) fn complain(&mut self, message: &str) {
        if !message.is_empty() {
            // If this fails, there is no other place to say so.
            let _ = writeln!(self.streams.errors, "{message}");
        }
    }
}

fn open() -> Result<Client, Failure> {
    Client::open().map_err(|error| Failure::unavailable(&error))
}

/// A client that has been answered, so that this process may use IPVS.
fn connect() -> Result<Client, Failure> {
    let ipvs = open()?;
    ipvs.info().map_err(|error| list_failure(&error))?;
    Ok(ipvs)
}

fn list_failure(error: &IpvsError) -> Failure {
    match error {
        // ipvsadm notices this when it starts.
        IpvsError::NotPermitted => Failure::unavailable(error),
        other => Failure::list(other),
    }
}

fn change(ipvs: &Client, command: &Command) -> Result<(), Failure> {
    ipvs.run(command).map_err(|error| Failure::command(&error))
}

/// The table with what a plain list shows of it.
fn plain_table(ipvs: &Client) -> Result<Table, IpvsError> {
    let mut table = ipvs.services()?;
    // Without the file, or when somebody else changes the table meanwhile, netlink does as well, only slower.
    let filled = match std::fs::read_to_string(proc_table::PATH) {
        Ok(text) => proc_table::fill(&mut table, &text),
        Err(_) => false,
    };
    if filled { Ok(table) } else { ipvs.table() }
}
