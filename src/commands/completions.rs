//! `lvslab completions SHELL`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::Answer;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// Shell to complete for
    shell: Shell,
}

impl Completions {
    /// The script, for the whole command line that `program` describes.
    #[must_use]
    pub fn exec(self, mut program: Command) -> Answer {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "lvslab", &mut script);
        Answer::done(String::from_utf8_lossy(&script).into_owned())
    }
}
