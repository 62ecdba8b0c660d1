//! What a killed or interrupted controller, agent or save leaves behind, and what is said about it.

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

/// Makes the web server's start on web1 wait for [`GO_ON`], so that `up` cannot end before the test has acted.
const HOLD: &str = r#"sed -i '1a [ "$1" != start ] || while [ ! -e /run/go ]; do sleep 0.1; done' /etc/init.d/apache2"#;

/// The longest wait for a state that comes within seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(300);

const GO_ON: [&str; 2] = ["touch", "/run/go"];

/// Starts `up` and returns once it has begun to change web1, where it then waits for [`GO_ON`].
fn up_in_the_middle(machines: &Machines<'_>, inventory: &str) -> Result<Child, String> {
    machines.exec("web1", &["sh", "-c", HOLD]).exit(0)?;
    let arguments = ["up", &machines.topology, "-i", inventory, "--yes"];
    let mut child = machines.stage.begin(&arguments)?;
    let end = Instant::now() + PATIENCE;
    while machines
        .exec("web1", &["test", "-d", "/var/lib/lvslab/journal"])
        .code
        != 0
    {
        let ended = child.try_wait().map_err(|e| e.to_string())?.is_some();
        if ended || Instant::now() > end {
            let _ = child.kill();
            let output = child.wait_with_output().map_err(|e| e.to_string())?;
            let ran = Ran::new("lvslab up, to be held on web1".to_owned(), &output);
            return Err(format!("up has not begun to change web1\n{ran}"));
        }
    }
    Ok(child)
}

/// Runs `up` again until no host is locked: what an earlier run began on a host ends there by itself.
fn up_completes(machines: &Machines<'_>, inventory: &str) -> Check {
    let end = Instant::now() + PATIENCE;
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

/// Kills the agent on the host where it runs, as the out-of-memory killer would.
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

/// Starts a save and kills it as soon as the file `begun` exists.
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
    // A save takes less than a second. One that ended before it could be killed is made again.
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
