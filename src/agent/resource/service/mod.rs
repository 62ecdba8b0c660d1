//! System services: systemd where it runs, else init scripts.

mod limit;
pub(in crate::agent) mod systemd;
mod sysv;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;
use crate::agent::system::root::Root;
use crate::resource::ServiceState;

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
    if now.is_none() && (wanted.running || wanted.enabled) {
        return Err(
            because(format!("there is no service {name}")).hint("is its package installed?")
        );
    }
    for step in steps(now.unwrap_or_default(), wanted) {
        match step {
            Step::Mask(masked) => systemd::mask(name, masked)?,
            Step::Enable(enabled) if systemd::runs(root) => systemd::enable(name, enabled)?,
            Step::Enable(enabled) => sysv::enable(root, name, enabled)?,
            Step::Act(verb) => act(root, name, verb)?,
        }
    }
    Ok(())
}

/// One change of a service.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Kept from being started, or no longer; only where systemd runs.
    Mask(bool),
    /// Started at boot, or not.
    Enable(bool),
    /// `start` or `stop`.
    Act(&'static str),
}

/// What brings a service from `now` to `wanted`, in this order: a masked one can neither be enabled nor started.
fn steps(now: ServiceState, wanted: ServiceState) -> Vec<Step> {
    let unmask = (now.masked && !wanted.masked).then_some(Step::Mask(false));
    let enable = (now.enabled != wanted.enabled).then_some(Step::Enable(wanted.enabled));
    let act = (now.running != wanted.running).then_some(Step::Act(if wanted.running {
        "start"
    } else {
        "stop"
    }));
    let mask = (wanted.masked && !now.masked).then_some(Step::Mask(true));
    [unmask, enable, act, mask].into_iter().flatten().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_taken_off_first_and_put_back_last() {
        let masked = ServiceState {
            masked: true,
            ..ServiceState::default()
        };
        let up = ServiceState {
            running: true,
            enabled: true,
            masked: false,
        };
        assert_eq!(
            steps(masked, up),
            [Step::Mask(false), Step::Enable(true), Step::Act("start")]
        );
        assert_eq!(
            steps(up, masked),
            [Step::Enable(false), Step::Act("stop"), Step::Mask(true)]
        );
        assert_eq!(steps(up, up), []);
    }
}
