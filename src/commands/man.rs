//! `lvslab man`.

use std::path::PathBuf;

use clap::{Args, Command};

use super::{Answer, CommandError};

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
pub struct Man {
    /// Write `lvslab.1`, `lvslab-up.1`, ... into this directory instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// The page of `program`, or the files' names.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn exec(self, program: Command) -> Result<Answer, CommandError> {
        let Some(directory) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(program)
                .render(&mut page)
                .map_err(CommandError::io("make the manual page"))?;
            return Ok(Answer::done(String::from_utf8_lossy(&page)));
        };
        std::fs::create_dir_all(&directory)
            .and_then(|()| clap_mangen::generate_to(program, &directory))
            .map_err(CommandError::io(format!(
                "write manual pages to {}",
                directory.display()
            )))?;
        Ok(Answer::done(format!(
            "pages are in {}\n",
            directory.display()
        )))
    }
}
