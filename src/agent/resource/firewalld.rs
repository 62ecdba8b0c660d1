//! firewalld's default zone (firewall-cmd(1)); where firewalld does not run there is nothing to do.

use crate::agent::protocol::ResourceError;
use crate::agent::system::command::{Limits, command, succeed};
use crate::agent::system::processes;
use crate::agent::system::root::Root;

/// firewall-cmd is a Python program talking over D-Bus.
const LIMITS_SECONDS: u64 = 60;

/// The default zone, `None` where firewalld does not run.
pub(super) fn observe(root: &Root) -> Result<Option<String>, ResourceError> {
    if !processes::running(root, &["firewalld"]).contains("firewalld") {
        return Ok(None);
    }
    let output = succeed(
        command("firewall-cmd").arg("--get-default-zone"),
        Limits::seconds(LIMITS_SECONDS),
    )?;
    Ok(Some(
        String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    ))
}

/// Sets it, live and for good.
pub(super) fn set(zone: &str) -> Result<(), ResourceError> {
    succeed(
        command("firewall-cmd").arg(format!("--set-default-zone={zone}")),
        Limits::seconds(LIMITS_SECONDS),
    )
    .map(|_| ())
}
