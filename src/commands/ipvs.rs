//! `lvslab ipvs …`: the IPVS table of the machine it runs on.

mod outcome;

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ipvs::{Client, Desired, Others, Removal, Table, draining, reconcile};
use crate::ipvsadm::{parse_desired, save_format};

use super::{Answer, CommandError, Context, Status};
use outcome::{Change, Outcome};

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
