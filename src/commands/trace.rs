//! `lvslab trace LAB`.

use std::path::PathBuf;

use crate::deployment::{self, Deployment, Login, reachable};
use crate::labs::{self, Selection};
use crate::report::{capture, trace};
use crate::sys::output;
use crate::verify::Evidence;

use super::verify::kept;
use super::{Answer, CommandError, Context, Status};

/// Show the way of one live request through the lab, hop by hop
///
/// Sends one request from the client, captures its frames on every host, and shows what was rewritten where.
/// Changes nothing. Ends with 0 when the request was answered and request and reply took the way of the lab's mode,
/// with 6 when not, with 4 when a host could not be reached.
#[derive(Debug, clap::Args)]
pub struct Trace {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    login: Login,
    /// Print one JSON document (`lvslab.trace/1`) on standard output
    #[arg(long)]
    pub json: bool,
    /// Also write the frames as a pcapng file for Wireshark, one interface per host's interface
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Show the requests in a file of `verify --evidence-out` instead of asking hosts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lab", "named", "inventory"])]
    from: Option<PathBuf>,
}

impl Trace {
    /// The way.
    ///
    /// # Errors
    /// Mistakes in the files, or that the lab is not up.
    pub async fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let (evidence, complaint, trouble) = match &self.from {
            Some(file) => (kept(file)?, String::new(), None),
            None => self.ask(ctx).await?,
        };
        if let Some(file) = &self.pcap {
            output::file(file, &capture::pcapng(&evidence))?;
        }
        let document = trace::document(&evidence);
        let status = match trouble {
            Some(status) => status,
            None if document.as_promised => Status::Done,
            None => Status::NotVerified,
        };
        let mut answer = Answer::document(&document, status)?;
        if !self.json {
            answer.text = trace::trace(&evidence, ctx.style);
        }
        answer.complaint = complaint;
        Ok(answer)
    }

    async fn ask(&self, ctx: &Context) -> Result<(Evidence, String, Option<Status>), CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        labs::same_place(&ctx.dirs, &lab)?;
        ctx.situation.set("tracing changes nothing");
        reachable(ctx, &lab, self.login).await?;
        let mut deployment = Deployment::connect(ctx, &lab).await?;
        deployment.expect().await;
        let evidence = deployment.trace().await;
        Ok((
            evidence,
            deployment::render(&deployment.troubles),
            deployment::worst(&deployment.troubles),
        ))
    }
}
