//! The command line.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::commands::{
    breaking, completions, down, exec, explain, hint, ipvs, man, plan, repair, sandbox, ssh,
    status, trace, up, verify,
};

use crate::exit;
use crate::model::LabId;

/// Stand up, verify and explain Linux Virtual Server labs
///
/// A topology file says what: a client, a director, real servers, one virtual service. Where the hosts are
/// comes from `ssh:` entries or an inventory; hosts without one live in a sandbox that lvslab brings along.
#[derive(Debug, Parser)]
#[command(name = "lvslab", version, after_help = exit::table(), max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
}

/// The commands, each with its own arguments.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Up(up::Up),
    Plan(plan::Plan),
    Verify(verify::Verify),
    Trace(trace::Trace),
    Down(down::Down),
    Status(status::Status),
    Explain(explain::Explain),
    Break(breaking::Break),
    Hint(hint::Hint),
    Repair(repair::Repair),
    Ssh(ssh::Ssh),
    Exec(exec::Exec),
    Sandbox(sandbox::Sandbox),
    Ipvs(ipvs::Ipvs),
    Completions(completions::Completions),
    Man(man::Man),
    /// Serve the controller on standard input and output; started by it, over SSH
    #[command(hide = true)]
    Agent,
    /// Put back what a run of a lab changed unless it is confirmed; started by the agent
    #[command(hide = true)]
    Guard {
        /// Lab
        lab: LabId,
        /// Run that made the changes
        run: String,
        /// How long to wait after the end of standard input
        seconds: u32,
    },
    /// Bring up what is configured to come up at boot; started by the host's own init
    #[command(hide = true)]
    Boot,
    /// The drop-in ipvsadm, as it is when called by that name
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Ipvsadm {
        /// Its own options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

impl Verb {
    /// Whether standard output is for a program.
    #[must_use]
    pub fn json(&self) -> bool {
        match self {
            Self::Up(verb) => verb.json,
            Self::Plan(verb) => verb.json,
            Self::Verify(verb) => verb.json,
            Self::Trace(verb) => verb.json,
            Self::Down(verb) => verb.json,
            Self::Break(verb) => verb.json,
            Self::Hint(verb) => verb.json,
            Self::Repair(verb) => verb.json,
            Self::Status(verb) => verb.json,
            Self::Sandbox(verb) => verb.json(),
            Self::Ipvs(verb) => verb.json(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_says_what_each_verb_does() {
        let mut program = Arguments::command().term_width(100);
        let mut pages = vec![program.render_help().to_string()];
        program.build();
        for verb in program.get_subcommands_mut() {
            if !verb.is_hide_set() && verb.get_name() != "help" {
                pages.push(verb.render_long_help().to_string());
            }
        }
        insta::assert_snapshot!(pages.join("\n────\n"));
    }
}
