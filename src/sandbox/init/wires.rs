//! The cables: one bridge per layer-2 segment, one veth pair per host interface.

use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;

use super::{Failure, While};
use crate::netlink::route::RouteSocket;
use crate::sandbox::addresses::management_mac;
use crate::sandbox::description::GuestInterface;

/// Name of the management interface inside every host.
pub const MANAGEMENT: &str = "mgmt0";

/// The bridges hosts are plugged into, by kernel index.
#[derive(Debug)]
pub struct Bridges {
    /// Reaches the machine's network card.
    pub management: u32,
    /// One per segment.
    pub segments: Vec<u32>,
}

impl Bridges {
    /// Adds the bridges of `segments` segments.
    pub fn add_segments(&mut self, route: &RouteSocket, segments: usize) -> Result<(), Failure> {
        for segment in self.segments.len()..segments {
            let name = format!("segment{segment}");
            let bridge = route
                .add_bridge(&name)
                .during(format_args!("create bridge {name}"))?;
            self.segments.push(bridge);
        }
        Ok(())
    }
}

/// The machine's ends of one host's cables.
#[derive(Debug)]
pub struct Cables {
    /// Part of these ends' names. A rebooted host needs new ones, because the kernel may not have removed the old ones yet.
    tag: String,
    ends: Vec<u32>,
}

/// The host's end of a cable.
struct Plug<'a> {
    name: &'a str,
    mac: [u8; 6],
    bridge: u32,
}

impl Cables {
    /// Plugs a host into the management bridge: `mgmt0` appears in its network namespace, without an address
    /// and down.
    pub fn plug_management(
        route: &RouteSocket,
        bridges: &Bridges,
        address: Ipv4Addr,
        network: BorrowedFd<'_>,
        tag: &str,
    ) -> Result<Self, Failure> {
        let mut cables = Self {
            tag: tag.to_owned(),
            ends: Vec::new(),
        };
        let plug = Plug {
            name: MANAGEMENT,
            mac: management_mac(address),
            bridge: bridges.management,
        };
        cables.add(route, network, &plug)?;
        Ok(cables)
    }

    /// Plugs it into its segments: its lab interfaces appear, without addresses and down.
    pub fn plug_lab(
        &mut self,
        route: &RouteSocket,
        bridges: &Bridges,
        interfaces: &[GuestInterface],
        network: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        for interface in interfaces {
            let mac = parse_mac(&interface.mac)
                .ok_or_else(|| Failure(format!("`{}` is no MAC", interface.mac)))?;
            let bridge = *bridges
                .segments
                .get(interface.segment)
                .ok_or_else(|| Failure(format!("there is no segment {}", interface.segment)))?;
            let name = interface.name.as_str();
            self.add(route, network, &Plug { name, mac, bridge })?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        route: &RouteSocket,
        network: BorrowedFd<'_>,
        plug: &Plug<'_>,
    ) -> Result<(), Failure> {
        let here = format!("{}.{}", self.tag, self.ends.len());
        let what = format!("wire {} as {here}", plug.name);
        route
            .add_veth(&here, plug.name, plug.mac, network)
            .during(&what)?;
        let end = route
            .link(&here)
            .during(&what)?
            .ok_or_else(|| Failure(format!("{what}: it vanished")))?;
        self.ends.push(end.index);
        route.set_controller(end.index, plug.bridge).during(&what)?;
        route.set_up(end.index, true).during(&what)
    }

    /// Pulls them out. The kernel removes those of a namespace that has ended, so errors are ignored.
    pub fn pull(self, route: &RouteSocket) {
        for index in self.ends {
            let _ = route.delete_link(index);
        }
    }
}

/// `52:54:00:12:34:56`; `None` for anything else and for group addresses.
fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    (parts.next().is_none() && mac[0] & 1 == 0).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_six_pairs_of_digits_and_no_group_address() {
        assert_eq!(
            parse_mac("52:54:00:00:04:0f"),
            Some([0x52, 0x54, 0, 0, 4, 15])
        );
        for wrong in [
            "",
            "52:54:00:00:04",
            "52:54:00:00:04:0f:00",
            "5:54:00:00:04:0f",
            "53:54:00:00:04:0f",
            "xx:54:00:00:04:0f",
        ] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
