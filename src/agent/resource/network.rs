//! Links, addresses and default routes of this machine's network, through rtnetlink.

mod management;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::ssh_connection::SshConnection;
use crate::model::InterfaceName;
use crate::netlink::errno;
use crate::netlink::route::{AddressEntry, DefaultRouteEntry, RouteSocket};
use crate::resource::{Address, AddressState, DefaultRoute, RouteState};

/// `RTPROT_STATIC`: set by an administrator (rtnetlink(7)).
const STATIC: u8 = 4;

/// The network as the agent sees and changes it.
#[derive(Debug)]
pub(in crate::agent) struct Network {
    socket: RouteSocket,
    ssh: Option<SshConnection>,
}

impl Network {
    /// Of the network namespace of this thread.
    pub(in crate::agent) fn open(ssh: Option<SshConnection>) -> Result<Self, ResourceError> {
        let socket = RouteSocket::open()
            .map_err(|error| failed("cannot talk to the kernel's network", error))?;
        Ok(Self { socket, ssh })
    }

    /// The socket, for evidence.
    pub(in crate::agent) fn socket(&self) -> &RouteSocket {
        &self.socket
    }

    /// Names by index; a name no lab could use is left out.
    pub(in crate::agent) fn names(&self) -> Result<BTreeMap<u32, InterfaceName>, ResourceError> {
        let links = self.socket.links().map_err(|e| asked("interfaces", e))?;
        Ok(links
            .into_iter()
            .filter_map(|link| Some((link.index, link.name.parse().ok()?)))
            .collect())
    }

    /// Every IPv4 address of the host.
    pub(in crate::agent) fn addresses(&self) -> Result<Vec<AddressState>, ResourceError> {
        let names = self.names()?;
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .filter_map(|entry| {
                Some(AddressState {
                    interface: names.get(&entry.index)?.clone(),
                    address: entry.address,
                    label: entry.label,
                    broadcast: entry.broadcast,
                })
            })
            .collect())
    }

    /// Whether the interface is up; `None` when there is none of that name.
    pub(super) fn link_up(&self, name: &InterfaceName) -> Result<Option<bool>, ResourceError> {
        let link = self.socket.link(name.as_str());
        Ok(link.map_err(|e| asked(name, e))?.map(|link| link.up))
    }

    /// Sets the interface up or down.
    pub(super) fn set_link(&self, name: &InterfaceName, up: bool) -> Result<(), ResourceError> {
        let index = self.index(name)?;
        if !up && self.carries_ssh(|entry| entry.index == index)? {
            return Err(because(format!(
                "{name} carries the SSH connection and cannot be set down over it"
            ))
            .hint("connect through another interface and run this again"));
        }
        let word = if up { "up" } else { "down" };
        self.socket
            .set_up(index, up)
            .map_err(|e| failed(format!("cannot set {name} {word}"), e))
    }

    /// Every place where the address is, whatever its prefix and label.
    pub(super) fn occurrences(
        &self,
        address: &Address,
    ) -> Result<Vec<AddressState>, ResourceError> {
        let mut found = self.addresses()?;
        found.retain(|state| state.address.addr() == address.address.addr());
        Ok(found)
    }

    /// Puts the address on its interface, in place of one with another prefix or label.
    pub(super) fn set_address(
        &self,
        desired: &Address,
        found: &[AddressState],
    ) -> Result<(), ResourceError> {
        if let Some(other) = found.iter().find(|f| f.interface != desired.interface) {
            return Err(because(format!(
                "{} is already on {}",
                desired.address.addr(),
                other.interface
            ))
            .hint(format!(
                "`ip address del {} dev {}` if it does not belong there, or name {} in the topology",
                other.address, other.interface, other.interface
            )));
        }
        let index = self.index(&desired.interface)?;
        let label = desired
            .label
            .clone()
            .unwrap_or_else(|| desired.interface.to_string());
        let wanted = AddressEntry {
            index,
            address: desired.address,
            broadcast: broadcast(desired.address),
            label,
        };
        let same_place = |f: &AddressState| f.address == wanted.address && f.label == wanted.label;
        for wrong in found.iter().filter(|f| !same_place(f)) {
            self.delete(&entry(index, wrong))?;
        }
        if found.iter().any(same_place) {
            return Ok(());
        }
        self.add(&wanted, &desired.interface)
    }

    /// Makes the occurrences of one address what they were.
    pub(super) fn restore_addresses(
        &self,
        before: &[AddressState],
        now: &[AddressState],
    ) -> Result<(), ResourceError> {
        for surplus in now.iter().filter(|state| !before.contains(state)) {
            self.delete(&entry(self.index(&surplus.interface)?, surplus))?;
        }
        for missing in before.iter().filter(|state| !now.contains(state)) {
            let index = self.index(&missing.interface)?;
            self.add(&entry(index, missing), &missing.interface)?;
        }
        Ok(())
    }

    /// Every default route of the main table, by rising metric.
    pub(super) fn default_routes(&self) -> Result<Vec<RouteState>, ResourceError> {
        let names = self.names()?;
        let routes = self.route_entries()?;
        Ok(routes
            .into_iter()
            .filter_map(|route| {
                Some(RouteState {
                    via: route.via,
                    interface: names.get(&route.index)?.clone(),
                    metric: route.metric,
                    protocol: route.protocol,
                })
            })
            .collect())
    }

    /// The default route that what goes to `destination` takes, when it is a default route that leads there.
    pub(in crate::agent) fn default_route_to(
        &self,
        destination: IpAddr,
    ) -> Result<Option<RouteState>, ResourceError> {
        let IpAddr::V4(destination) = destination else {
            // Labs change no IPv6 route.
            return Ok(None);
        };
        let Some(route) = self
            .socket
            .default_route_to(destination)
            .map_err(|error| asked("route to the controller", error))?
        else {
            return Ok(None);
        };
        let interface = self.names()?.get(&route.index).cloned();
        Ok(interface.map(|interface| RouteState {
            via: route.via,
            interface,
            metric: route.metric,
            protocol: route.protocol,
        }))
    }

    /// Makes the desired route the one that is used.
    pub(super) fn set_default_route(
        &self,
        desired: &DefaultRoute,
        found: &[RouteState],
    ) -> Result<(), ResourceError> {
        self.refuse_to_cut_ssh(desired)?;
        let metrics: Vec<u32> = found.iter().map(|route| route.metric).collect();
        if metrics.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(because(
                "the default route has several next hops, which could not be put back as they are",
            )
            .hint("leave one of them with `ip route replace default via …` and run this again"));
        }
        let wanted = DefaultRouteEntry {
            via: Some(desired.via),
            index: self.index(&desired.interface)?,
            metric: 0,
            protocol: STATIC,
        };
        // Routes of a higher metric are not used while ours is there, so they may stay.
        let replaced: Vec<DefaultRouteEntry> = found
            .iter()
            .filter(|route| route.metric == 0)
            .map(|route| self.route_entry(route))
            .collect::<Result<_, _>>()?;
        for route in &replaced {
            self.delete_route(route)?;
        }
        self.add_route(&wanted, &desired.interface)
            .inspect_err(|_| {
                for route in &replaced {
                    let _ = self.socket.add_default_route(route);
                }
            })
    }

    /// Makes the default routes what they were.
    pub(super) fn restore_default_routes(
        &self,
        before: &[RouteState],
        now: &[RouteState],
    ) -> Result<(), ResourceError> {
        for surplus in now.iter().filter(|route| !before.contains(route)) {
            self.delete_route(&self.route_entry(surplus)?)?;
        }
        for missing in before.iter().filter(|route| !now.contains(route)) {
            self.add_route(&self.route_entry(missing)?, &missing.interface)?;
        }
        Ok(())
    }

    fn index(&self, name: &InterfaceName) -> Result<u32, ResourceError> {
        match self.socket.link(name.as_str()) {
            Ok(Some(link)) => Ok(link.index),
            Ok(None) => {
                let there: Vec<String> = self
                    .names()?
                    .into_values()
                    .map(|name| name.to_string())
                    .collect();
                Err(because(format!("there is no interface {name}"))
                    .hint(format!("this host has {}", there.join(", "))))
            }
            Err(error) => Err(asked(name, error)),
        }
    }

    fn entries(&self) -> Result<Vec<AddressEntry>, ResourceError> {
        self.socket.addresses().map_err(|e| asked("addresses", e))
    }

    fn route_entries(&self) -> Result<Vec<DefaultRouteEntry>, ResourceError> {
        self.socket
            .default_routes()
            .map_err(|e| asked("default routes", e))
    }

    fn add(&self, entry: &AddressEntry, name: &InterfaceName) -> Result<(), ResourceError> {
        self.socket
            .add_address(entry)
            .map_err(|e| failed(format!("cannot add {} to {name}", entry.address), e))
    }

    /// Deletes one address and nothing else: the kernel also takes the other addresses of its network
    /// (where `promote_secondaries` is 0) and the routes that went through it, so those are put back.
    fn delete(&self, entry: &AddressEntry) -> Result<(), ResourceError> {
        let address = entry.address;
        if self.carries_ssh(|e| e == entry)? {
            return Err(because(format!(
                "{address} carries the SSH connection and cannot be removed over it"
            ))
            .hint("connect through another address and run this again"));
        }
        let (addresses, routes) = (self.entries()?, self.route_entries()?);
        match self.socket.delete_address(entry) {
            Ok(()) => {}
            Err(error) if errno(&error) == Some(libc::EADDRNOTAVAIL) => return Ok(()),
            Err(error) => return Err(failed(format!("cannot remove {address}"), error)),
        }
        let left = self.entries()?;
        for lost in addresses
            .iter()
            .filter(|a| *a != entry && !left.contains(a))
        {
            self.socket
                .add_address(lost)
                .map_err(|e| failed(format!("cannot put {} back", lost.address), e))?;
        }
        let left = self.route_entries()?;
        for lost in routes.iter().filter(|route| !left.contains(route)) {
            // Its gateway may have been in the network of the address that is gone.
            let _ = self.socket.add_default_route(lost);
        }
        Ok(())
    }

    fn route_entry(&self, route: &RouteState) -> Result<DefaultRouteEntry, ResourceError> {
        Ok(DefaultRouteEntry {
            via: route.via,
            index: self.index(&route.interface)?,
            metric: route.metric,
            protocol: route.protocol,
        })
    }

    fn delete_route(&self, route: &DefaultRouteEntry) -> Result<(), ResourceError> {
        match self.socket.delete_default_route(route) {
            Err(error) if errno(&error) != Some(libc::ESRCH) => {
                Err(failed("cannot remove the default route", error))
            }
            _ => Ok(()),
        }
    }

    fn add_route(
        &self,
        route: &DefaultRouteEntry,
        interface: &InterfaceName,
    ) -> Result<(), ResourceError> {
        match self.socket.add_default_route(route) {
            Ok(()) => Ok(()),
            Err(error) => {
                let via = route
                    .via
                    .map_or_else(String::new, |via| format!(" via {via}"));
                let unreachable = errno(&error) == Some(libc::ENETUNREACH);
                let error = failed(
                    format!("cannot add the default route{via} dev {interface}"),
                    error,
                );
                Err(if unreachable {
                    error.hint(format!(
                        "the gateway has to be in a network of {interface}, and {interface} up"
                    ))
                } else {
                    error
                })
            }
        }
    }
}

/// As `ip address add … brd +` and the network scripts: none where the network has no room for one.
fn broadcast(address: ipnet::Ipv4Net) -> Option<std::net::Ipv4Addr> {
    (address.prefix_len() < 31 && !address.addr().is_loopback()).then(|| address.broadcast())
}

fn entry(index: u32, state: &AddressState) -> AddressEntry {
    AddressEntry {
        index,
        address: state.address,
        label: state.label.clone(),
        broadcast: state.broadcast,
    }
}

fn asked(what: impl std::fmt::Display, error: io::Error) -> ResourceError {
    failed(format!("cannot ask the kernel for its {what}"), error)
}

#[cfg(test)]
#[path = "tests/network.rs"]
mod tests;
