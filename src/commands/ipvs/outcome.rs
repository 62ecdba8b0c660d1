//! What `lvslab ipvs apply` did or would do, as text and as a JSON document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::ipvs::{Command, Draining, IpvsError, Refused, ServiceStatus};
use crate::ipvsadm::{command_line, line_of};

/// What was done, and what is left to do.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Changes that the table has now.
    pub(super) changes: Vec<Change>,
    /// Changes that were taken back because the kernel refused another one.
    pub(super) taken_back: Vec<Change>,
    /// Why `changes` could not be taken back although the kernel refused another one.
    pub(super) not_taken_back: Option<IpvsError>,
    pub(super) draining: Vec<Draining>,
    pub(super) refused: Vec<Refused>,
}

/// A change, as a command line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    command: String,
    /// The command line for what it replaces, for an edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl Change {
    pub(super) fn new(command: &Command, table: &[ServiceStatus]) -> Self {
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

    /// `-m -w 3 → -m -w 5`: the options that differ.
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
    /// Notes that the changes were taken back, or why they could not be.
    pub(super) fn undone(&mut self, result: Result<(), IpvsError>) {
        match result {
            Ok(()) => self.taken_back = std::mem::take(&mut self.changes),
            Err(error) => self.not_taken_back = Some(error),
        }
        self.draining.clear();
    }

    /// Adds what a later step did.
    pub(super) fn then(&mut self, later: Self) {
        self.changes.extend(later.changes);
        self.draining = later.draining;
        self.refused = later.refused;
    }

    pub(super) fn text(&self, dry_run: bool) -> String {
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

    pub(super) fn complaint(&self, rules: &str, waited: Option<u64>) -> String {
        let mut out = String::new();
        for one in &self.refused {
            let _ = match line_of(rules, &one.command) {
                Some(line) => writeln!(out, "error: line {line}: {one}"),
                None => writeln!(out, "error: {one}"),
            };
        }
        match (&self.not_taken_back, self.taken_back.len()) {
            (Some(error), _) => {
                let _ = writeln!(out, "error: the other changes stay: {error}");
            }
            (None, 0) => {}
            (None, 1) => out.push_str("the other change was taken back\n"),
            (None, many) => {
                let _ = writeln!(out, "the other {many} changes were taken back");
            }
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

    pub(super) fn document(&self, rules: &str, dry_run: bool) -> Document<'_> {
        Document {
            schema: "lvslab.ipvs-apply/1",
            dry_run,
            changes: &self.changes,
            taken_back: &self.taken_back,
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
pub(super) struct Document<'a> {
    schema: &'static str,
    dry_run: bool,
    changes: &'a [Change],
    taken_back: &'a [Change],
    draining: Vec<BTreeMap<&'static str, serde_json::Value>>,
    refused: Vec<BTreeMap<&'static str, serde_json::Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::{Counters, DestinationStatus, Others, Removal, Table, draining, reconcile};
    use crate::ipvsadm::parse_desired;

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
            taken_back: Vec::new(),
            not_taken_back: None,
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
    fn changes_are_shown_as_command_lines() {
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
    fn the_document_has_the_same_changes() {
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
          "taken_back": [],
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
    fn changes_that_are_taken_back_are_no_changes() {
        let mut refused = outcome(&table(BEFORE, 12), AFTER);
        refused.undone(Ok(()));
        assert_eq!(refused.text(false), "no changes\n");
        assert_eq!(
            refused.complaint(AFTER, None),
            "the other 5 changes were taken back\n"
        );
        let document = serde_json::to_value(refused.document(AFTER, false)).unwrap();
        assert_eq!(document["changes"].as_array().map(Vec::len), Some(0));
        assert_eq!(document["taken_back"].as_array().map(Vec::len), Some(5));

        let mut stuck = outcome(&table(BEFORE, 12), AFTER);
        stuck.undone(Err(IpvsError::NotPermitted));
        assert!(stuck.text(false).starts_with("5 changes\n"));
        assert_eq!(
            stuck.complaint(AFTER, None),
            "error: the other changes stay: IPVS needs root (CAP_NET_ADMIN)\n"
        );
    }

    #[test]
    fn a_table_that_is_as_desired_needs_no_changes() {
        let same = outcome(&table(BEFORE, 3), BEFORE);
        assert_eq!(same.text(false), "no changes\n");
        assert_eq!(same.complaint(BEFORE, None), "");
    }
}
