//! The exercise that is set in a lab: which fault, how many hints were given, how it is taken back.
//!
//! Kept in the lab's state directory, sealed so that looking into the directory does not give it away: its
//! body is base64. The sandbox keeps that file with a saved state and puts it back with it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::agent::protocol::{Reply, Request, Script};
use crate::deployment::{Deployment, Trouble, run_id};
use crate::exit::Status;
use crate::fault::Fault;
use crate::model::{HostName, Lab, LabId};
use crate::sys::atomic;
use crate::sys::dirs::{Dirs, EXERCISE_FILE};
use crate::sys::local::LocalError;

const SCHEMA: &str = "lvslab.exercise/1";

/// Longest time to set or take back a fault on a host, seconds; a web server may have to be restarted.
const SECONDS: u32 = 120;

/// A fault that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exercise {
    /// Its name in the catalogue.
    pub fault: String,
    /// Where it is.
    pub host: HostName,
    /// What is wrong.
    pub setting: String,
    /// What a student sees.
    pub symptom: String,
    /// Where to look.
    pub area: String,
    /// Shell lines that undo what no plan covers.
    pub undo: Vec<String>,
    /// Hints given so far.
    pub hints: u32,
}

/// The file, whose body cannot be read at a glance.
#[derive(Serialize, Deserialize)]
struct Sealed {
    schema: String,
    sealed: String,
}

impl Exercise {
    /// `fault`, with the values that unplanned kernel settings had before it.
    #[must_use]
    pub fn new(fault: &Fault, kept: &[(String, String)]) -> Self {
        let mut undo = fault.damage.undo.clone();
        undo.extend(
            kept.iter()
                .map(|(key, value)| format!("sysctl -q -w '{key}={value}'")),
        );
        Self {
            fault: fault.kind.name.to_owned(),
            host: fault.host.clone(),
            setting: fault.damage.setting.clone(),
            symptom: fault.kind.symptom.to_owned(),
            area: fault.kind.layer.where_to_look().to_owned(),
            undo,
            hints: 0,
        }
    }

    /// The hints, from the vaguest to the plainest.
    #[must_use]
    pub fn all_hints(&self) -> [(&'static str, String); 4] {
        [
            ("symptom", self.symptom.clone()),
            ("look at", self.area.clone()),
            ("host", format!("It is on {}.", self.host)),
            ("setting", format!("{}: {}", self.fault, self.setting)),
        ]
    }
}

/// The exercise that is set in `lab`.
///
/// # Errors
/// When its file cannot be read or is not ours.
pub fn active(dirs: &Dirs, lab: &LabId) -> Result<Option<Exercise>, LocalError> {
    let path = file(dirs, lab);
    let failed = || format!("read {}", path.display());
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::when(failed())(error)),
    };
    let opened = open(&text).map_err(|error| LocalError::when(failed())(error))?;
    Ok(Some(opened))
}

fn open(text: &[u8]) -> io::Result<Exercise> {
    let sealed: Sealed = serde_json::from_slice(text)?;
    if sealed.schema != SCHEMA {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it says it is `{}`", sealed.schema),
        ));
    }
    let body = BASE64
        .decode(sealed.sealed)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(serde_json::from_slice(&body)?)
}

/// Remembers `exercise` as set in `lab`.
///
/// # Errors
/// When it cannot be written.
pub fn remember(dirs: &Dirs, lab: &LabId, exercise: &Exercise) -> Result<(), LocalError> {
    let path = file(dirs, lab);
    let written = || -> io::Result<()> {
        let sealed = Sealed {
            schema: SCHEMA.to_owned(),
            sealed: BASE64.encode(serde_json::to_vec(exercise)?),
        };
        atomic::write(&path, &serde_json::to_vec(&sealed)?, 0o600)
    };
    written().map_err(LocalError::when(format!("write {}", path.display())))
}

/// Forgets the exercise of `lab`, if there is one.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(dirs: &Dirs, lab: &LabId) -> Result<(), LocalError> {
    let path = file(dirs, lab);
    atomic::remove(&path).map_err(LocalError::when(format!("remove {}", path.display())))
}

fn file(dirs: &Dirs, lab: &LabId) -> PathBuf {
    dirs.lab(lab).join(EXERCISE_FILE)
}

/// Undoes on the exercise's host what no plan covers, and clears every host's neighbour entries, which the fault may
/// have spoiled. Returns whether that succeeded; failures are among the deployment's troubles.
pub async fn take_back(deployment: &mut Deployment<'_>, lab: &Lab, exercise: &Exercise) -> bool {
    let mut networks: Vec<_> = lab
        .hosts()
        .iter()
        .flat_map(|host| &host.attachments)
        .map(|attachment| attachment.address.trunc())
        .collect();
    networks.sort();
    networks.dedup();
    let forget = networks
        .iter()
        .map(|network| format!("ip neighbour flush to {network} 2> /dev/null || true"));
    let forget: Vec<String> = forget.collect();
    let scripts = lab
        .hosts()
        .iter()
        .map(|host| {
            let own = (host.name == exercise.host).then_some(&exercise.undo);
            let lines = own.into_iter().flatten().chain(&forget).cloned();
            (host.name.clone(), lines.collect())
        })
        .collect();
    let before = deployment.troubles.len();
    run(deployment, &scripts).await;
    deployment.troubles.len() == before && !deployment.in_trouble(&exercise.host)
}

/// Runs each host's lines on it, all hosts at once. Failures are among the deployment's troubles.
pub async fn run(deployment: &mut Deployment<'_>, scripts: &BTreeMap<HostName, Vec<String>>) {
    let replies = deployment
        .ask_ready(|host| {
            let script = Script {
                run: run_id(),
                lines: scripts.get(host)?.clone(),
                seconds: SECONDS,
            };
            Some(vec![Request::Script(script)])
        })
        .await;
    for (host, replies) in replies {
        match replies.last() {
            Some(Reply::Ran { code: Some(0), .. }) => {}
            Some(Reply::Ran { code, complaint }) => {
                deployment.troubles.push(ended(&host, *code, complaint));
            }
            other => deployment.confused(&host, other),
        }
    }
}

fn ended(host: &HostName, code: Option<i32>, complaint: &str) -> Trouble {
    let how = match code {
        Some(code) => format!("the shell ended with {code}"),
        None => "the shell did not end by itself".to_owned(),
    };
    Trouble {
        host: host.clone(),
        resource: Some("exercise".to_owned()),
        cause: if complaint.is_empty() {
            how
        } else {
            format!("{how}: {complaint}")
        },
        tried: None,
        next: Some(format!(
            "`lvslab ssh {host}` and look, or `lvslab up` the lab again"
        )),
        status: Status::HostFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(directory: &tempfile::TempDir) -> Dirs {
        let below = |name: &str| directory.path().join(name);
        Dirs {
            cache: below("cache"),
            state: below("state"),
            runtime: below("run"),
        }
    }

    fn exercise() -> Exercise {
        Exercise {
            fault: "no-gateway".to_owned(),
            host: "web1".parse().unwrap(),
            setting: "there is no default route".to_owned(),
            symptom: "Requests hang.".to_owned(),
            area: "routes".to_owned(),
            undo: vec!["true".to_owned()],
            hints: 2,
        }
    }

    #[test]
    fn an_exercise_is_remembered_without_being_given_away() {
        let directory = tempfile::tempdir().unwrap();
        let dirs = dirs(&directory);
        let lab: LabId = "nat".parse().unwrap();
        std::fs::create_dir_all(dirs.lab(&lab)).unwrap();
        assert_eq!(active(&dirs, &lab).unwrap(), None);
        remember(&dirs, &lab, &exercise()).unwrap();
        assert_eq!(active(&dirs, &lab).unwrap(), Some(exercise()));
        let text = std::fs::read_to_string(dirs.lab(&lab).join("exercise")).unwrap();
        for word in ["gateway", "web1", "route", "hang"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        forget(&dirs, &lab).unwrap();
        forget(&dirs, &lab).unwrap();
        assert_eq!(active(&dirs, &lab).unwrap(), None);
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        assert!(open(b"{\"schema\":\"lvslab.exercise/2\",\"sealed\":\"\"}").is_err());
        assert!(open(b"{\"schema\":\"lvslab.exercise/1\",\"sealed\":\"!\"}").is_err());
        assert!(open(b"exercise").is_err());
    }
}
