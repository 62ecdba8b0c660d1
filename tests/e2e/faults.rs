//! The grader is graded: every fault of the catalogue is set in every course lab it fits, and must be
//! detected, named as the one cause, and gone once the commands that are printed for it have been typed.
//!
//! What came out is the table in `docs/faults.md`, which is compared with this run's;
//! `LVSLAB_WRITE_DOCS=1` writes it instead.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::Test;
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
    let only = std::env::var("LVSLAB_ONLY_FAULT").ok();
    let mut cases = Vec::new();
    for (at, name) in ["nat", "dr"].into_iter().enumerate() {
        let lab = stage.deployed(name)?;
        let listed = json(stage, &["break", &lab.topology(), "--list", "--json"], 0)?;
        let faults = listed["faults"].as_array().ok_or("no list of faults")?;
        if faults.len() < 24 {
            return Err(format!("only {} faults fit lab {name}", faults.len()));
        }
        for fault in faults {
            if only
                .as_ref()
                .is_some_and(|only| fault["name"] != only.as_str())
            {
                continue;
            }
            for host in hosts_of(fault, at) {
                let case = match one(stage, name, fault, host) {
                    Ok(case) => case,
                    // A host that was not reached says nothing of the grader: from the start, once.
                    Err(why) => {
                        eprintln!("    {name} {}: again, after {why}", fault["name"]);
                        pristine(&lab)?;
                        one(stage, name, fault, host)?
                    }
                };
                eprintln!(
                    "    {:4} {:26} {:9} {:4.1} s  {}",
                    name,
                    case.fault,
                    case.host,
                    case.seconds,
                    match (&case.named, &case.fixed) {
                        (Ok(_), Ok(_)) => "ok".to_owned(),
                        (Err(why), _) | (_, Err(why)) => why.clone(),
                    }
                );
                let sound = case.named.is_ok() && case.fixed.is_ok();
                cases.push(case);
                if !sound {
                    pristine(&lab)?;
                }
            }
        }
    }
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let why = case.named.as_ref().err().or(case.fixed.as_ref().err())?;
            Some(format!(
                "{} on {} in {}: {why}",
                case.fault, case.host, case.lab
            ))
        })
        .collect();
    if !wrong.is_empty() {
        return Err(format!(
            "{} of {} faults are not graded right\n\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n\n")
        ));
    }
    if only.is_some() {
        return Ok(());
    }
    compare(&fault_table::document(&cases))
}

/// The lab as `up` left it.
fn pristine(lab: &Deployed<'_>) -> Check {
    lab.stage
        .lvslab(&["sandbox", "restore", "deployed", "--lab", lab.lab])
        .exit(0)?;
    Ok(())
}

/// The hosts of a fault are shared out over the labs, so that each of its places is tried somewhere: the first in
/// the first lab, the others in the second.
fn hosts_of(fault: &Value, lab: usize) -> Vec<&str> {
    let hosts: Vec<&str> = fault["hosts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        // web2 is as web1.
        .filter(|host| *host != "web2")
        .collect();
    match (lab, &hosts[..]) {
        (1, [_, others @ ..]) if !others.is_empty() => others.to_vec(),
        (_, [first, ..]) => vec![*first],
        // That of a second real server, which stands for the first.
        (_, []) => vec!["web1"],
    }
}

/// Sets a fault, has it named, types what is printed, and takes it back.
pub fn one(stage: &Stage, name: &'static str, fault: &Value, host: &str) -> Result<Case, String> {
    let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
    let began = Instant::now();
    let kind = text("name");
    let set = json(stage, &["break", name, &kind, "--host", host, "--json"], 0)?;
    let cause = set["fault"]["cause"].as_str().unwrap_or_default();
    let look = Look {
        kept: stage.path("look.json").to_string_lossy().into_owned(),
        stage,
        name,
    };
    let report = look.again("2").and_then(|ran| document(ran.exit(6)?));
    let (named, fixed) = match report {
        Ok(report) => {
            let named = named(&report, cause, host);
            let fixed = match failing(&report)[..] {
                [check] => look.fix(check)?,
                _ => Err("there is no one cause to fix".to_owned()),
            };
            (named, fixed)
        }
        Err(why) => (
            Err(format!("not detected: {why}")),
            Err("not detected".to_owned()),
        ),
    };
    stage.lvslab(&["repair", name]).exit(0)?;
    Ok(Case {
        fault: kind,
        what: text("what"),
        effect: text("effect"),
        symptom: text("symptom"),
        lab: name,
        host: host.to_owned(),
        named,
        fixed,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Exactly one check failed, the right one; the others passed or are blocked.
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
    // Another one has to wait.
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
