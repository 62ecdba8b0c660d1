//! System services: systemd where it runs, else init scripts.

use super::{systemd, sysv};
use crate::agent::error::because;
use crate::agent::protocol::ResourceError;
use crate::agent::root::Root;
use crate::resource::ServiceState;

/// Time a start or stop script may take, seconds.
pub(super) const SCRIPT_SECONDS: u64 = 180;

/// The service's state, `None` when the host knows no such service.
pub(super) fn observe(root: &Root, name: &str) -> Result<Option<ServiceState>, ResourceError> {
    check_name(name)?;
    if systemd::runs(root) {
        systemd::observe(name)
    } else {
        sysv::observe(root, name)
    }
}

/// Brings the service from `now` to `wanted`.
pub(super) fn set(
    root: &Root,
    name: &str,
    now: Option<ServiceState>,
    wanted: ServiceState,
) -> Result<(), ResourceError> {
    check_name(name)?;
    let Some(now) = now else {
        if !wanted.running && !wanted.enabled {
            return Ok(());
        }
        return Err(
            because(format!("there is no service {name}")).hint("is its package installed?")
        );
    };
    if now.enabled != wanted.enabled {
        if systemd::runs(root) {
            systemd::enable(name, wanted.enabled)?;
        } else {
            sysv::enable(root, name, wanted.enabled)?;
        }
    }
    if now.running != wanted.running {
        let verb = if wanted.running { "start" } else { "stop" };
        act(root, name, verb)?;
    }
    Ok(())
}

/// Stops and starts it, so that it reads its files again.
pub(super) fn restart(root: &Root, name: &str) -> Result<(), ResourceError> {
    check_name(name)?;
    act(root, name, "restart")
}

fn act(root: &Root, name: &str, verb: &str) -> Result<(), ResourceError> {
    if systemd::runs(root) {
        systemd::act(name, verb)
    } else {
        sysv::act(root, name, verb)
    }
}

/// Never an option, never a path.
fn check_name(name: &str) -> Result<(), ResourceError> {
    let sound = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '@'));
    if sound {
        Ok(())
    } else {
        Err(because(format!("{name:?} is no name of a service")))
    }
}
