//! `lvslab ssh HOST [-- COMMAND…]`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::deployment::{roster, vantage_point};
use crate::labs::{LabOption, LabsError};
use crate::model::HostName;
use crate::sys::shell::command_line;

use super::{CommandError, Context};

/// Log in to a host of a lab
///
/// Becomes `ssh -F CONFIG HOST`, with the lab's own configuration.
#[derive(Debug, clap::Args)]
pub struct Ssh {
    /// Host
    host: HostName,
    #[command(flatten)]
    which: LabOption,
    /// Command to run instead of a login shell; it gets a terminal
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Ssh {
    /// Becomes ssh; comes back only when that fails.
    ///
    /// # Errors
    /// When the host is unknown or ssh cannot be run.
    pub fn exec(self, ctx: &Context) -> Result<std::convert::Infallible, CommandError> {
        let lab = self.which.with_host(&ctx.dirs, &self.host)?;
        let advice = if self.command.is_empty() {
            vantage_point::of_login(&lab, &self.host)
        } else {
            vantage_point::of_command(&lab, &self.host, &self.command)
        };
        if let Some(advice) = advice {
            ctx.progress.note("note", &advice);
        }
        let roster =
            roster(ctx, &lab).map_err(CommandError::io("make the directory of the SSH sockets"))?;
        let Some(to) = roster.destination(&self.host) else {
            return Err(LabsError::NotUp {
                lab: lab.id().clone(),
            }
            .into());
        };
        let mut ssh = Command::new("ssh");
        ssh.arg("-F")
            .arg(&to.config)
            // A connection that a command has left open saves the handshake; without one ssh makes its own.
            .arg("-S")
            .arg(&to.control)
            .args(["-o", "ControlMaster=no"]);
        if !self.command.is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            ssh.arg("-t");
        }
        ssh.arg("--").arg(self.host.as_str());
        if !self.command.is_empty() {
            ssh.arg(command_line(&self.command));
        }
        Err(CommandError::io("run ssh")(ssh.exec()))
    }
}
