//! The two interfaces that are up on a factory-new host: loopback, and the one for logins.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::wires::MANAGEMENT;
use super::super::{Failure, While};
use crate::netlink::route::{AddressEntry, RouteSocket};
use crate::sandbox::addresses::PREFIX;

/// Sets `lo` and `mgmt0` up and gives `mgmt0` its address. The lab interfaces stay down.
pub fn bring_up_management(address: Ipv4Addr) -> Result<(), Failure> {
    let route = RouteSocket::open().during("open a netlink socket")?;
    for name in ["lo", MANAGEMENT] {
        let link = route
            .link(name)
            .during(format_args!("look for {name}"))?
            .ok_or_else(|| Failure(format!("there is no {name}")))?;
        if name == MANAGEMENT {
            let net = Ipv4Net::new(address, PREFIX)
                .map_err(|error| Failure(format!("management address: {error}")))?;
            route
                .add_address(&AddressEntry {
                    index: link.index,
                    address: net.into(),
                    label: MANAGEMENT.to_owned(),
                    broadcast: Some(net.broadcast()),
                })
                .during(format_args!("give {name} its address"))?;
        }
        route
            .set_up(link.index, true)
            .during(format_args!("set {name} up"))?;
    }
    Ok(())
}
