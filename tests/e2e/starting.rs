//! Starts of the sandbox under difficulties, and the commands of the README.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::Test;
use crate::stage::{Check, Ran, Stage, equal, processes_naming, topology};

pub const TESTS: &[Test] = &[
    ("two_starts_at_once_make_one_machine", two_starts),
    (
        "a_machine_is_found_under_another_runtime_directory_and_ended_without_its_sockets",
        other_runtime_directory,
    ),
    ("a_damaged_base_state_is_replaced", damaged_base_state),
    (
        "a_machine_that_cannot_be_kept_for_later_starts_is_used_now",
        unkept_base_state,
    ),
    ("a_saved_lab_gets_new_keys_when_it_is_restored", new_keys),
    ("the_readme_s_commands_work_as_printed", readme),
];

fn two_starts(stage: &Stage) -> Check {
    let _alone = stage.alone();
    let arguments = ["sandbox", "start", &topology("dr"), "--yes"];
    let other = stage.begin(&arguments)?;
    stage.lvslab(&arguments).exit(0)?;
    let other = other
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    equal("exit of the other start", &other.status.code(), &Some(0))?;
    equal("machines", &machines(stage), &1)?;
    status(stage)?;
    stage
        .lvslab(&["sandbox", "stop", "--lab", "dr"])
        .exit(0)
        .map(drop)
}

fn machines(stage: &Stage) -> usize {
    processes_naming(&stage.path("").to_string_lossy())
        .into_iter()
        .filter(|line| line.contains("qemu-system"))
        .count()
}

/// After a logout systemd removes `XDG_RUNTIME_DIR`, and a cron job has another one.
fn other_runtime_directory(stage: &Stage) -> Check {
    let _alone = stage.alone();
    let lvslab = |arguments: &[&str]| {
        let output = stage
            .command()
            .env("XDG_RUNTIME_DIR", stage.path("run2"))
            .args(arguments)
            .output()
            .expect("lvslab starts");
        Ran::new(format!("lvslab {}", arguments.join(" ")), &output)
    };
    let dr = topology("dr");
    let start = ["sandbox", "start", &dr, "--yes"];
    stage.lvslab(&start).exit(0)?;
    lvslab(&start).exit(0)?.says("sandbox: running")?;
    lvslab(&["sandbox", "reboot", "web1"]).exit(0)?;
    equal("machines", &machines(stage), &1)?;

    fs::remove_dir_all(stage.path("run")).map_err(|error| error.to_string())?;
    lvslab(&["sandbox", "reboot", "web1"])
        .exit(4)?
        .says("are gone")?;
    lvslab(&start)
        .exit(0)?
        .says("it is ended and started anew")?;
    equal("machines after another start", &machines(stage), &1)?;

    fs::remove_dir_all(stage.path("run2")).map_err(|error| error.to_string())?;
    stage.lvslab(&["down", "dr"]).exit(0)?;
    equal("machines after down", &machines(stage), &0)
}

/// Checks `sandbox status --json` of the lab that is up, and the login it shows.
fn status(stage: &Stage) -> Check {
    let ran = stage.lvslab(&["sandbox", "status", "--json"]).exit(0)?;
    let document: Value = serde_json::from_str(&ran.out).map_err(|e| format!("{e}\n{ran}"))?;
    let labs = document["labs"].as_array().ok_or("no labs")?;
    let lab = labs.iter().find(|lab| lab["lab"] == "dr").ok_or("no dr")?;
    if !lab["accelerator"].is_string() || !lab["uptime_seconds"].is_u64() {
        return Err(format!("no accelerator or uptime\n{ran}"));
    }
    let hosts = lab["hosts"].as_array().ok_or("no hosts")?;
    let shown: Vec<_> = hosts
        .iter()
        .map(|host| (host["name"].as_str(), host["state"].as_str()))
        .collect();
    let expected = ["client", "director", "web1", "web2"].map(|name| (Some(name), Some("up")));
    equal("hosts", &shown, &expected.to_vec())?;
    let login = hosts[0]["login"].as_str().unwrap_or_default();
    let said = Command::new("sh")
        .args(["-c", &format!("{login} hostname")])
        .output()
        .map_err(|error| error.to_string())?;
    equal("who answers the login", &said.stdout, &b"client\n".to_vec())
}

fn damaged_base_state(stage: &Stage) -> Check {
    let _alone = stage.alone();
    let start = || {
        stage
            .lvslab(&["sandbox", "start", &topology("dr"), "--yes"])
            .exit(0)
    };
    let stop = || stage.lvslab(&["sandbox", "stop", "--lab", "dr"]).exit(0);
    start()?;
    stop()?;
    let mut damaged = 0;
    for entry in fs::read_dir(stage.path("cache/lvslab/base"))
        .map_err(|error| error.to_string())?
        .flatten()
    {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(entry.path())
            .map_err(|error| error.to_string())?;
        let half = file.metadata().map_err(|error| error.to_string())?.len() / 2;
        file.set_len(half).map_err(|error| error.to_string())?;
        damaged += 1;
    }
    if damaged == 0 {
        return Err("there is no base state to damage".to_owned());
    }
    start()?.says("booted")?;
    stop()?;
    start()?.says("restored")?;
    stop().map(drop)
}

/// Nothing can be written where base states are kept, as on a full disk.
fn unkept_base_state(stage: &Stage) -> Check {
    let _alone = stage.alone();
    let base = stage.path("cache/lvslab/base");
    let away = stage.path("cache/lvslab/base-away");
    let failed = |error: std::io::Error| error.to_string();
    let had_some = base.exists();
    if had_some {
        fs::rename(&base, &away).map_err(failed)?;
    }
    fs::write(&base, "").map_err(failed)?;
    let started = stage.lvslab(&["sandbox", "start", &topology("dr"), "--yes"]);
    fs::remove_file(&base).map_err(failed)?;
    if had_some {
        fs::rename(&away, &base).map_err(failed)?;
    }
    started
        .exit(0)?
        .says("sandbox: could not be kept for later starts: cannot create")?
        .says("sandbox: booted")?;
    stage.exec("dr", "web1", &["true"]).exit(0)?;
    stage.lvslab(&["down", "dr"]).exit(0).map(drop)
}

fn new_keys(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let keys = || -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        for file in ["id_ed25519", "known_hosts"] {
            let path = stage.path("state/lvslab/dr").join(file);
            texts.push(fs::read_to_string(path).map_err(|error| error.to_string())?);
        }
        let ran = lab.exec("web1", &["cat", "/root/.ssh/authorized_keys"]);
        texts.push(ran.exit(0)?.out);
        Ok(texts)
    };
    let before = keys()?;
    stage
        .lvslab(&["sandbox", "restore", "deployed", "--lab", "dr"])
        .exit(0)?;
    let after = keys()?;
    for (before, after) in before.iter().zip(&after) {
        if before == after {
            return Err(format!("the same keys as before:\n{after}"));
        }
    }
    equal("who may log in", &after[2].lines().count(), &1)?;
    lab.verify().exit(0).map(drop)
}

/// Runs every `lvslab …` line of the README's shell blocks about the lab, in order. While an exercise is set, `verify`
/// must fail.
fn readme(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let text = fs::read_to_string("README.md").map_err(|error| error.to_string())?;
    let mut inside = false;
    let (mut ran, mut broken) = (0, false);
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        let command = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = command.split_whitespace().collect();
        // Commands on the classroom's machines and on this machine's IPVS table have tests of their own.
        if !inside
            || words.first() != Some(&"lvslab")
            || words[1] == "ipvs"
            || words.contains(&"classroom.yaml")
        {
            continue;
        }
        let code = if words[1] == "verify" && broken { 6 } else { 0 };
        stage.lvslab(&words[1..]).exit(code)?;
        match words[1] {
            "break" => broken = !words.contains(&"--list"),
            "repair" => broken = false,
            _ => {}
        }
        if words[1] == "down" {
            lab.up().exit(0)?;
        }
        ran += 1;
    }
    if ran < 10 {
        return Err(format!("only {ran} commands were found in the README"));
    }
    Ok(())
}
