//! A drop-in for ipvsadm(8) 1.31 and its wrappers ipvsadm-save(8) and ipvsadm-restore(8): the same command
//! line, the same output byte for byte, the same messages and exit statuses, over our own client.
//!
//! Input: argv and, for `-R`, standard input. Output: standard output, standard error and an exit status. For
//! programs, [`parse_rules`] and [`parse_desired`] read its rules, [`save_format`] and [`command_line`] write
//! them.
//!
//! It differs where ipvsadm surprises people. With `LVSLAB_IPVSADM_COMPAT=1.31` in the environment it behaves
//! as in the left column, except for the last two rows.
//!
//! | | ipvsadm 1.31 | here |
//! |---|---|---|
//! | `-S` | drops `-x` and `-y` | keeps them |
//! | `-S` of the third flag of `sh` or `mh` | drops it, or writes `-b` with nothing | keeps it |
//! | `-R` of that `-b` with nothing | refuses it | takes it for no flag |
//! | `-S`, `-L` of a mark from 2^31 up | prints a negative number | prints the mark |
//! | `-E` without `-s` | resets the scheduler to `wlc`, whose `-b` it takes | keeps the scheduler and its flags, and takes its `-b` |
//! | `-e` without `-g`, `-i`, `-m` | turns the server to `-g` | keeps the method |
//! | `-R` with a comment or a mistake | stops there, leaving half of it | skips comments; all or nothing, naming lines |
//! | `-R` with a rule that the kernel refuses | goes on, and ends with the status of the last rule | undoes the rest, naming lines; `--keep-going` goes on |
//! | `-R` with a rule twice | goes on, with 255 if it is the last one | goes on, naming its line, with 0 |
//! | `-R` with a line `-L`, `-S`, `-h`, `-v` | lists, saves, or prints help and ends | refuses it, naming its line |
//! | `ipvsadm-restore` | clears the table, then goes on as `-R` does | clears and restores in one step; all or nothing |
//! | `-S` without `-n` of an IPv6 address with a name | writes the name, which is read back as IPv4 | writes the number |
//! | `-h`, `-v`, words that make no sense | need root and a kernel with IPVS | need neither |
//! | output that cannot be written | ends with 0 | says so and ends with 1 |
//! | names of hosts | from the C library's name service | from `/etc/hosts` |

mod action;
mod allowed_options;
mod arguments;
mod behaviour;
mod column;
mod command_line;
mod connections;
mod endpoint;
mod entry;
mod failure;
mod help;
mod list;
mod names;
mod number;
mod options;
mod order;
mod partial_edit;
mod proc_table;
mod restore;
mod rules;
mod saved_line;
mod scheduler_flags;
mod session;
mod values;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

use behaviour::Setting;
use endpoint::Style;
use entry::Format;
use names::Names;
use session::Session;

use crate::ipvs::Table;

pub use behaviour::Behaviour;
pub use command_line::{arguments, command_line, forwarding_option, save_format};
pub use order::sort_as_listed;
pub use rules::{Mistake, RulesError, line_of, parse_desired, parse_rules};

const PROGRAM: &str = "ipvsadm";
const SAVE: &str = "ipvsadm-save";
const RESTORE: &str = "ipvsadm-restore";

/// The program of the ipvsadm package that a file name or a path names, if it is one.
#[must_use]
pub fn program(name: &str) -> Option<&'static str> {
    let name = Path::new(name).file_name()?.to_str()?;
    [PROGRAM, SAVE, RESTORE]
        .into_iter()
        .find(|program| *program == name)
}

/// Whether a command line, without the program's name, is one that would be run; nothing is run.
///
/// # Errors
/// ipvsadm's message for what is wrong.
pub fn check(words: &[&str]) -> Result<(), String> {
    match action::understand(PROGRAM, words, &Setting::default()) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.message),
    }
}

/// What `ipvsadm -Lnc` prints for this content of `/proc/net/ip_vs_conn`.
#[must_use]
pub fn connections(file: &str) -> String {
    connections::listing(file, Format::default(), Style::Numeric)
}

/// Gives these services the destinations that `/proc/net/ip_vs` with this content has for them. Returns
/// whether the text is about these services. For the fuzz target.
#[doc(hidden)]
pub fn fill(services: &mut Table, text: &str) -> bool {
    proc_table::fill(services, text)
}

/// Runs ipvsadm, ipvsadm-save or ipvsadm-restore on the process's own streams. `args` starts with the
/// program's name, as [`std::env::args_os`] does; the name chooses the program.
///
/// Returns the exit status: 0 done, 1 output or a list that failed, 2 a bad argument or no IPVS, 255 a
/// refusal of the kernel or an unknown option.
pub fn main(args: impl Iterator<Item = OsString>) -> i32 {
    let behaviour = match Behaviour::chosen(std::env::var_os(behaviour::VARIABLE).as_deref()) {
        Ok(behaviour) => behaviour,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            return 2;
        }
    };
    let mut streams = Streams {
        input: &mut io::stdin().lock(),
        output: &mut io::stdout().lock(),
        errors: &mut io::stderr().lock(),
    };
    execute(args, &mut streams, behaviour)
}

/// The streams that ipvsadm works on.
pub struct Streams<'a> {
    /// Only read for `-R`.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
}

/// [`main`] on these streams, in the calling thread's network namespace.
pub fn execute(
    args: impl Iterator<Item = OsString>,
    streams: &mut Streams<'_>,
    behaviour: Behaviour,
) -> i32 {
    let args: Vec<String> = args
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let called = args.first().map_or(PROGRAM, String::as_str);
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let mut session = Session {
        streams,
        setting: Setting {
            names: Names::default(),
            behaviour,
        },
    };
    let result = match program(called) {
        Some(SAVE) => session.save_wrapper(SAVE, &words),
        Some(RESTORE) => session.restore_wrapper(),
        _ => session.ipvsadm(called, &words),
    };
    match result {
        Ok(()) => 0,
        Err(failure) => {
            session.complain(&failure.message);
            failure.status()
        }
    }
}
