//! `lvslab verify TOPOLOGY`.

use crate::report;

use super::deployment::{Deployment, Login};
use super::labs::{self, Selection};
use super::plan::reachable;
use super::{Answer, CommandError, Context, Status};

/// Prove that a lab works, or name what is broken
///
/// Changes nothing. Ends with 0 only when every check passed, with 6 when one failed, with 4 when a host
/// could not be reached.
#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    selection: Selection,
    /// Requests to send from the client; rounded up to whole cycles of the scheduler
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.verify/1`) on standard output
    #[arg(long)]
    pub json: bool,
}

impl Verify {
    /// The verdict.
    ///
    /// # Errors
    /// Mistakes in the files, or that the lab is not up.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        labs::same_place(&ctx.dirs, &lab)?;
        ctx.situation.set("verifying changes nothing");
        reachable(ctx, &lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        deployment.plan().await;
        let verdict = deployment.verify(self.requests).await;
        // The text names its exit code, so the two must agree; hosts in trouble are part of the verdict.
        let status = match verdict.exit_code() {
            0 => Status::Done,
            4 => Status::Unreachable,
            _ => Status::NotVerified,
        };
        if self.json {
            return Answer::document(&verdict, status);
        }
        Ok(Answer {
            text: report::verdict(&verdict, ctx.style),
            complaint: String::new(),
            status,
        })
    }
}
