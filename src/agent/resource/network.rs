//! Links, addresses and default routes of this machine's network, through rtnetlink.

mod management;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::ssh_connection::SshConnection;
use crate::model::InterfaceName;
use crate::netlink::errno;
use crate::netlink::route::{AddressEntry, DefaultRouteEntry, Family, RouteSocket};
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
    /// Opens the network namespace of this thread.
    pub(in crate::agent) fn open(ssh: Option<SshConnection>) -> Result<Self, ResourceError> {
        let socket = RouteSocket::open()
            .map_err(|error| failed("cannot talk to the kernel's network", error))?;
        Ok(Self { socket, ssh })
    }

    /// The socket, for requests beyond the resources.
    pub(in crate::agent) fn socket(&self) -> &RouteSocket {
        &self.socket
    }

    /// Interface names by index, without those that no topology can hold.
    pub(in crate::agent) fn names(&self) -> Result<BTreeMap<u32, InterfaceName>, ResourceError> {
        let links = self.socket.links().map_err(|e| asked("interfaces", e))?;
        Ok(links
            .into_iter()
            .filter_map(|link| Some((link.index, link.name.parse().ok()?)))
            .collect())
    }

    /// Every address of the host, without the link-local ones (`fe80::/10`) that the kernel gives each link.
    pub(in crate::agent) fn addresses(&self) -> Result<Vec<AddressState>, ResourceError> {
        let names = self.names()?;
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .filter(|entry| !is_link_local(entry.address))
            .filter_map(|entry| {
                let interface = names.get(&entry.index)?.clone();
                Some(AddressState {
                    label: match entry.address {
                        IpNet::V4(_) => entry.label,
                        IpNet::V6(_) => interface.to_string(),
                    },
                    interface,
                    address: entry.address,
                    broadcast: entry.broadcast,
                })
            })
            .collect())
    }

    /// Whether the interface is up; `None` where there is no such interface.
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

    /// Every occurrence of the address, with any prefix and label, on any interface.
    pub(super) fn occurrences(
        &self,
        address: &Address,
    ) -> Result<Vec<AddressState>, ResourceError> {
        let mut found = self.addresses()?;
        found.retain(|state| state.address.addr() == address.address.addr());
        Ok(found)
    }

    /// Puts the address on its interface. It replaces the same address with another prefix or label.
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
        let label = match (desired.address, &desired.label) {
            (IpNet::V6(address), Some(label)) => {
                return Err(because(format!(
                    "{address} cannot have the label {label}: IPv6 addresses have none"
                )));
            }
            (_, label) => label.clone(),
        };
        let wanted = AddressState {
            interface: desired.interface.clone(),
            address: desired.address,
            broadcast: broadcast(desired.address),
            label: label.unwrap_or_else(|| desired.interface.to_string()),
        };
        let same_place = |f: &AddressState| f.address == wanted.address && f.label == wanted.label;
        for wrong in found.iter().filter(|f| !same_place(f)) {
            self.delete(&entry(index, wrong))?;
        }
        if found.iter().any(same_place) {
            return Ok(());
        }
        self.add(&entry(index, &wanted), &desired.interface)
    }

    /// Restores the occurrences of one address.
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

    /// The main table's default routes for the family of `gateway`, by rising metric.
    pub(super) fn default_routes(&self, gateway: IpAddr) -> Result<Vec<RouteState>, ResourceError> {
        let names = self.names()?;
        let routes = self.route_entries(gateway.into())?;
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

    /// The default route that leads to `destination`; `None` where another route, or none, does.
    pub(in crate::agent) fn default_route_to(
        &self,
        destination: IpAddr,
    ) -> Result<Option<RouteState>, ResourceError> {
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

    /// Sets the desired route. It replaces a default route of the same metric.
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
        let family = Family::from(desired.via);
        let wanted = DefaultRouteEntry {
            family,
            via: Some(desired.via),
            index: self.index(&desired.interface)?,
            metric: family.default_metric(),
            protocol: STATIC,
        };
        // Routes of a higher metric stay: they are not used while ours is there.
        let replaced: Vec<DefaultRouteEntry> = found
            .iter()
            .filter(|route| route.metric == wanted.metric)
            .map(|route| self.route_entry(family, route))
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

    /// Restores the default routes for the family of `gateway`.
    pub(super) fn restore_default_routes(
        &self,
        gateway: IpAddr,
        before: &[RouteState],
        now: &[RouteState],
    ) -> Result<(), ResourceError> {
        let family = gateway.into();
        for surplus in now.iter().filter(|route| !before.contains(route)) {
            self.delete_route(&self.route_entry(family, surplus)?)?;
        }
        for missing in before.iter().filter(|route| !now.contains(route)) {
            self.add_route(&self.route_entry(family, missing)?, &missing.interface)?;
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

    fn route_entries(&self, family: Family) -> Result<Vec<DefaultRouteEntry>, ResourceError> {
        self.socket
            .default_routes(family)
            .map_err(|e| asked("default routes", e))
    }

    fn add(&self, entry: &AddressEntry, name: &InterfaceName) -> Result<(), ResourceError> {
        self.socket
            .add_address(entry)
            .map_err(|e| failed(format!("cannot add {} to {name}", entry.address), e))
    }

    /// Deletes one address and nothing else. The kernel also deletes the other addresses of its network (where
    /// `promote_secondaries` is 0) and the routes that need it, so these are added again.
    fn delete(&self, entry: &AddressEntry) -> Result<(), ResourceError> {
        let address = entry.address;
        if self.carries_ssh(|e| e == entry)? {
            return Err(because(format!(
                "{address} carries the SSH connection and cannot be removed over it"
            ))
            .hint("connect through another address and run this again"));
        }
        let family = Family::from(address.addr());
        let (addresses, routes) = (self.entries()?, self.route_entries(family)?);
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
        let left = self.route_entries(family)?;
        for lost in routes.iter().filter(|route| !left.contains(route)) {
            // This fails for a gateway that only the deleted address made reachable.
            let _ = self.socket.add_default_route(lost);
        }
        Ok(())
    }

    fn route_entry(
        &self,
        family: Family,
        route: &RouteState,
    ) -> Result<DefaultRouteEntry, ResourceError> {
        Ok(DefaultRouteEntry {
            family,
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

fn is_link_local(address: IpNet) -> bool {
    matches!(address, IpNet::V6(net) if net.addr().is_unicast_link_local())
}

/// The broadcast address that `ip address add … brd +` and the network scripts set; `None` where the network is too
/// small for one.
fn broadcast(address: IpNet) -> Option<Ipv4Addr> {
    match address {
        IpNet::V4(net) if net.prefix_len() < 31 && !net.addr().is_loopback() => {
            Some(net.broadcast())
        }
        _ => None,
    }
}

fn entry(index: u32, state: &AddressState) -> AddressEntry {
    AddressEntry {
        index,
        address: state.address,
        label: match state.address {
            IpNet::V4(_) => state.label.clone(),
            IpNet::V6(_) => String::new(),
        },
        broadcast: state.broadcast,
    }
}

fn asked(what: impl std::fmt::Display, error: io::Error) -> ResourceError {
    failed(format!("cannot ask the kernel for its {what}"), error)
}

#[cfg(test)]
#[path = "tests/network.rs"]
mod tests;
