//! `-R`: rules from standard input, all of them or none.
//!
//! They are parsed before anything is sent, and sent in few system calls. When the kernel refuses one, the
//! others are taken back and every refusal is named with its line; with `--keep-going` the others stay, as
//! with ipvsadm. Counters and the connections of what was deleted cannot be restored.

use super::action::{OnRefusal, Restore, Start};
use super::behaviour::Setting;
use super::failure::{Failure, Kind, refusal_text};
use super::rules::{Parsed, Rules};
use crate::ipvs::{Client, Command, Refused, Snapshot};

/// Restores `text`. Returns lines for standard error: the rules that are there twice.
pub(super) fn restore(
    ipvs: &Client,
    text: &str,
    setting: &Setting,
    how: Restore,
) -> Result<String, Failure> {
    let mut first = Rules::default();
    if how.start == Start::Empty {
        first.push(0, Command::Flush);
    }
    let parsed = Parsed::read(text, setting, first, &mut |partial, before| {
        partial.complete(ipvs, before)
    });
    let rules = parsed.whole().map_err(|error| error.failure())?;
    let before = match how.on_refusal {
        OnRefusal::KeepGoing => None,
        OnRefusal::Undo => {
            let before = Snapshot::read(ipvs, &rules.commands);
            Some(before.map_err(|error| Failure::command(&error))?)
        }
    };
    let (mut failure, refused) = match ipvs.batch(&rules.commands) {
        Ok(refused) if refused.is_empty() => return Ok(String::new()),
        Ok(refused) => {
            let repetitions = rules.repetitions();
            let lines = by_line(&rules, &refused);
            if refused.iter().all(|one| repetitions.contains(&one.index)) {
                return Ok(lines);
            }
            let failure = Failure::new(Kind::Refused, lines.trim_end());
            (failure, Some(refused))
        }
        Err(error) => (Failure::command(&error), None),
    };
    if let Some(before) = before {
        let undone = match before.restore(ipvs, &rules.commands, refused.as_deref()) {
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

/// A line for each refusal.
fn by_line(rules: &Rules, refused: &[Refused]) -> String {
    refused
        .iter()
        .map(|one| {
            let line = rules.lines.get(one.index).copied().unwrap_or_default();
            format!("line {line}: {}\n", refusal_text(one))
        })
        .collect()
}

/// Whether a `-Z` was, or may have been, carried out.
fn zeroed(commands: &[Command], refused: Option<&[Refused]>) -> bool {
    let refused = refused.unwrap_or_default();
    commands.iter().enumerate().any(|(index, command)| {
        matches!(command, Command::Zero(_)) && refused.iter().all(|one| one.index != index)
    })
}
