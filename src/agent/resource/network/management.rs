//! The SSH connection that carries the agent is looked after: what would cut it is refused before anything is
//! changed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Network, asked};
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;
use crate::agent::system::ssh_connection::SshConnection;
use crate::model::InterfaceName;
use crate::netlink::route::{AddressEntry, Family};
use crate::resource::DefaultRoute;

impl Network {
    /// The controller may be reached only by the default route that is about to be replaced.
    pub(super) fn refuse_to_cut_ssh(&self, desired: &DefaultRoute) -> Result<(), ResourceError> {
        let Some(ssh) = self.ssh else {
            return Ok(());
        };
        let controller = ssh.controller;
        if Family::from(controller) != Family::from(desired.via) || self.has_its_own_route(ssh)? {
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
            "give the controller a route of its own first: `ip route add {} via {gateway} \
             dev {device}`, or connect from the same network",
            IpNet::from(controller)
        )))
    }

    /// Whether another route than a default route leads to the controller.
    fn has_its_own_route(&self, ssh: SshConnection) -> Result<bool, ResourceError> {
        match ssh.controller {
            // Kernels before 4.13 do not say which route of the table they take.
            IpAddr::V4(_) => std::fs::read_to_string("/proc/thread-self/net/route")
                .map(|routes| ssh.has_route_of_its_own(&routes)),
            controller @ IpAddr::V6(_) => self
                .socket
                .default_route_to(controller)
                .map(|route| route.is_none()),
        }
        .map_err(|error| asked("routes", error))
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
            .any(|entry| entry.address.addr() == ssh.here && chosen(entry)))
    }
}
