//! `-R`: rules from standard input, all of them or none.
//!
//! They are parsed whole before anything is sent, and sent in few system calls. When the kernel refuses
//! one, what was done is undone and every refusal is named with its line; with `--keep-going` the others
//! stay, as with ipvsadm.

use super::failure::{Failure, refusal_text};
use super::names::Names;
use super::rules;
use crate::ipvs::{
    Client, Command, Desired, IpvsError, Others, Refused, Removal, Table, reconcile,
};

/// Restores `text`.
pub(super) fn restore(
    ipvs: &Client,
    text: &str,
    names: &Names,
    keep_going: bool,
) -> Result<(), Failure> {
    let rules = rules::parse(text, names).map_err(|error| Failure {
        message: error.to_string(),
        status: error.status,
    })?;
    let undo = if keep_going {
        Undo::Nothing
    } else {
        Undo::prepare(ipvs, &rules.commands).map_err(|error| Failure::command(&error))?
    };
    let refused = ipvs
        .batch(&rules.commands)
        .map_err(|error| Failure::command(&error))?;
    if refused.is_empty() {
        return Ok(());
    }
    let mut message: Vec<String> = refused
        .iter()
        .map(|one| {
            let line = rules.lines.get(one.index).copied().unwrap_or_default();
            format!("line {line}: {}", refusal_text(one))
        })
        .collect();
    match undo.run(ipvs, &rules.commands, &refused) {
        Ok(true) => message.push("nothing was restored".to_owned()),
        Ok(false) => {}
        Err(error) => message.push(format!(
            "what was restored before that could not be undone: {error}"
        )),
    }
    Err(Failure::unknown(message.join("\n")))
}

/// How to get back to where we were.
enum Undo {
    /// Not wanted.
    Nothing,
    /// Every rule adds something, so its opposite removes it.
    Opposites,
    /// Rules that change or remove: the table as it was.
    Table(Table),
}

impl Undo {
    fn prepare(ipvs: &Client, commands: &[Command]) -> Result<Self, IpvsError> {
        let only_adds = commands.iter().all(|command| {
            matches!(
                command,
                Command::CreateService(_) | Command::AddDestination(..)
            )
        });
        if only_adds {
            return Ok(Self::Opposites);
        }
        Ok(Self::Table(ipvs.table()?))
    }

    /// Whether anything was to be undone.
    fn run(
        self,
        ipvs: &Client,
        commands: &[Command],
        refused: &[Refused],
    ) -> Result<bool, IpvsError> {
        let back = match self {
            Self::Nothing => return Ok(false),
            Self::Opposites => opposites(commands, refused),
            Self::Table(before) => {
                let before: Vec<Desired> = before
                    .into_iter()
                    .map(|status| Desired {
                        service: status.service,
                        destinations: status
                            .destinations
                            .into_iter()
                            .map(|status| status.destination)
                            .collect(),
                    })
                    .collect();
                reconcile(&ipvs.table()?, &before, Others::Delete, Removal::AtOnce)
            }
        };
        match ipvs.batch(&back)?.into_iter().next() {
            Some(refused) => Err(refused.into()),
            None => Ok(true),
        }
    }
}

/// What removes every addition that was not refused, the last one first.
fn opposites(commands: &[Command], refused: &[Refused]) -> Vec<Command> {
    let mut refused = refused.iter().map(|one| one.index).rev().peekable();
    let mut back = Vec::new();
    for (index, command) in commands.iter().enumerate().rev() {
        if refused.next_if_eq(&index).is_some() {
            continue;
        }
        back.extend(match command {
            Command::CreateService(service) => Some(Command::DeleteService(service.key)),
            Command::AddDestination(key, destination) => {
                Some(Command::DeleteDestination(*key, destination.key()))
            }
            _ => None,
        });
    }
    back
}
