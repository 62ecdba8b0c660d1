//! `lvslab ipvs …`: the IPVS table of the machine it runs on.

mod outcome;

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ipvs::{
    Client, Command, Desired, Others, Removal, Snapshot, Table, draining, reconcile,
};
use crate::ipvsadm::{parse_desired, save_format, sort_as_listed};

use super::{Answer, CommandError, Context, Status};
use outcome::{Change, Outcome};

/// Time between two readings of the table under `--wait`.
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
    /// weight 0; once it has no connections, this run or a later one removes it. If the kernel refuses a
    /// change, the others are taken back.
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
    /// Keep services that the file does not name
    #[arg(long)]
    keep_others: bool,
    /// Remove real servers at once, which breaks their connections
    #[arg(long, conflicts_with = "wait")]
    at_once: bool,
    /// Wait up to this long for connections to real servers that are removed
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    /// Remove every service without asking when the file has no rules
    #[arg(long)]
    yes: bool,
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
    /// When the rules cannot be read or the kernel does not answer. What the kernel refuses is in the answer.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        match self.verb {
            Verb::Apply(verb) => verb.exec(ctx).await,
            Verb::Show(verb) => verb.exec(),
        }
    }
}

impl Show {
    fn exec(self) -> Result<Answer, CommandError> {
        let mut table = Client::open()?.table()?;
        sort_as_listed(&mut table);
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
        let rules: String = table
            .into_iter()
            .map(Desired::from)
            .map(|one| save_format(&one.service, &one.destinations))
            .collect();
        Ok(Answer::done(rules))
    }
}

impl Apply {
    async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let (name, text) = self.read()?;
        let desired = parse_desired(&text).map_err(|source| CommandError::Rules {
            file: name.clone(),
            source,
        })?;
        let ipvs = Client::open()?;
        let before = ipvs.table()?;
        self.confirm(ctx, name, &before, &desired)?;
        let end = Instant::now() + Duration::from_secs(self.wait.unwrap_or(0));
        let (mut outcome, mut commands) = self.step(&ipvs, &before, &desired)?;
        if outcome.refused.is_empty() && !outcome.draining.is_empty() && !self.dry_run {
            // Some of them may have no connections and, with weight 0, get no new ones.
            let (later, more) = self.step(&ipvs, &ipvs.table()?, &desired)?;
            outcome.then(later);
            commands.extend(more);
        }
        while outcome.refused.is_empty() && !outcome.draining.is_empty() && Instant::now() < end {
            ctx.situation.set(
                "some real servers have weight 0 and are removed once they have no connections",
            );
            tokio::time::sleep(PAUSE).await;
            let (later, more) = self.step(&ipvs, &ipvs.table()?, &desired)?;
            outcome.then(later);
            commands.extend(more);
        }
        if !outcome.refused.is_empty() {
            outcome.undone(Snapshot::of_table(before).restore(&ipvs, &commands, None));
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

    /// The file's name for messages, and its text.
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

    /// Asks before a file without rules removes every service.
    fn confirm(
        &self,
        ctx: &Context,
        file: String,
        table: &Table,
        desired: &[Desired],
    ) -> Result<(), CommandError> {
        let services = table.len();
        let removes_all = desired.is_empty() && services > 0 && !self.keep_others;
        if !removes_all || self.yes || self.dry_run {
            return Ok(());
        }
        let question = format!("{file} has no rules. Remove all {services} services?");
        match &ctx.ask {
            Some(ask) if ask(&question) => Ok(()),
            _ => Err(CommandError::NoRules { file, services }),
        }
    }

    /// Sends the changes that this table needs now, and returns them with what came of them.
    fn step(
        &self,
        ipvs: &Client,
        table: &Table,
        desired: &[Desired],
    ) -> Result<(Outcome, Vec<Command>), CommandError> {
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
        let commands = reconcile(table, desired, others, removal);
        let refused = if self.dry_run {
            Vec::new()
        } else {
            ipvs.batch(&commands)?
        };
        let outcome = Outcome {
            changes: commands
                .iter()
                .enumerate()
                .filter(|(index, _)| !refused.iter().any(|one| one.index == *index))
                .map(|(_, command)| Change::new(command, table))
                .collect(),
            taken_back: Vec::new(),
            not_taken_back: None,
            draining: match removal {
                Removal::WhenIdle => draining(table, desired, others),
                Removal::AtOnce => Vec::new(),
            },
            refused,
        };
        Ok((outcome, commands))
    }
}
