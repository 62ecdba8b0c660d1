//! Services of a host where systemd is PID 1: systemctl(1).

use std::time::{Duration, Instant};

use super::limit::SCRIPT_SECONDS;
use crate::agent::protocol::ResourceError;
use crate::agent::system::command::{Limits, command, succeed};
use crate::agent::system::root::Root;
use crate::resource::ServiceState;

/// How long a unit may be on its way up or down before its state is taken as it is.
const SETTLES_IN: Duration = Duration::from_secs(30);

/// Whether systemd runs here (sd_booted(3)).
pub(in crate::agent) fn runs(root: &Root) -> bool {
    root.join("/run/systemd/system").is_dir()
}

/// What `systemctl show` says of a unit.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// No such unit.
    Unknown,
    /// On its way.
    Changing,
    /// It is so.
    Settled(ServiceState),
}

pub(super) fn observe(name: &str) -> Result<Option<ServiceState>, ResourceError> {
    let deadline = Instant::now() + SETTLES_IN;
    loop {
        let properties = properties(name)?;
        let take_as_is = Instant::now() >= deadline || is_this_process(&properties);
        match read(&properties, take_as_is) {
            Seen::Unknown => return Ok(None),
            Seen::Settled(state) => return Ok(Some(state)),
            Seen::Changing => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn properties(name: &str) -> Result<String, ResourceError> {
    let output = succeed(
        command("systemctl").args([
            "show",
            "--property=LoadState,ActiveState,UnitFileState,MainPID",
            name,
        ]),
        Limits::seconds(SCRIPT_SECONDS),
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether this process is what the unit runs, as at a boot that rolls changes back: the unit will not settle before
/// this process ends.
fn is_this_process(properties: &str) -> bool {
    property(properties, "MainPID") == std::process::id().to_string()
}

pub(super) fn enable(name: &str, enabled: bool) -> Result<(), ResourceError> {
    let verb = if enabled { "enable" } else { "disable" };
    systemctl(name, &[verb])
}

/// Takes the masks off, that of this boot (`--runtime`), too, or puts the lasting one on.
pub(super) fn mask(name: &str, masked: bool) -> Result<(), ResourceError> {
    if masked {
        return systemctl(name, &["mask"]);
    }
    systemctl(name, &["unmask"])?;
    systemctl(name, &["unmask", "--runtime"])
}

/// Runs `start`, `stop` or `restart`, but not for the unit that runs this process: a stop would end us in the middle of
/// a change, and a start would wait for our end.
pub(super) fn act(name: &str, verb: &str) -> Result<(), ResourceError> {
    if is_this_process(&properties(name)?) {
        return Ok(());
    }
    systemctl(name, &[verb]).map_err(|error| {
        error.hint(format!(
            "`journalctl -u {name} -n 20` on the host shows why"
        ))
    })
}

fn systemctl(name: &str, verb: &[&str]) -> Result<(), ResourceError> {
    succeed(
        command("systemctl").args(verb).arg(name),
        Limits::seconds(SCRIPT_SECONDS),
    )
    .map(|_| ())
}

/// `Property=value` lines; `take_as_is` ends the wait for a unit that goes on changing.
fn read(text: &str, take_as_is: bool) -> Seen {
    let property = |name: &str| property(text, name);
    if property("LoadState") == "not-found" {
        return Seen::Unknown;
    }
    let active = property("ActiveState");
    if matches!(active, "activating" | "deactivating") && !take_as_is {
        return Seen::Changing;
    }
    Seen::Settled(ServiceState {
        running: matches!(active, "active" | "reloading" | "refreshing"),
        // What `systemctl is-enabled` takes as enabled for the next boot, too.
        enabled: matches!(
            property("UnitFileState"),
            "enabled" | "static" | "alias" | "indirect" | "generated"
        ),
        masked: property("LoadState") == "masked",
    })
}

/// Empty where there is no such line.
fn property<'a>(properties: &'a str, name: &str) -> &'a str {
    let value_of = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    properties.lines().find_map(value_of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_systemctl_shows_them() {
        let settled = |running, enabled| {
            Seen::Settled(ServiceState {
                running,
                enabled,
                masked: false,
            })
        };
        let masked = Seen::Settled(ServiceState {
            masked: true,
            ..ServiceState::default()
        });
        for (text, seen) in [
            (
                "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
                settled(true, true),
            ),
            (
                "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n",
                settled(false, false),
            ),
            (
                "LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\n",
                settled(false, true),
            ),
            (
                "LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n",
                masked,
            ),
            (
                "LoadState=loaded\nActiveState=active\nUnitFileState=enabled-runtime\n",
                settled(true, false),
            ),
            (
                "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n",
                Seen::Unknown,
            ),
            (
                "LoadState=loaded\nActiveState=activating\nUnitFileState=enabled\n",
                Seen::Changing,
            ),
        ] {
            assert_eq!(read(text, false), seen, "{text}");
        }
        assert_eq!(
            read(
                "LoadState=loaded\nActiveState=activating\nUnitFileState=enabled\n",
                true
            ),
            settled(false, true)
        );
    }

    #[test]
    fn a_unit_that_runs_this_process_is_told_by_its_main_process() {
        let own = std::process::id();
        assert!(is_this_process(&format!(
            "MainPID={own}\nLoadState=loaded\nActiveState=activating\n"
        )));
        for other in ["MainPID=0", "MainPID=1", "ActiveState=activating", ""] {
            assert!(!is_this_process(other), "{other}");
        }
    }
}
