//! The SSH connection that carries the agent is looked after: what would cut it is refused before anything is
//! changed.

use std::net::IpAddr;

use super::{Network, asked};
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;
use crate::model::InterfaceName;
use crate::netlink::route::AddressEntry;
use crate::resource::DefaultRoute;

impl Network {
    /// The controller may be reached only by the default route that is about to be replaced.
    pub(super) fn refuse_to_cut_ssh(&self, desired: &DefaultRoute) -> Result<(), ResourceError> {
        let Some(ssh) = self.ssh else {
            return Ok(());
        };
        let IpAddr::V4(controller) = ssh.controller else {
            return Ok(());
        };
        let routes = std::fs::read_to_string("/proc/thread-self/net/route")
            .map_err(|e| asked("routes", e))?;
        if ssh.has_route_of_its_own(&routes) {
            return Ok(());
        }
        let Some(now) = self
            .socket
            .route_to(controller, None)
            .map_err(|e| asked("routes", e))?
        else {
            return Ok(());
        };
        if now.via.is_none() {
            return Ok(());
        }
        let (via, interface) = (desired.via, &desired.interface);
        if (now.via, now.index) == (Some(via), self.index(interface)?) {
            return Ok(());
        }
        let names = self.names()?;
        let gateway = now
            .via
            .map_or_else(String::new, |gateway| gateway.to_string());
        let device = names
            .get(&now.index)
            .map_or("its interface", InterfaceName::as_str);
        Err(because(format!(
            "the SSH connection from {controller} comes through the default route via {gateway} dev \
             {device}; making it via {via} dev {interface} would cut it"
        ))
        .hint(format!(
            "give the controller a route of its own first: `ip route add {controller}/32 via {gateway} \
             dev {device}`, or connect from the same network"
        )))
    }

    pub(super) fn carries_ssh(
        &self,
        chosen: impl Fn(&AddressEntry) -> bool,
    ) -> Result<bool, ResourceError> {
        let Some(ssh) = self.ssh else {
            return Ok(false);
        };
        Ok(self
            .entries()?
            .iter()
            .any(|entry| IpAddr::V4(entry.address.addr()) == ssh.here && chosen(entry)))
    }
}
