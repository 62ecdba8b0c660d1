//! `lvslab verify LAB`.

use std::path::{Path, PathBuf};

use crate::deployment::{Deployment, Login, reachable};
use crate::labs::{self, Selection};
use crate::report::{self, html, junit};
use crate::sys::output;
use crate::verify::{Evidence, Verdict, check};

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
    /// Print one JSON document (`lvslab.verify/2`) on standard output
    #[arg(long)]
    pub json: bool,
    /// Also write the verdict as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also write the verdict as one self-contained HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write all the evidence that the verdict rests on (`lvslab.evidence/2`)
    #[arg(long, value_name = "FILE")]
    evidence_out: Option<PathBuf>,
    /// Judge the evidence in a file of --evidence-out instead of asking hosts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lab", "named", "inventory", "evidence_out"])]
    from: Option<PathBuf>,
}

impl Verify {
    /// The verdict.
    ///
    /// # Errors
    /// Mistakes in the files, or that the lab is not up.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let evidence = match &self.from {
            Some(file) => kept(file)?,
            None => self.collect(ctx).await?,
        };
        let verdict = check(&evidence);
        self.write(&verdict, &evidence)?;
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

    async fn collect(&self, ctx: &Context) -> Result<Evidence, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        labs::same_place(&ctx.dirs, &lab)?;
        ctx.situation.set("verifying changes nothing");
        reachable(ctx, &lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        deployment.expect().await;
        Ok(deployment.collect(self.requests).await?)
    }

    fn write(&self, verdict: &Verdict, evidence: &Evidence) -> Result<(), CommandError> {
        if let Some(file) = &self.evidence_out {
            output::file(file, evidence.to_json().as_bytes())?;
        }
        if let Some(file) = &self.junit {
            output::file(file, junit::junit(&[verdict]).as_bytes())?;
        }
        if let Some(file) = &self.html {
            output::file(file, html::page(verdict, evidence).as_bytes())?;
        }
        Ok(())
    }
}

/// Evidence from a file.
///
/// # Errors
/// When it cannot be read or is no evidence.
pub(super) fn kept(file: &Path) -> Result<Evidence, CommandError> {
    let text = std::fs::read_to_string(file)
        .map_err(CommandError::io(format!("read {}", file.display())))?;
    Evidence::from_json(&text).map_err(|source| CommandError::Evidence {
        file: file.to_owned(),
        source,
    })
}
