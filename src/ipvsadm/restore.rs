//! `-R`: rules from standard input, all of them or none.
//!
//! They are parsed whole before anything is sent, and sent in few system calls. When the kernel refuses
//! one, what was done is undone and every refusal is named with its line; with `--keep-going` the others
//! stay, as with ipvsadm. Services, real servers, timeouts and daemons are put back; counters and
//! connections of what was deleted cannot be.

use super::failure::{Failure, refusal_text};
use super::names::Names;
use super::rules::{self, Rules};
use super::undo::Before;
use crate::ipvs::{Client, Command, Refused};

/// Restores `text`.
pub(super) fn restore(
    ipvs: &Client,
    text: &str,
    names: &Names,
    keep_going: bool,
) -> Result<(), Failure> {
    let rules = rules::parse(text, names, &mut |keeping, before| {
        keeping.resolve(ipvs, before)
    })
    .map_err(|error| Failure {
        message: error.to_string(),
        status: error.status,
    })?;
    let before = if keep_going {
        None
    } else {
        let before = Before::read(ipvs, &rules.commands);
        Some(before.map_err(|error| Failure::command(&error))?)
    };
    let (mut failure, refused) = match ipvs.batch(&rules.commands) {
        Ok(refused) if refused.is_empty() => return Ok(()),
        Ok(refused) => (refusals(&rules, &refused), Some(refused)),
        Err(error) => (Failure::command(&error), None),
    };
    if let Some(before) = before {
        let undone = match before.put_back(ipvs, &rules.commands, refused.as_deref()) {
            Ok(()) if zeroed(&rules.commands, refused.as_deref()) => {
                "nothing was restored; counters that -Z set to zero stay so".to_owned()
            }
            Ok(()) => "nothing was restored".to_owned(),
            Err(error) => {
                format!("what was restored before that could not be undone: {error}")
            }
        };
        failure.message.push('\n');
        failure.message.push_str(&undone);
    }
    Err(failure)
}

/// What the kernel refused, by line.
fn refusals(rules: &Rules, refused: &[Refused]) -> Failure {
    let lines: Vec<String> = refused
        .iter()
        .map(|one| {
            let line = rules.lines.get(one.index).copied().unwrap_or_default();
            format!("line {line}: {}", refusal_text(one))
        })
        .collect();
    Failure::unknown(lines.join("\n"))
}

/// Whether counters were, or may have been, set to zero.
fn zeroed(commands: &[Command], refused: Option<&[Refused]>) -> bool {
    let refused = refused.unwrap_or_default();
    commands.iter().enumerate().any(|(index, command)| {
        matches!(command, Command::Zero(_)) && refused.iter().all(|one| one.index != index)
    })
}
