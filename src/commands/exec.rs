//! `lvslab exec HOST -- COMMAND…`.

use crate::deployment::{roster, vantage_point};
use crate::labs::{LabOption, LabsError};
use crate::model::HostName;
use crate::orchestrate::run;

use super::{Answer, CommandError, Context, Status};

/// Run a command on a host of a lab
///
/// The arguments reach the command as they are given here. Standard input, output and error are passed
/// through, and the command's exit code is lvslab's.
#[derive(Debug, clap::Args)]
pub struct Exec {
    /// Host
    host: HostName,
    #[command(flatten)]
    which: LabOption,
    /// Command and arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Exec {
    /// Runs it.
    ///
    /// # Errors
    /// When the host is unknown or cannot be reached.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.which.with_host(&ctx.dirs, &self.host)?;
        if let Some(advice) = vantage_point::of_command(&lab, &self.host, &self.command) {
            ctx.progress.note("note", &advice);
        }
        let roster =
            roster(ctx, &lab).map_err(CommandError::io("make the directory of the SSH sockets"))?;
        let Some(to) = roster.destination(&self.host) else {
            return Err(LabsError::UnknownHost {
                host: self.host,
                lab: lab.id().clone(),
                known: lab.hosts().iter().map(|host| host.name.clone()).collect(),
            }
            .into());
        };
        match run(to, &self.command).await {
            Ok(code) => Ok(Answer {
                // Exit codes are eight bits wide on the other side, too.
                status: Status::Remote(u8::try_from(code).unwrap_or(255)),
                ..Answer::done("")
            }),
            Err(cause) => Err(CommandError::Host(Box::new(
                roster.error(&self.host, cause),
            ))),
        }
    }
}
