//! A drop-in for ipvsadm(8) 1.31: the same command line, the same output byte for byte, the same
//! messages and exit statuses, over our own client.
//!
//! In go argv and, for `-R`, standard input; out come standard output, standard error and an exit
//! status. For programs: [`parse_rules`] and [`parse_desired`] read its rules, [`save_format`] and
//! [`command_line`] write them.
//!
//! It differs where ipvsadm surprises people:
//!
//! | | ipvsadm 1.31 | here |
//! |---|---|---|
//! | `-S` | drops `-x` and `-y` | keeps them |
//! | `-S` of the third flag of `sh` or `mh` | drops it, or writes `-b` with nothing | keeps it |
//! | `-S`, `-L` of a mark from 2^31 up | prints a negative number | prints the mark |
//! | `-E` without `-s` | resets the scheduler to `wlc`, whose `-b` it takes | keeps the scheduler and its flags, and takes its `-b` |
//! | `-e` without `-g`, `-i`, `-m` | turns the server to `-g` | keeps the method |
//! | `-R` with a comment or a mistake | stops there, leaving half of it | skips comments; all or nothing, naming lines |
//! | `-R` with a rule that the kernel refuses | goes on | undoes the rest; goes on with `--keep-going` |
//! | `-S` without `-n` of an IPv6 address with a name | writes the name, which is read back as IPv4 | writes the number |
//! | `-h`, `-v`, words that make no sense | need root and a kernel with IPVS | need neither |
//! | names of hosts | from the C library's name service | from `/etc/hosts` |

mod action;
mod arguments;
mod column;
mod connections;
mod endpoint;
mod failure;
mod help;
mod keeping;
mod kernel_text;
mod legality;
mod list;
mod names;
mod number;
mod options;
mod order;
mod restore;
mod rules;
mod saved_line;
mod undo;
mod values;
mod words;
mod written;

use std::ffi::OsString;
use std::io::{self, Read, Write};

use action::{Action, Listing, understand};
use arguments::Format;
use endpoint::Style;
use failure::Failure;
use names::Names;

use crate::ipvs::{Client, Command, IpvsError, Table};

pub use rules::{RulesError, line_of, parse_desired, parse_rules};
pub use written::{command_line, save_format};

/// Whether a command line, without the program's name, is one that would be run; nothing is run.
///
/// # Errors
/// What ipvsadm would say.
pub fn check(words: &[&str]) -> Result<(), String> {
    match understand("ipvsadm", words, &Names::default()) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.message),
    }
}

/// What `ipvsadm -Lnc` prints for this content of `/proc/net/ip_vs_conn`.
#[must_use]
pub fn connections(file: &str) -> String {
    connections::listing(file, Format::default(), Style::Numeric)
}

/// Gives these services the destinations that `/proc/net/ip_vs` with this content has for them; whether it
/// is of these services. For the fuzz target.
#[doc(hidden)]
pub fn fill(services: &mut Table, text: &str) -> bool {
    kernel_text::fill(services, text)
}

/// Runs ipvsadm on the process's own streams. `args` starts with the program's name, as
/// [`std::env::args_os`] does.
///
/// Returns the exit status: 0 done, 1 a list that failed, 2 a bad argument or no IPVS, 255 a refusal of
/// the kernel or an unknown option.
pub fn main(args: impl Iterator<Item = OsString>) -> i32 {
    let mut streams = Streams {
        input: &mut io::stdin().lock(),
        output: &mut io::stdout().lock(),
        errors: &mut io::stderr().lock(),
    };
    execute(args, &mut streams)
}

/// Where ipvsadm reads rules from and writes to.
pub struct Streams<'a> {
    /// Standard input, only read for `-R`.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
}

/// [`main`] on these streams, in the calling thread's network namespace.
pub fn execute(args: impl Iterator<Item = OsString>, streams: &mut Streams<'_>) -> i32 {
    let args: Vec<String> = args
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let program = args.first().map_or("ipvsadm", String::as_str);
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match run(program, &words, streams.input) {
        Ok(output) => {
            let written = streams
                .output
                .write_all(output.as_bytes())
                .and_then(|()| streams.output.flush());
            match written {
                Ok(()) => 0,
                // Whoever reads has enough, as with `ipvsadm -L | head`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
                Err(_) => 1,
            }
        }
        Err(failure) => {
            // Nobody is left to tell when this fails.
            let _ = writeln!(streams.errors, "{}", failure.message);
            failure.status
        }
    }
}

fn run(program: &str, words: &[&str], input: &mut dyn Read) -> Result<String, Failure> {
    let names = Names::default();
    if words.is_empty() {
        return list(Listing::Everything, Format::default(), &names);
    }
    match understand(program, words, &names)? {
        Action::Help => Ok(help::usage(program)),
        Action::Version => Ok(help::VERSION.to_owned()),
        Action::List(listing, format) => list(listing, format, &names),
        Action::Save { numeric } => {
            let table = open()?.table().map_err(|error| list_failure(&error))?;
            Ok(list::saved(&table, numeric, &names))
        }
        Action::Restore { keep_going } => {
            let ipvs = open()?;
            // Without root it says so before it looks at the rules, or at none.
            ipvs.info().map_err(|error| list_failure(&error))?;
            let mut text = Vec::new();
            input
                .read_to_end(&mut text)
                .map_err(|error| Failure::unknown(format!("cannot read the rules: {error}")))?;
            restore::restore(&ipvs, &String::from_utf8_lossy(&text), &names, keep_going)?;
            Ok(String::new())
        }
        Action::Change(command) => change(&open()?, &command),
        Action::Keep(keeping) => {
            let ipvs = open()?;
            change(&ipvs, &keeping.resolve(&ipvs, &[])?)
        }
    }
}

fn open() -> Result<Client, Failure> {
    Client::open().map_err(|error| Failure::unavailable(&error))
}

fn list_failure(error: &IpvsError) -> Failure {
    match error {
        // ipvsadm finds out while it starts.
        IpvsError::NotPermitted => Failure::unavailable(error),
        other => Failure::list(other),
    }
}

fn change(ipvs: &Client, command: &Command) -> Result<String, Failure> {
    match ipvs.run(command) {
        Ok(()) => Ok(String::new()),
        Err(error) => Err(Failure::command(&error)),
    }
}

fn list(listing: Listing, format: Format, names: &Names) -> Result<String, Failure> {
    let ipvs = open()?;
    let failed = |error: IpvsError| list_failure(&error);
    match listing {
        Listing::Everything => {
            let info = ipvs.info().map_err(failed)?;
            let table = if format.is_plain() {
                plain_table(&ipvs)
            } else {
                ipvs.table()
            };
            let table = table.map_err(failed)?;
            Ok(list::everything(&info, &table, format, names))
        }
        Listing::Service(key) => match ipvs.service(key).map_err(failed)? {
            Some(status) => Ok(list::one(&status, format, names)),
            None => Err(Failure {
                message: "No such service".to_owned(),
                status: 1,
            }),
        },
        Listing::Timeouts => Ok(list::timeouts(&ipvs.timeouts().map_err(failed)?)),
        Listing::Daemons => Ok(list::daemons(&ipvs.daemons().map_err(failed)?)),
        Listing::Connections => {
            // Anybody may read the file; ipvsadm is for root.
            ipvs.info().map_err(failed)?;
            let file = std::fs::read(connections::THREAD_PATH).map_err(|_| Failure {
                message: format!("cannot open file {}", connections::PATH),
                status: 1,
            })?;
            let style = if format.numeric {
                Style::Numeric
            } else {
                Style::Named(names)
            };
            Ok(connections::listing(
                &String::from_utf8_lossy(&file),
                format,
                style,
            ))
        }
    }
}

/// The table as far as a plain list shows it.
fn plain_table(ipvs: &Client) -> Result<Table, IpvsError> {
    let mut table = ipvs.services()?;
    // Without the file, or while somebody else changes the table, the slower way is as good.
    let filled = match std::fs::read_to_string(kernel_text::PATH) {
        Ok(text) => kernel_text::fill(&mut table, &text),
        Err(_) => false,
    };
    if filled { Ok(table) } else { ipvs.table() }
}
