//! Services of a host without systemd: init scripts and the links of `/etc/rc?.d`.
//!
//! Looking starts no process where pid files and `/proc` tell; only where they do not is the script itself
//! asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::limit::SCRIPT_SECONDS;
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::command::{self, Limits, cannot_run, command, run, succeed};
use crate::agent::system::processes;
use crate::agent::system::root::Root;
use crate::resource::{OsFamily, ServiceState};

/// Runlevel of a normal boot (Debian's default; chkconfig's scripts start in it, too).
const RUNLEVEL: char = '2';

pub(super) fn observe(root: &Root, name: &str) -> Result<Option<ServiceState>, ResourceError> {
    if !script(root, name).is_file() {
        return Ok(None);
    }
    let enabled = links(root, name)
        .iter()
        .any(|link| link.level == RUNLEVEL && link.starts);
    let running =
        pid_file_holds(root, name) || (may_run(root, name) && script_says_running(root, name)?);
    Ok(Some(ServiceState {
        running,
        enabled,
        masked: false,
    }))
}

/// Runs `start`, `stop` or `restart` of the script the way service(8) does: from `/` and with nothing of
/// our environment.
///
/// A start has succeeded when the daemon runs: scripts go on to look for it themselves, once a second, and
/// are not waited for.
pub(super) fn act(root: &Root, name: &str, verb: &str) -> Result<(), ResourceError> {
    let limits = Limits::seconds(SCRIPT_SECONDS);
    let mut script = as_service(root, name, verb);
    let shown = command::describe(&script);
    let started = || verb == "start" && pid_file_holds(root, name);
    match command::run_until(&mut script, b"", limits, started) {
        Ok(None) => Ok(()),
        Ok(Some(output)) => command::success(&shown, &output, limits),
        Err(error) => Err(cannot_run(&shown, &error)),
    }
}

/// Has it started at boot, or not.
pub(super) fn enable(root: &Root, name: &str, enabled: bool) -> Result<(), ResourceError> {
    let there = links(root, name);
    if command::find("update-rc.d").is_some() {
        if enabled && !there.iter().any(|link| link.level == RUNLEVEL) {
            // `enable` renames links and makes none; `defaults` makes them where there is none at all.
            update_rc_d(root, &["-f", name, "remove"])?;
            update_rc_d(root, &[name, "defaults"])?;
        } else if !orders_by_dependency(root) {
            toggle(root, name, enabled, &there)?;
        } else if !there.is_empty() {
            let verb = if enabled { "enable" } else { "disable" };
            update_rc_d(root, &[name, verb])?;
        }
        return Ok(());
    }
    if command::find("chkconfig").is_some() {
        let word = if enabled { "on" } else { "off" };
        let limits = Limits::seconds(SCRIPT_SECONDS);
        return succeed(command("chkconfig").args([name, word]), limits).map(|_| ());
    }
    Err(because(format!(
        "{name} cannot be started at boot: this system has neither systemd nor update-rc.d nor chkconfig"
    )))
}

fn update_rc_d(root: &Root, arguments: &[&str]) -> Result<(), ResourceError> {
    let mut update = command("update-rc.d");
    if root.path() != Path::new("/") {
        update.env("DPKG_ROOT", root.path());
    }
    succeed(update.args(arguments), Limits::seconds(SCRIPT_SECONDS)).map(|_| ())
}

fn script(root: &Root, name: &str) -> PathBuf {
    root.join("/etc/init.d").join(name)
}

fn as_service(root: &Root, name: &str, verb: &str) -> Command {
    let mut script = Command::new(script(root, name));
    script
        .arg(verb)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("TERM", "dumb")
        .current_dir("/");
    script
}

fn pid_file_holds(root: &Root, name: &str) -> bool {
    pid_files(name)
        .iter()
        .any(|file| processes::pid_file_holds(root, file, name))
}

/// Whether to ask the script. A web server's program is called like its service, so without a process of that name the
/// script need not be started.
fn may_run(root: &Root, name: &str) -> bool {
    !OsFamily::ALL.map(OsFamily::web_server).contains(&name)
        || !processes::running(root, &[name]).is_empty()
}

/// Where daemons leave their process number.
fn pid_files(name: &str) -> [String; 4] {
    [
        format!("/run/{name}/{name}.pid"),
        format!("/run/{name}.pid"),
        format!("/var/run/{name}/{name}.pid"),
        format!("/var/run/{name}.pid"),
    ]
}

/// Exit status of `status` (LSB Core, Init Script Actions): 0 runs; 1 and 2 died; 3 does not run.
fn script_says_running(root: &Root, name: &str) -> Result<bool, ResourceError> {
    let mut status = as_service(root, name, "status");
    let output = run(&mut status, b"", Limits::seconds(SCRIPT_SECONDS))
        .map_err(|error| cannot_run(&format!("service {name} status"), &error))?;
    Ok(output.status.is_some_and(|status| status.success()))
}

/// One link to the script in `/etc/rc?.d`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    level: char,
    starts: bool,
    path: PathBuf,
}

fn links(root: &Root, name: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for level in "0123456S".chars() {
        let directory = root.join(format!("/etc/rc{level}.d"));
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let file = entry.file_name();
            let Some(file) = file.to_str() else { continue };
            let number_and_name = file
                .strip_prefix('S')
                .or_else(|| file.strip_prefix('K'))
                .and_then(|rest| rest.split_at_checked(2));
            if number_and_name
                .is_some_and(|(n, rest)| n.bytes().all(|b| b.is_ascii_digit()) && rest == name)
            {
                found.push(Link {
                    level,
                    starts: file.starts_with('S'),
                    path: entry.path(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Where insserv or OpenRC keep an order of their own, `update-rc.d` has to tell them.
fn orders_by_dependency(root: &Root) -> bool {
    root.join("/etc/insserv.conf").exists() || root.join("/sbin/openrc").exists()
}

/// What `update-rc.d NAME enable|disable` does where nothing else keeps an order: in the runlevels of the
/// script's `Default-Start`, `S` and `K` change places. Without a process, and so that undoing it leaves
/// the links as they were.
fn toggle(root: &Root, name: &str, enabled: bool, links: &[Link]) -> Result<(), ResourceError> {
    let levels = default_start(root, name);
    for link in links {
        if link.starts == enabled || !levels.contains(&link.level) {
            continue;
        }
        let letter = if enabled { "S" } else { "K" };
        let renamed = link
            .path
            .file_name()
            .and_then(|file| file.to_str()?.get(1..))
            .map(|rest| link.path.with_file_name(format!("{letter}{rest}")));
        let Some(renamed) = renamed else { continue };
        match fs::rename(&link.path, &renamed) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(failed(
                    format!("cannot rename {}", link.path.display()),
                    error,
                ));
            }
        }
    }
    Ok(())
}

/// Runlevels of the script's LSB header (insserv(8)).
fn default_start(root: &Root, name: &str) -> Vec<char> {
    let text = fs::read(script(root, name)).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .take_while(|line| !line.starts_with("### END INIT INFO"))
        .find_map(|line| line.strip_prefix("# Default-Start:"))
        .map_or_else(
            || vec!['2', '3', '4', '5'],
            |levels| {
                levels
                    .split_whitespace()
                    .filter_map(|level| level.chars().next())
                    .filter(|level| matches!(level, 'S' | '2'..='5'))
                    .collect()
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const SCRIPT: &str = "\
#!/bin/sh
### BEGIN INIT INFO
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
### END INIT INFO
here=${0%/etc/init.d/*}
case $1 in
status) test -e \"$here/running\" || exit 3 ;;
start) touch \"$here/running\" ;;
stop) rm -f \"$here/running\" ;;
*) echo no such action >&2; exit 2 ;;
esac
";

    fn root(links: &[&str]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        fs::create_dir_all(root.join("/etc/init.d")).unwrap();
        fs::write(script(&root, "webd"), SCRIPT).unwrap();
        fs::set_permissions(script(&root, "webd"), fs::Permissions::from_mode(0o755)).unwrap();
        for link in links {
            let path = root.join("/etc").join(link);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink("../init.d/webd", path).unwrap();
        }
        (directory, root)
    }

    fn state(root: &Root) -> (bool, bool) {
        let state = observe(root, "webd").unwrap().unwrap();
        (state.running, state.enabled)
    }

    fn names(root: &Root) -> Vec<String> {
        links(root, "webd")
            .iter()
            .map(|l| {
                l.path
                    .strip_prefix(root.join("/etc"))
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn a_web_server_that_is_not_among_the_processes_does_not_run_whatever_its_script_says() {
        let (_directory, root) = root(&[]);
        fs::write(script(&root, "apache2"), "#!/bin/sh\nexit 0\n").unwrap();
        let state = observe(&root, "apache2").unwrap().unwrap();
        assert!(!state.running);
    }

    #[test]
    fn the_script_is_asked_and_obeyed() {
        let (_directory, root) = root(&[]);
        assert_eq!(state(&root), (false, false));
        act(&root, "webd", "start").unwrap();
        assert_eq!(state(&root), (true, false));
        act(&root, "webd", "stop").unwrap();
        assert_eq!(state(&root), (false, false));
        assert_eq!(observe(&root, "nginx").unwrap(), None);
        let error = act(&root, "webd", "dance").unwrap_err();
        assert_eq!(error.cause, "`webd dance` ended with 2: no such action");
    }

    #[test]
    fn a_live_pid_file_needs_no_script() {
        let (_directory, root) = root(&[]);
        // A script that would say otherwise.
        fs::write(script(&root, "webd"), "#!/bin/sh\nexit 3\n").unwrap();
        fs::create_dir_all(root.join("/run/webd")).unwrap();
        fs::create_dir_all(root.join("/proc/77")).unwrap();
        fs::write(root.join("/run/webd/webd.pid"), "77\n").unwrap();
        fs::write(root.join("/proc/77/stat"), "77 (webd) S 1\n").unwrap();
        assert_eq!(state(&root), (true, false));
    }

    #[test]
    fn toggling_renames_the_links_of_normal_runlevels_and_back() {
        let before = [
            "rc0.d/K01webd",
            "rc2.d/K02webd",
            "rc3.d/K02webd",
            "rc6.d/K01webd",
        ];
        let (_directory, root) = root(&before);
        let there = links(&root, "webd");
        toggle(&root, "webd", true, &there).unwrap();
        assert_eq!(
            names(&root),
            [
                "rc0.d/K01webd",
                "rc2.d/S02webd",
                "rc3.d/S02webd",
                "rc6.d/K01webd"
            ]
        );
        assert_eq!(state(&root), (false, true));
        toggle(&root, "webd", false, &links(&root, "webd")).unwrap();
        assert_eq!(names(&root), before);
    }

    #[test]
    fn enabling_makes_the_links_that_are_missing() {
        crate::testing::programs::program("update-rc.d", "init-system-helpers").unwrap();
        let without_that_of_the_boot = ["rc0.d/K01webd", "rc3.d/S01webd", "rc4.d/K01webd"];
        for before in [&without_that_of_the_boot[..], &[]] {
            let (_directory, root) = root(before);
            enable(&root, "webd", true).unwrap();
            assert_eq!(
                names(&root),
                [
                    "rc0.d/K01webd",
                    "rc1.d/K01webd",
                    "rc2.d/S01webd",
                    "rc3.d/S01webd",
                    "rc4.d/S01webd",
                    "rc5.d/S01webd",
                    "rc6.d/K01webd"
                ]
            );
            enable(&root, "webd", false).unwrap();
            assert_eq!(state(&root), (false, false));
        }
    }

    #[test]
    fn links_of_other_services_are_not_taken_for_its_own() {
        let (_directory, root) = root(&["rc2.d/S01webd"]);
        for other in ["S01webd2", "S01xwebd", "Sxxwebd", "README"] {
            fs::write(root.join("/etc/rc2.d").join(other), "").unwrap();
        }
        assert_eq!(names(&root), ["rc2.d/S01webd"]);
    }
}
