//! `lvslab ipvs …`: the IPVS table of the machine it runs on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ipvs::{
    Client, Command, Desired, Draining, Others, Refused, Removal, ServiceStatus, Table, draining,
    reconcile,
};
use crate::ipvsadm::{command_line, line_of, parse_desired, save_format};

use super::{Answer, CommandError, Context, Status};

/// How long `--wait` lets connections end between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Show this machine's IPVS table, or make it what a file says
///
/// Needs root and a kernel with IPVS; on a director of a lab both are there.
#[derive(Debug, clap::Args)]
pub struct Ipvs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make the table what a file of saved rules says, with the fewest changes
    ///
    /// What stays is not touched and keeps its connections. A real server that the file no longer has gets
    /// weight 0; once it has no connections this run or a later one removes it. Nothing is flushed.
    Apply(Apply),
    /// Show the table as rules (`ipvsadm -Sn`)
    Show(Show),
}

/// See [`Verb::Apply`].
#[derive(Debug, clap::Args)]
struct Apply {
    /// Rules as `ipvsadm -Sn` prints them, -A and -a; `-` is standard input
    file: PathBuf,
    /// Show what would change and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave services alone that the file does not name
    #[arg(long)]
    keep_others: bool,
    /// Remove real servers at once, which breaks their connections
    #[arg(long, conflicts_with = "wait")]
    at_once: bool,
    /// Longest wait for connections of real servers that go, seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    /// Print one JSON document (`lvslab.ipvs-apply/1`) on standard output
    #[arg(long)]
    json: bool,
}

/// See [`Verb::Show`].
#[derive(Debug, clap::Args)]
struct Show {
    /// Print one JSON document (`lvslab.ipvs/1`) with live counts on standard output
    #[arg(long)]
    json: bool,
}

impl Ipvs {
    /// Whether standard output is for a program.
    #[must_use]
    pub fn json(&self) -> bool {
        match &self.verb {
            Verb::Apply(verb) => verb.json,
            Verb::Show(verb) => verb.json,
        }
    }

    /// Shows or changes the table.
    ///
    /// # Errors
    /// Rules that cannot be read, and a kernel that cannot be asked. What the kernel refuses is in the
    /// answer.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        match self.verb {
            Verb::Apply(verb) => verb.exec(ctx).await,
            Verb::Show(verb) => verb.exec(),
        }
    }
}

impl Show {
    fn exec(self) -> Result<Answer, CommandError> {
        let table = Client::open()?.table()?;
        if self.json {
            #[derive(Serialize)]
            struct Document {
                schema: &'static str,
                services: Table,
            }
            return Answer::document(
                &Document {
                    schema: "lvslab.ipvs/1",
                    services: table,
                },
                Status::Done,
            );
        }
        let destinations: Vec<Vec<_>> = table
            .iter()
            .map(|status| {
                let list = status.destinations.iter();
                list.map(|status| status.destination.clone()).collect()
            })
            .collect();
        let services = table.iter().zip(&destinations);
        Ok(Answer::done(save_format(services.map(
            |(status, destinations)| (&status.service, destinations.as_slice()),
        ))))
    }
}

impl Apply {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let (name, text) = self.read()?;
        let desired =
            parse_desired(&text).map_err(|source| CommandError::Rules { file: name, source })?;
        let ipvs = Client::open()?;
        let end = Instant::now() + Duration::from_secs(self.wait.unwrap_or(0));
        let mut outcome = self.step(&ipvs, &desired)?;
        if outcome.refused.is_empty() && !outcome.draining.is_empty() && !self.dry_run {
            // What has no connections now that it gets no new ones can go.
            outcome.then(self.step(&ipvs, &desired)?);
        }
        while outcome.refused.is_empty() && !outcome.draining.is_empty() && Instant::now() < end {
            ctx.situation
                .set("real servers that go have weight 0 and still have connections");
            tokio::time::sleep(PAUSE).await;
            outcome.then(self.step(&ipvs, &desired)?);
        }
        let status = if !outcome.refused.is_empty()
            || (self.wait.is_some() && !outcome.draining.is_empty())
        {
            Status::HostFailed
        } else {
            Status::Done
        };
        if self.json {
            return Answer::document(&outcome.document(&text, self.dry_run), status);
        }
        Ok(Answer {
            text: outcome.text(self.dry_run),
            complaint: outcome.complaint(&text, self.wait),
            status,
        })
    }

    /// The file's name for people, and its text.
    fn read(&self) -> Result<(String, String), CommandError> {
        let name = self.file.display().to_string();
        let (name, read) = if name == "-" {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            ("standard input".to_owned(), read.map(|_| text))
        } else {
            let read = std::fs::read_to_string(&self.file);
            (name, read)
        };
        match read {
            Ok(text) => Ok((name, text)),
            Err(error) => Err(CommandError::io(format!("read {name}"))(error)),
        }
    }

    /// One look at the table and the changes that it asks for now.
    fn step(&self, ipvs: &Client, desired: &[Desired]) -> Result<Outcome, CommandError> {
        let others = if self.keep_others {
            Others::Keep
        } else {
            Others::Delete
        };
        let removal = if self.at_once {
            Removal::AtOnce
        } else {
            Removal::WhenIdle
        };
        let table = ipvs.table()?;
        let commands = reconcile(&table, desired, others, removal);
        let refused = if self.dry_run {
            Vec::new()
        } else {
            ipvs.batch(&commands)?
        };
        Ok(Outcome {
            changes: commands
                .iter()
                .enumerate()
                .filter(|(index, _)| !refused.iter().any(|one| one.index == *index))
                .map(|(_, command)| Change::new(command, &table))
                .collect(),
            draining: match removal {
                Removal::WhenIdle => draining(&table, desired, others),
                Removal::AtOnce => Vec::new(),
            },
            refused,
        })
    }
}

/// What was done, and what is left to do.
#[derive(Debug)]
struct Outcome {
    changes: Vec<Change>,
    draining: Vec<Draining>,
    refused: Vec<Refused>,
}

/// A change as one would type it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    command: String,
    /// The rule that it replaces, for one that changes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl Change {
    fn new(command: &Command, table: &[ServiceStatus]) -> Self {
        let status = |key| table.iter().find(|status| status.service.key == key);
        let before = match command {
            Command::EditService(service) => {
                status(service.key).map(|found| Command::EditService(found.service.clone()))
            }
            Command::EditDestination(key, destination) => status(*key).and_then(|found| {
                let mut list = found.destinations.iter();
                let old = list.find(|one| one.destination.key() == destination.key())?;
                Some(Command::EditDestination(*key, old.destination.clone()))
            }),
            _ => None,
        };
        Self {
            command: command_line(command),
            before: before.map(|before| command_line(&before)),
        }
    }

    /// `-m -w 3 → -m -w 5`: where the two rules part.
    fn difference(&self) -> Option<String> {
        let words = |text: &'_ str| -> Vec<String> {
            text.split(" -")
                .skip(1)
                .map(|option| format!("-{option}"))
                .collect()
        };
        let (before, after) = (words(self.before.as_ref()?), words(&self.command));
        let only = |these: &[String], those: &[String]| {
            let only: Vec<&str> = these
                .iter()
                .filter(|option| !those.contains(option))
                .map(String::as_str)
                .collect();
            if only.is_empty() {
                "nothing".to_owned()
            } else {
                only.join(" ")
            }
        };
        Some(format!(
            "{} → {}",
            only(&before, &after),
            only(&after, &before)
        ))
    }
}

impl Outcome {
    /// Takes what a later look did.
    fn then(&mut self, later: Self) {
        self.changes.extend(later.changes);
        self.draining = later.draining;
        self.refused = later.refused;
    }

    fn text(&self, dry_run: bool) -> String {
        let mut out = String::new();
        let count = self.changes.len();
        let _ = match (count, dry_run) {
            (0, _) => writeln!(out, "no changes"),
            (1, false) => writeln!(out, "1 change"),
            (1, true) => writeln!(out, "1 change to make"),
            (_, false) => writeln!(out, "{count} changes"),
            (_, true) => writeln!(out, "{count} changes to make"),
        };
        let widths = self.changes.iter().filter(|one| one.before.is_some());
        let width = widths.map(|one| one.command.len()).max().unwrap_or(0);
        for change in &self.changes {
            let _ = match change.difference() {
                Some(difference) => {
                    writeln!(out, "  {:<width$}   {difference}", change.command)
                }
                None => writeln!(out, "  {}", change.command),
            };
        }
        out
    }

    fn complaint(&self, rules: &str, waited: Option<u64>) -> String {
        let mut out = String::new();
        for one in &self.refused {
            let _ = match line_of(rules, &one.command) {
                Some(line) => writeln!(out, "error: line {line}: {one}"),
                None => writeln!(out, "error: {one}"),
            };
        }
        for one in &self.draining {
            let connections = match one.connections {
                0 => "and may get its last connections",
                1 => "and still has 1 connection",
                many => &format!("and still has {many} connections"),
            };
            let _ = writeln!(
                out,
                "{} of {} goes {connections}",
                one.destination, one.service
            );
        }
        if !self.draining.is_empty() {
            out.push_str(match waited {
                Some(_) => "hint:  run it again later, or with --at-once to break them\n",
                None => "hint:  run it again later, or with --wait SECONDS\n",
            });
        }
        out
    }

    fn document(&self, rules: &str, dry_run: bool) -> Document<'_> {
        Document {
            schema: "lvslab.ipvs-apply/1",
            dry_run,
            changes: &self.changes,
            draining: self
                .draining
                .iter()
                .map(|one| {
                    BTreeMap::from([
                        ("service", one.service.to_string().into()),
                        ("destination", one.destination.to_string().into()),
                        ("connections", one.connections.into()),
                    ])
                })
                .collect(),
            refused: self
                .refused
                .iter()
                .map(|one| {
                    BTreeMap::from([
                        ("line", line_of(rules, &one.command).into()),
                        ("command", command_line(&one.command).into()),
                        ("error", one.to_string().into()),
                    ])
                })
                .collect(),
        }
    }
}

/// `lvslab.ipvs-apply/1`
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    dry_run: bool,
    changes: &'a [Change],
    draining: Vec<BTreeMap<&'static str, serde_json::Value>>,
    refused: Vec<BTreeMap<&'static str, serde_json::Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::{Counters, DestinationStatus};

    /// The table that these rules make, with so many connections on each destination.
    fn table(rules: &str, connections: u32) -> Table {
        let desired = parse_desired(rules).unwrap();
        let services = desired.into_iter().map(|one| ServiceStatus {
            service: one.service,
            counters: Counters::default(),
            destinations: one
                .destinations
                .into_iter()
                .map(|destination| DestinationStatus {
                    destination,
                    active: connections,
                    inactive: 0,
                    persistent: 0,
                    counters: Counters::default(),
                })
                .collect(),
        });
        services.collect()
    }

    fn outcome(before: &Table, after: &str) -> Outcome {
        let desired = parse_desired(after).unwrap();
        let commands = reconcile(before, &desired, Others::Delete, Removal::WhenIdle);
        Outcome {
            changes: commands
                .iter()
                .map(|command| Change::new(command, before))
                .collect(),
            draining: draining(before, &desired, Others::Delete),
            refused: Vec::new(),
        }
    }

    const BEFORE: &str = "\
-A -t 192.168.4.15:80 -s wrr
-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1
-a -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 1
-A -t 192.168.4.15:443 -s sh
";
    const AFTER: &str = "\
-A -t 192.168.4.15:80 -s wlc -p 300
-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 5
-a -t 192.168.4.15:80 -r 192.168.4.201:80 -g -w 1
";

    #[test]
    fn changes_are_shown_as_one_would_type_them() {
        let busy = outcome(&table(BEFORE, 12), AFTER);
        let mut shown = busy.text(true);
        shown.push_str(&busy.complaint(AFTER, None));
        insta::assert_snapshot!(shown, @"
        5 changes to make
          ipvsadm -D -t 192.168.4.15:443
          ipvsadm -E -t 192.168.4.15:80 -s wlc -p 300                 -s wrr → -s wlc -p 300
          ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 5   -w 1 → -w 5
          ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.201:80 -g -w 1
          ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 0   -w 1 → -w 0
        192.168.4.200:80 of tcp 192.168.4.15:80 goes and still has 12 connections
        hint:  run it again later, or with --wait SECONDS
        ");
    }

    #[test]
    fn programs_get_the_same_as_a_document() {
        let idle = outcome(&table(BEFORE, 0), AFTER);
        let document = serde_json::to_string_pretty(&idle.document(AFTER, false)).unwrap();
        insta::assert_snapshot!(document, @r#"
        {
          "schema": "lvslab.ipvs-apply/1",
          "dry_run": false,
          "changes": [
            {
              "command": "ipvsadm -D -t 192.168.4.15:443"
            },
            {
              "command": "ipvsadm -E -t 192.168.4.15:80 -s wlc -p 300",
              "before": "ipvsadm -E -t 192.168.4.15:80 -s wrr"
            },
            {
              "command": "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 5",
              "before": "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1"
            },
            {
              "command": "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.201:80 -g -w 1"
            },
            {
              "command": "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 0",
              "before": "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.200:80 -g -w 1"
            }
          ],
          "draining": [
            {
              "connections": 0,
              "destination": "192.168.4.200:80",
              "service": "tcp 192.168.4.15:80"
            }
          ],
          "refused": []
        }
        "#);
    }

    #[test]
    fn a_table_that_is_so_needs_no_changes() {
        let same = outcome(&table(BEFORE, 3), BEFORE);
        assert_eq!(same.text(false), "no changes\n");
        assert_eq!(same.complaint(BEFORE, None), "");
    }
}
