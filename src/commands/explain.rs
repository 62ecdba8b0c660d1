//! `lvslab explain LAB`.

use crate::deployment::{self, Trouble};
use crate::labs::Selection;
use crate::plan;
use crate::report::explain::explain;

use super::{Answer, CommandError, Context};

/// Show what a person would type on each host, and why
///
/// Contacts no host. Interface names and distribution are the sandbox's, or assumed.
#[derive(Debug, clap::Args)]
pub struct Explain {
    #[command(flatten)]
    selection: Selection,
}

impl Explain {
    /// The text.
    ///
    /// # Errors
    /// Mistakes in the files.
    pub fn exec(self, ctx: &Context) -> Result<Answer, CommandError> {
        let lab = self.selection.load(&ctx.dirs)?;
        let mut plans = std::collections::BTreeMap::new();
        let mut troubles = Vec::new();
        for (host, planned) in plan::plan(&lab, &plan::assumed_facts(&lab)) {
            match planned {
                Ok(planned) => {
                    plans.insert(host, planned);
                }
                Err(error) => troubles.push(Trouble::unplanned(&host, &error)),
            }
        }
        Ok(Answer {
            text: explain(&lab, &plans, ctx.style),
            complaint: deployment::render(&troubles),
            status: deployment::worst(&troubles).unwrap_or(super::Status::Done),
        })
    }
}
