//! Errors as people and programs read them: the error, its sources, and what to do, once.

use std::error::Error;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::commands::CommandError;
use crate::report::clean;

/// `error: MESSAGE: SOURCE: …` and `hint: …`.
pub fn text(error: &CommandError) -> String {
    let mut out = String::from("error: ");
    push_lines(&mut out, &message(error), "");
    if let CommandError::Host(host) = error
        && let Some(tried) = host.tried()
    {
        let _ = writeln!(out, "tried: {}", clean::line(&tried));
    }
    if let Some(hint) = error.hint() {
        out.push_str("hint:  ");
        push_lines(&mut out, &hint, "       ");
    }
    out
}

/// `lvslab.error/1`.
pub fn document(error: &CommandError) -> Value {
    json!({
        "schema": "lvslab.error/1",
        "error": message(error),
        "hint": error.hint(),
        "exit": error.status().code(),
    })
}

/// The error with its sources, each of which says only what the one before leaves out.
fn message(error: &CommandError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

fn push_lines(out: &mut String, text: &str, indent: &str) {
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.push_str(indent);
        }
        out.push_str(&clean::line(line));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::deployment::DeploymentError;
    use crate::labs::LabsError;
    use crate::model::LabName;
    use crate::sandbox::{Accelerator, MachineError, RequestError, SandboxError};

    fn shown(error: &CommandError) -> String {
        format!("{}exit {}", text(error), error.status().code())
    }

    #[test]
    fn errors_say_what_why_and_what_next_once() {
        let lab = || "dr".parse().unwrap();
        let errors = [
            CommandError::io("write /state/dr/lab.json")(io::Error::from_raw_os_error(28)),
            CommandError::NoDirectories {
                source: io::Error::other("neither XDG_CACHE_HOME nor HOME is set"),
            },
            LabsError::NothingUp.into(),
            LabsError::NotUp { lab: lab() }.into(),
            LabsError::WhichLab {
                labs: vec![lab(), "nat".parse().unwrap()],
            }
            .into(),
            LabsError::UnknownHost {
                host: "web9".parse().unwrap(),
                lab: lab(),
                known: vec!["client".parse().unwrap(), "web1".parse().unwrap()],
            }
            .into(),
            LabsError::InventoryForName { name: lab() }.into(),
            LabsError::ElsewhereUp {
                lab: lab(),
                sandbox: true,
            }
            .into(),
            LabsError::ElsewhereUp {
                lab: lab(),
                sandbox: false,
            }
            .into(),
            LabsError::MachinesLeftOut {
                lab: lab(),
                machines: vec!["web3 (10.0.0.3)".to_owned()],
            }
            .into(),
            LabsError::NotInSandbox { lab: lab() }.into(),
            CommandError::ExerciseSet { lab: lab() },
            CommandError::NoExercise { lab: lab() },
        ];
        let pages: Vec<String> = errors.iter().map(shown).collect();
        insta::assert_snapshot!(pages.join("\n\n"));
    }

    #[test]
    fn errors_of_the_sandbox_say_what_why_and_what_next_once() {
        let lab = || "dr".parse().unwrap();
        let errors = [
            SandboxError::from(RequestError::SaveName {
                name: "before_class".to_owned(),
                source: "before_class".parse::<LabName>().unwrap_err(),
            }),
            SandboxError::from(RequestError::TooManyHosts {
                hosts: 300,
                most: 234,
            }),
            SandboxError::from(RequestError::AcceleratorVariable(
                "hvf".parse::<Accelerator>().unwrap_err(),
            )),
            SandboxError::from(MachineError::Qemu {
                complaint: "Could not access KVM kernel module: Device or resource busy".to_owned(),
            }),
            SandboxError::from(MachineError::Monitor {
                command: "saving its state".to_owned(),
                complaint: "No space left on device".to_owned(),
            }),
            SandboxError::SocketsGone {
                lab: lab(),
                runtime: "/run/user/1000/lvslab/dr".into(),
            },
            SandboxError::RuntimeDirectory {
                path: "/tmp/lvslab-1000".into(),
                source: io::Error::other(
                    "/tmp/lvslab-1000 belongs to somebody else or others may write to it",
                ),
            },
            SandboxError::from(RequestError::UnusableSave {
                lab: lab(),
                name: "fresh".parse().unwrap(),
                obstacle: "it was saved with QEMU 8.0, here is 7.2.22".to_owned(),
            }),
        ];
        let pages = errors.map(|error| shown(&DeploymentError::from(error).into()));
        insta::assert_snapshot!(pages.join("\n\n"));
    }

    #[test]
    fn a_hosts_text_cannot_move_the_cursor() {
        let error = CommandError::io("do it")(io::Error::other("\u{1b}[2Jgone\u{7}"));
        assert_eq!(text(&error), "error: cannot do it: gone\\x07\n");
    }

    #[test]
    fn programs_get_the_same_as_a_document() {
        let document = document(&LabsError::NothingUp.into());
        assert_eq!(document["schema"], "lvslab.error/1");
        assert_eq!(document["error"], "no lab is up");
        assert_eq!(document["exit"], 4);
    }
}
