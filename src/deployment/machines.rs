//! The connections to a lab's hosts: how to log in, the SSH configuration, and ending connections.

use std::io;

use crate::context::Context;
use crate::labs::{self, LabsError};
use crate::model::{Lab, LabId};
use crate::orchestrate::{self, HostKeys, Roster};
use crate::sandbox;
use crate::sys::local::LocalError;

use super::{DeploymentError, blocking};

/// How to log in to machines of one's own.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Login {
    /// Accept and remember the keys of hosts that are not known yet; a changed key is always refused
    #[arg(long)]
    accept_new_host_keys: bool,
}

impl Login {
    fn host_keys(self) -> HostKeys {
        if self.accept_new_host_keys {
            HostKeys::AcceptNew
        } else {
            HostKeys::Strict
        }
    }
}

/// Writes the SSH configuration of a lab on machines of its own.
///
/// # Errors
/// When this machine does not let us.
pub async fn address_machines(
    ctx: &Context,
    lab: &Lab,
    login: Login,
) -> Result<(), DeploymentError> {
    let before = addresses(ctx, lab);
    let path = labs::ssh_config(&ctx.dirs, lab.id());
    let failed = LocalError::when(format!("write {}", path.display()));
    labs::make_directory(&ctx.dirs, lab.id())?;
    let hosts = lab.clone();
    let write = move || orchestrate::write_config(&path, &hosts, login.host_keys());
    blocking(write).await?.map_err(failed)?;
    if addresses(ctx, lab) != before {
        hang_up(ctx, lab).await;
    }
    Ok(())
}

/// The SSH configuration of the lab's hosts. Connections that were made under another configuration may lead to other
/// machines.
pub fn addresses(ctx: &Context, lab: &Lab) -> Option<Vec<u8>> {
    std::fs::read(labs::ssh_config(&ctx.dirs, lab.id())).ok()
}

/// Makes sure that the lab's hosts can be asked: its sandbox runs, or its machines have addresses.
///
/// # Errors
/// When the lab lives in the sandbox and is not up.
pub async fn reachable(ctx: &Context, lab: &Lab, login: Login) -> Result<(), DeploymentError> {
    if !labs::in_sandbox(lab) {
        return address_machines(ctx, lab, login).await;
    }
    match labs::saved(&ctx.dirs, lab.id())? {
        Some(_) => Ok(()),
        None => Err(LabsError::NotUp {
            lab: lab.id().clone(),
        }
        .into()),
    }
}

/// Ends the connections to the hosts of the lab that is up under that name, if there are any.
pub async fn disconnect(ctx: &Context, lab: &LabId) {
    if let Ok(Some(lab)) = labs::saved(&ctx.dirs, lab) {
        hang_up(ctx, &lab).await;
    }
}

/// Where the hosts of a lab are whose SSH configuration is in place. Waits on those of a sandbox allow for the time that
/// its machine queues for a processor.
///
/// # Errors
/// When the directory of the SSH sockets cannot be made.
pub fn roster(ctx: &Context, lab: &Lab) -> io::Result<Roster> {
    Roster::of(lab, &ctx.dirs, sandbox::pace(&ctx.dirs, lab.id()))
}

/// Ends the connections to the lab's hosts, if there are any.
pub async fn hang_up(ctx: &Context, lab: &Lab) {
    // Without the directory of the SSH sockets there is no connection to end.
    if let Ok(roster) = roster(ctx, lab) {
        // An `up` that was interrupted while it confirmed leaves such connections.
        if let Ok(anew) = roster.anew() {
            anew.disconnect().await;
        }
        roster.disconnect().await;
    }
}
