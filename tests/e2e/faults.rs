//! Grades the grader: every fault of the catalogue is set in every course lab it fits. `verify` should detect it and
//! name it as the one cause, and the commands that are printed for it should mend the lab.
//!
//! What was seen is compared with the table in `docs/faults.md`, or written there with `LVSLAB_WRITE_DOCS=1`.

use std::fs;
use std::time::Instant;

use lvslab::exit::Status;
use serde_json::Value;

use crate::Test;
use crate::choice;
use crate::fault_table::{self, Case, compare};
use crate::look::Look;
use crate::stage::{Check, Deployed, Ran, Stage, equal};

pub const TESTS: &[Test] = &[
    (
        "every_fault_is_detected_named_and_fixed_as_printed",
        every_fault,
    ),
    (
        "a_random_exercise_is_secret_and_hints_lead_to_it",
        random_exercise,
    ),
    ("up_ends_an_exercise", up_ends_an_exercise),
    (
        "a_saved_state_keeps_its_exercise",
        saved_state_keeps_its_exercise,
    ),
    (
        "asking_from_the_director_of_a_dr_lab_is_explained",
        vantage_point,
    ),
];

fn every_fault(stage: &Stage) -> Check {
    let only = choice::only_fault()?;
    if only.is_some() && choice::writes_docs()? {
        return Err("LVSLAB_WRITE_DOCS needs every fault, not LVSLAB_ONLY_FAULT".to_owned());
    }
    let mut cases = Vec::new();
    for (at, name) in ["nat", "dr"].into_iter().enumerate() {
        let lab = stage.deployed(name)?;
        let listed = json(stage, &["break", &lab.topology(), "--list", "--json"], 0)?;
        let faults = listed["faults"].as_array().ok_or("no list of faults")?;
        if faults.len() < 24 {
            return Err(format!("only {} faults fit lab {name}", faults.len()));
        }
        let chosen = |fault: &&Value| only.is_none_or(|only| fault["name"] == only);
        for fault in faults.iter().filter(chosen) {
            for host in hosts_of(fault, at)? {
                let case = tried(&lab, fault, host)?;
                let outcome = case.mistake().unwrap_or("ok");
                eprintln!(
                    "    {name:4} {:26} {:9} {:4.1} s  {outcome}",
                    case.fault, case.host, case.seconds
                );
                if case.mistake().is_some() {
                    pristine(&lab)?;
                }
                cases.push(case);
            }
        }
    }
    if cases.is_empty() {
        return Err("no fault was tried".to_owned());
    }
    let mistakes: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let why = case.mistake()?;
            Some(format!(
                "{} on {} in {}: {why}",
                case.fault, case.host, case.lab
            ))
        })
        .collect();
    let compared = match only {
        Some(_) if mistakes.is_empty() => return Ok(()),
        Some(_) => Err(String::new()),
        None => compare(&fault_table::document(&cases)),
    };
    compared.map_err(|differs| {
        let sum = format!("{} of {} cases went wrong", mistakes.len(), cases.len());
        format!("{differs}\n{sum}\n\n{}", mistakes.join("\n\n"))
    })
}

/// One case. It is tried again, once and from the start, where a host was not reached: that says nothing about the
/// grader.
fn tried(lab: &Deployed<'_>, fault: &Value, host: &str) -> Result<Case, String> {
    match one(lab.stage, lab.lab, fault, host) {
        Err(Stopped::Unreachable(why)) => {
            eprintln!("    {} {}: again, after {why}", lab.lab, fault["name"]);
            pristine(lab)?;
            Ok(one(lab.stage, lab.lab, fault, host)?)
        }
        other => Ok(other?),
    }
}

/// The lab as `up` left it.
fn pristine(lab: &Deployed<'_>) -> Check {
    lab.stage
        .lvslab(&["sandbox", "restore", "deployed", "--lab", lab.lab])
        .exit(0)?;
    Ok(())
}

/// The hosts on which a fault is tried. They are shared out over the labs, so that each is tried somewhere: the first
/// in the first lab, the others in the second. web2 is left out, because web1 is like it.
fn hosts_of(fault: &Value, lab: usize) -> Result<Vec<&str>, String> {
    let hosts: Vec<&str> = fault["hosts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|host| *host != "web2")
        .collect();
    match (lab, &hosts[..]) {
        (1, [_, others @ ..]) if !others.is_empty() => Ok(others.to_vec()),
        (_, [first, ..]) => Ok(vec![*first]),
        (_, []) => Err(format!("{} fits no host but web2", fault["name"])),
    }
}

/// Why a fault was not tried to the end.
pub enum Stopped {
    /// A host was not reached.
    Unreachable(String),
    /// Setting the fault, or taking it back, failed.
    Failed(String),
}

impl From<String> for Stopped {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<Stopped> for String {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Unreachable(why) | Stopped::Failed(why) => why,
        }
    }
}

/// Passes on a run that reached every host.
pub fn reached(ran: Ran) -> Result<Ran, Stopped> {
    if ran.is_unreachable() {
        Err(Stopped::Unreachable(ran.to_string()))
    } else {
        Ok(ran)
    }
}

/// Sets a fault, verifies the lab, types what is printed, and takes the fault back.
pub fn one(stage: &Stage, name: &'static str, fault: &Value, host: &str) -> Result<Case, Stopped> {
    let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
    let began = Instant::now();
    let kind = text("name");
    let set = reached(stage.lvslab(&["break", name, &kind, "--host", host, "--json"]))?;
    let set = document(set.exit(0)?)?;
    let cause = set["fault"]["cause"]
        .as_str()
        .ok_or("no cause".to_owned())?;
    let look = Look {
        kept: stage.path("look.json").to_string_lossy().into_owned(),
        stage,
        name,
    };
    let ran = reached(look.again("2"))?;
    let detected = ran.code == i32::from(Status::NotVerified.code());
    let (named, fixed) = if detected {
        let report = document(ran)?;
        let fixed = match failing(&report)[..] {
            [check] => look.fix(check)?,
            _ => Err("there is no one cause to fix".to_owned()),
        };
        (named(&report, cause, host), fixed)
    } else {
        let why = format!("not detected\n{ran}");
        (Err(why.clone()), Err(why))
    };
    reached(stage.lvslab(&["repair", name]))?.exit(0)?;
    Ok(Case {
        fault: kind,
        what: text("what"),
        effect: text("effect"),
        symptom: text("symptom"),
        lab: name,
        host: host.to_owned(),
        detected,
        named,
        fixed,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The cause, where exactly that check failed and all others passed or are blocked.
fn named(report: &Value, cause: &str, host: &str) -> Result<String, String> {
    let failed = failing(report);
    let shown: Vec<String> = failed.iter().map(|check| outline(check)).collect();
    match failed[..] {
        [check] if check["id"] == cause && check["host"] == host => {}
        _ => return Err(format!("expected {cause}, failed:\n{}", shown.join("\n"))),
    }
    let errors: Vec<String> = checks(report)
        .filter(|check| check["status"] == "error" || check["status"] == "unreachable")
        .map(outline)
        .collect();
    if !errors.is_empty() {
        return Err(format!("not judged:\n{}", errors.join("\n")));
    }
    Ok(cause.to_owned())
}

fn checks(report: &Value) -> impl Iterator<Item = &Value> {
    report["checks"].as_array().into_iter().flatten()
}

pub fn failing(report: &Value) -> Vec<&Value> {
    checks(report)
        .filter(|check| check["status"] == "fail")
        .collect()
}

pub fn outline(check: &Value) -> String {
    format!(
        "  {} {}: expected {}, observed {}",
        check["status"].as_str().unwrap_or_default(),
        check["id"].as_str().unwrap_or_default(),
        check["expected"].as_str().unwrap_or_default(),
        check["observed"].as_str().unwrap_or_default()
    )
}

pub fn json(stage: &Stage, arguments: &[&str], code: i32) -> Result<Value, String> {
    document(stage.lvslab(arguments).exit(code)?)
}

pub fn document(ran: Ran) -> Result<Value, String> {
    serde_json::from_str(&ran.out).map_err(|error| format!("no document ({error})\n{ran}"))
}

fn random_exercise(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    stage
        .lvslab(&["hint", "nat"])
        .exit(2)?
        .says("no exercise is set")?;
    let set = stage
        .lvslab(&["break", "nat", "--random", "--seed", "11"])
        .exit(0)?
        .says("seed 11")?;
    let state = fs::read_to_string(stage.path("state/lvslab/nat/exercise"))
        .map_err(|error| error.to_string())?;
    // A second exercise is refused.
    stage
        .lvslab(&["break", "nat", "no-gateway"])
        .exit(2)?
        .says("already")?;
    let report = json(stage, &["verify", "nat", "--requests", "2", "--json"], 6)?;
    let failed = failing(&report);
    let [check] = failed[..] else {
        return Err(format!("not one cause: {failed:#?}"));
    };
    let host = check["host"].as_str().unwrap_or_default();
    for secret in [host, check["id"].as_str().unwrap_or_default()] {
        if set.out.contains(secret) || state.contains(secret) {
            return Err(format!("{secret} is given away:\n{}\n{state}", set.out));
        }
    }
    for (given, word) in [(1, "symptom"), (2, "look at"), (3, host), (4, "setting")] {
        let hint = stage.lvslab(&["hint", "nat"]).exit(0)?.says(word)?;
        equal(
            "hints given",
            &hint
                .out
                .lines()
                .filter(|line| line.starts_with("  "))
                .count(),
            &given,
        )?;
        if given < 3 && hint.out.contains(host) {
            return Err(format!("the host comes too early\n{hint}"));
        }
    }
    stage.lvslab(&["repair", "nat"]).exit(0)?.says(host)?;
    stage
        .lvslab(&["repair", "nat"])
        .exit(0)?
        .says("nothing to repair")?;
    lab.verify().exit(0)?;
    Ok(())
}

fn up_ends_an_exercise(stage: &Stage) -> Check {
    let lab = stage.deployed("nat")?;
    stage
        .lvslab(&["break", "nat", "firewall-drop", "--host", "web2"])
        .exit(0)?;
    lab.verify()
        .exit(6)?
        .says("web2")?
        .says("tcp dport 80 drop")?;
    lab.up().exit(0)?.says("verified")?;
    stage.lvslab(&["hint", "nat"]).exit(2)?;
    lab.exec("web2", &["nft", "list", "ruleset"]).exit(0)?;
    equal(
        "rules left on web2",
        &lab.exec("web2", &["nft", "list", "ruleset"])
            .exit(0)?
            .out
            .trim(),
        &"",
    )
}

fn saved_state_keeps_its_exercise(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    stage
        .lvslab(&["break", "dr", "weight-zero"])
        .exit(0)?
        .says("weight-zero")?;
    stage
        .lvslab(&["sandbox", "save", "class", "--lab", "dr"])
        .exit(0)?;
    stage.lvslab(&["repair", "dr"]).exit(0)?;
    lab.verify().exit(0)?;
    stage.lvslab(&["down", "dr"]).exit(0)?;
    stage
        .lvslab(&["sandbox", "restore", "class", "--lab", "dr"])
        .exit(0)?;
    lab.verify().exit(6)?.says("weight 0 instead of")?;
    stage.lvslab(&["hint", "dr"]).exit(0)?.says("symptom")?;
    stage.lvslab(&["repair", "dr"]).exit(0)?.says("director")?;
    lab.verify().exit(0)?;
    Ok(())
}

fn vantage_point(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let ran = lab.exec(
        "director",
        &["curl", "-s", "-m", "5", "http://192.168.4.15/"],
    );
    ran.says("the director owns 192.168.4.15")?
        .says("lvslab exec client -- curl")?;
    let ran = lab.exec("client", &["curl", "-s", "-m", "5", "http://192.168.4.15/"]);
    if ran.err.contains("director") {
        return Err(format!("advice where none is due\n{ran}"));
    }
    Ok(())
}
