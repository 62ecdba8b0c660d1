//! What is left, and what is said, when something is ended in the middle: the controller, an agent, a save.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Test;
use crate::machines::Machines;
use crate::stage::{Check, Ran, Stage, equal};

pub const TESTS: &[Test] = &[
    (
        "a_killed_controller_leaves_a_lab_that_up_completes",
        killed_controller,
    ),
    (
        "an_interrupted_up_says_what_it_leaves",
        interrupted_controller,
    ),
    (
        "a_killed_agent_is_named_and_the_others_finish",
        killed_agent,
    ),
    ("a_lab_runs_on_when_its_save_is_killed", killed_save),
];

/// Has the web server's start on web1 wait until it is [let go on](GO_ON), so that nothing ends before it is to.
const HOLD: &str = r#"sed -i '1a [ "$1" != start ] || while [ ! -e /run/go ]; do sleep 0.1; done' /etc/init.d/apache2"#;

const GO_ON: [&str; 2] = ["touch", "/run/go"];

/// `up` that has begun to change web1 and does not get to its end.
fn up_in_the_middle(machines: &Machines<'_>, inventory: &str) -> Result<Child, String> {
    machines.exec("web1", &["sh", "-c", HOLD]).exit(0)?;
    let arguments = ["up", &machines.topology, "-i", inventory, "--yes"];
    let mut child = machines.stage.begin(&arguments)?;
    let end = Instant::now() + Duration::from_secs(60);
    while machines
        .exec("web1", &["test", "-d", "/var/lib/lvslab/journal"])
        .code
        != 0
    {
        if Instant::now() > end || child.try_wait().map_err(|e| e.to_string())?.is_some() {
            break;
        }
    }
    Ok(child)
}

/// `up` to its end, once no host is locked any more: what was begun on a host ends there by itself.
fn up_completes(machines: &Machines<'_>, inventory: &str) -> Check {
    let end = Instant::now() + Duration::from_secs(120);
    let mut again = machines.lvslab("up", inventory, &["--yes"]);
    while again.code == 7 && Instant::now() < end {
        again.says("run again")?;
        std::thread::sleep(Duration::from_secs(1));
        again = machines.lvslab("up", inventory, &["--yes"]);
    }
    again.exit(0)?.says("verified")?;
    machines
        .lvslab("up", inventory, &["--yes"])
        .exit(0)?
        .says("no changes")
        .map(drop)
}

fn killed_controller(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    let mut child = up_in_the_middle(&machines, &inventory)?;
    child.kill().map_err(|e| e.to_string())?;
    child.wait().map_err(|e| e.to_string())?;
    machines.exec("web1", &GO_ON).exit(0)?;
    up_completes(&machines, &inventory)
}

fn interrupted_controller(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    let child = up_in_the_middle(&machines, &inventory)?;
    let id = i32::try_from(child.id()).map_err(|e| e.to_string())?;
    kill(Pid::from_raw(id), Signal::SIGINT).map_err(|e| e.to_string())?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    Ran::new("lvslab up, interrupted".to_owned(), &output)
        .exit(130)?
        .says("interrupted: some hosts may be changed and others not")?
        .says("completes the lab")?;
    machines.exec("web1", &GO_ON).exit(0)?;
    up_completes(&machines, &inventory)
}

/// Ends the agent on the host it runs on, as the out-of-memory killer would.
const KILL_AGENT: &str = r#"
for round in $(seq 200); do
  for process in /proc/[0-9]*; do
    case $(tr '\0' ' ' 2> /dev/null < "$process/cmdline") in
      "/var/lib/lvslab/bin/"*" agent ") kill -KILL "${process#/proc/}" && exit 0 ;;
    esac
  done
done
exit 1"#;

fn killed_agent(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    let child = up_in_the_middle(&machines, &inventory)?;
    machines.exec("web1", &["sh", "-c", KILL_AGENT]).exit(0)?;
    machines.exec("web1", &GO_ON).exit(0)?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let ran = Ran::new("lvslab up, an agent killed".to_owned(), &output)
        .exit(3)?
        .says("web1: ")?
        .says("run the same command again")?;
    for host in ["client", "director", "web2"] {
        if !ran
            .out
            .lines()
            .any(|line| line.contains(host) && line.contains("changed"))
        {
            return Err(format!("no result of {host}\n{ran}"));
        }
    }
    up_completes(&machines, &inventory)
}

/// A save that is killed as soon as `begun` is there.
fn save_killed_once(stage: &Stage, begun: &Path) -> Result<ExitStatus, String> {
    let mut child = stage.begin(&["sandbox", "save", "half", "--lab", "dr"])?;
    while !begun.exists() && child.try_wait().map_err(|e| e.to_string())?.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().map_err(|e| e.to_string())?;
    child.wait().map_err(|e| e.to_string())
}

fn killed_save(stage: &Stage) -> Check {
    let lab = stage.deployed("dr")?;
    let saved = stage.path("cache/lvslab/saved/dr");
    let begun = saved.join(".saving/state");
    // A save takes less than a second; one that was done before it could be killed is made again.
    let mut ended = save_killed_once(stage, &begun)?;
    for _ in 0..4 {
        if ended.success() {
            std::fs::remove_dir_all(saved.join("half")).map_err(|e| e.to_string())?;
            ended = save_killed_once(stage, &begun)?;
        }
    }
    equal("what ended the save", &ended.signal(), &Some(9))?;
    lab.up().exit(0)?.says("verified")?;
    stage
        .lvslab(&["sandbox", "save", "half", "--lab", "dr"])
        .exit(0)?;
    equal("remains of the killed save", &begun.exists(), &false)?;
    lab.verify().exit(0)?;
    std::fs::remove_dir_all(saved.join("half")).map_err(|e| e.to_string())
}
