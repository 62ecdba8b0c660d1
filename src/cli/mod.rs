//! The program's edge: arguments in, text and exit codes out. No knowledge of labs.
//!
//! Standard output has the answer, standard error has progress and complaints. Errors are printed here, once.

mod arguments;
mod error;
mod question;
mod terminal;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::{Answer, CommandError};
use crate::context::{Asker, Context, Situation};
use crate::exit::Status;
use crate::report::{Ink, Style};
use crate::sys::dirs::Dirs;
use crate::sys::output;
use crate::sys::progress::{Progress, Silent};

use arguments::{Arguments, Verb};
use terminal::{Bars, Lines};

/// The program, with its arguments from the system.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(explained(&error)),
    };
    match arguments.verb {
        Verb::Agent => serve(),
        Verb::Boot => boot(),
        Verb::Guard { lab, run, seconds } => ended(
            "guard",
            crate::agent::guard(&lab, &run, seconds, std::io::stdin().lock()),
        ),
        Verb::Ipvsadm { arguments } => drop_in(std::iter::once("ipvsadm".into()).chain(arguments)),
        verb => ExitCode::from(run(verb)),
    }
}

/// What clap says in place of a command line: help and version on standard output, mistakes on standard error.
fn explained(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        // Nobody can be told that standard error is closed.
        let _ = error.print();
        return Status::Usage.code();
    }
    let text = error.render();
    let text = match ink() {
        Ink::Ansi => text.ansi().to_string(),
        Ink::Plain => text.to_string(),
    };
    printed(&text, Status::Done.code())
}

/// ipvsadm, with its arguments as the system gives them: its own name first.
#[must_use]
pub fn drop_in(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // Exit statuses are eight bits wide; ipvsadm(8) has 255 among them.
    ExitCode::from(u8::try_from(crate::ipvsadm::main(arguments)).unwrap_or(u8::MAX))
}

/// Until the controller closes its end.
fn serve() -> ExitCode {
    ended("agent", crate::agent::serve())
}

/// As the host's init starts it.
fn boot() -> ExitCode {
    ended("boot", crate::agent::boot::run())
}

fn ended(face: &str, result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("lvslab {face}: {error}\n"));
            ExitCode::from(Status::Internal.code())
        }
    }
}

fn run(verb: Verb) -> u8 {
    let json = verb.json();
    let screen = Screen::new(json);
    let context = match context(&screen) {
        Ok(context) => context,
        Err(error) => return failed(&error, json, &screen),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(&CommandError::io("start the runtime")(error), json, &screen);
        }
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = perform(verb, &context) => Some(result),
            () = interruption() => None,
        }
    });
    // Work that blocks is not waited for: an interrupted run ends now.
    runtime.shutdown_background();
    screen.clear();
    match result {
        Some(Ok(answer)) => {
            let code = printed(&answer.text, answer.status.code());
            complain(&answer.complaint);
            code
        }
        Some(Err(error)) => failed(&error, json, &screen),
        None => {
            let situation = context.situation.get();
            complain(&if situation.is_empty() {
                "interrupted\n".to_owned()
            } else {
                format!("interrupted: {situation}\n")
            });
            Status::Interrupted.code()
        }
    }
}

async fn perform(verb: Verb, context: &Context) -> Result<Answer, CommandError> {
    match verb {
        Verb::Up(verb) => verb.exec(context).await,
        Verb::Plan(verb) => verb.exec(context).await,
        Verb::Verify(verb) => verb.exec(context).await,
        Verb::Trace(verb) => verb.exec(context).await,
        Verb::Down(verb) => verb.exec(context).await,
        Verb::Explain(verb) => verb.exec(context),
        Verb::Break(verb) => verb.exec(context).await,
        Verb::Hint(verb) => verb.exec(context),
        Verb::Repair(verb) => verb.exec(context).await,
        Verb::Exec(verb) => verb.exec(context).await,
        Verb::Status(verb) => verb.exec(context).await,
        Verb::Sandbox(verb) => verb.exec(context).await,
        Verb::Ipvs(verb) => verb.exec(context).await,
        Verb::Completions(verb) => Ok(verb.exec(Arguments::command())),
        Verb::Man(verb) => verb.exec(Arguments::command()),
        Verb::Ssh(verb) => match verb.exec(context)? {},
        // Dispatched before there is a runtime.
        Verb::Agent | Verb::Boot | Verb::Guard { .. } | Verb::Ipvsadm { .. } => {
            Ok(Answer::done(""))
        }
    }
}

/// SIGINT or SIGTERM.
async fn interruption() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn context(screen: &Screen) -> Result<Context, CommandError> {
    Ok(Context {
        dirs: Dirs::from_environment().map_err(|source| CommandError::NoDirectories { source })?,
        progress: screen.progress(),
        style: style(),
        ask: screen.asker(),
        situation: Situation::default(),
    })
}

fn style() -> Style {
    match console::Term::stdout().size_checked() {
        Some((_, columns)) => Style::new(ink(), columns.into()),
        None => Style::new(Ink::Plain, 100),
    }
}

/// Colour on a terminal only, and nowhere where NO_COLOR asks for none (no-color.org).
fn ink() -> Ink {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !unwanted && !dumb() {
        Ink::Ansi
    } else {
        Ink::Plain
    }
}

fn dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

fn failed(error: &CommandError, json: bool, screen: &Screen) -> u8 {
    screen.clear();
    complain(&error::text(error));
    if json {
        return printed(
            &format!("{:#}\n", error::document(error)),
            error.status().code(),
        );
    }
    error.status().code()
}

/// Standard error, as it is used for progress and questions.
enum Screen {
    Bars(Arc<Bars>),
    Lines(Arc<Lines<std::io::Stderr>>),
    Nothing,
}

impl Screen {
    fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        if terminal && !dumb() {
            Self::Bars(Arc::new(Bars::new()))
        } else if json {
            Self::Nothing
        } else {
            Self::Lines(Arc::new(Lines::new(std::io::stderr())))
        }
    }

    fn progress(&self) -> Arc<dyn Progress> {
        match self {
            Self::Bars(bars) => Arc::clone(bars) as _,
            Self::Lines(lines) => Arc::clone(lines) as _,
            Self::Nothing => Arc::new(Silent),
        }
    }

    fn asker(&self) -> Option<Asker> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        match self {
            Self::Bars(bars) => {
                let bars = Arc::clone(bars);
                Some(Arc::new(move |question: &str| {
                    let mut yes = false;
                    bars.pause(&mut || yes = question::ask(question));
                    yes
                }))
            }
            Self::Lines(_) => Some(Arc::new(question::ask)),
            Self::Nothing => None,
        }
    }

    fn clear(&self) {
        if let Self::Bars(bars) = self {
            bars.clear();
        }
    }
}

/// Writes to standard output; the exit code is `code` unless that fails.
fn printed(text: &str, code: u8) -> u8 {
    match output::print(text) {
        Ok(()) => code,
        Err(refused) => {
            let refused = CommandError::from(refused);
            complain(&error::text(&refused));
            refused.status().code()
        }
    }
}

/// To standard error.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
