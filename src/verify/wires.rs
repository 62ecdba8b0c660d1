//! What the wires of a lab carry, for tests: frames that leave one host and arrive at another.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::healthy;
use crate::agent::protocol::{Captured, CapturedFrame};
use crate::model::{HostName, Lab, NetworkId, Replies};
use crate::packet::{Flags, Mac, arp_reply, segment};
use crate::plan::HostPlan;

/// A host, and the place of the network that one of its interfaces is on.
pub(crate) type End<'a> = (&'a str, usize);

/// A lab's wires and what went over them so far.
pub(crate) struct Wires<'a> {
    lab: &'a Lab,
    plans: &'a [HostPlan],
    at: u64,
    frames: BTreeMap<HostName, Vec<CapturedFrame>>,
}

impl<'a> Wires<'a> {
    pub(crate) fn new(lab: &'a Lab, plans: &'a [HostPlan]) -> Self {
        Self {
            lab,
            plans,
            at: 1_700_000_000_000_000_000,
            frames: BTreeMap::new(),
        }
    }

    pub(crate) fn mac(&self, (host, network): End<'_>) -> Mac {
        let host = self.lab.host(host).expect("a host of the lab");
        healthy::mac(self.lab, host, network).parse().unwrap()
    }

    /// A frame leaves `from`, and arrives at `to` unless that is `None`.
    fn frame(&mut self, from: End<'_>, to: Option<End<'_>>, bytes: &[u8]) {
        for (end, outgoing) in [(Some(from), true), (to, false)] {
            let Some((host, network)) = end else { continue };
            let plan = self.plans.iter().find(|plan| plan.host.as_str() == host);
            let Some(plan) = plan else { continue };
            self.at += 1_000;
            self.frames
                .entry(plan.host.clone())
                .or_default()
                .push(CapturedFrame {
                    at: self.at,
                    interface: plan.interfaces[&NetworkId::new(network)].clone(),
                    outgoing,
                    length: u32::try_from(bytes.len()).unwrap(),
                    data: BASE64.encode(bytes),
                });
        }
    }

    /// A segment goes from one host to another, `source → destination`.
    pub(crate) fn goes(&mut self, (from, to): (End<'_>, End<'_>), addresses: &str, flags: u8) {
        let bytes = self.segment((from, to), addresses, flags);
        self.frame(from, Some(to), &bytes);
    }

    /// As [`Self::goes`], but it never arrives.
    pub(crate) fn gets_lost(&mut self, way: (End<'_>, End<'_>), addresses: &str, flags: u8) {
        let bytes = self.segment(way, addresses, flags);
        self.frame(way.0, None, &bytes);
    }

    fn segment(&self, (from, to): (End<'_>, End<'_>), addresses: &str, flags: u8) -> Vec<u8> {
        let (source, destination) = addresses.split_once(" → ").expect("an arrow");
        let ends = (source.parse().unwrap(), destination.parse().unwrap());
        segment((self.mac(from), self.mac(to)), ends, flags)
    }

    /// `from` tells the client that it has the VIP.
    pub(crate) fn answers_arp(&mut self, from: End<'_>) {
        let mac = self.mac(from);
        self.claims(mac, Some(from));
    }

    /// Somebody with this MAC tells the client that it has the VIP.
    pub(crate) fn claims(&mut self, mac: Mac, from: Option<End<'_>>) {
        let client = self.lab.client().name.clone();
        let home = (client.as_str(), 0);
        let to = (self.mac(home), self.lab.cip().addr());
        let bytes = arp_reply((mac, self.lab.vip()), to);
        match from {
            Some(from) => self.frame(from, Some(home), &bytes),
            // Whoever sends it is not watched.
            None => self.frame(("nobody", 0), Some(home), &bytes),
        }
    }

    /// One request to the real server at this place and its answer, as the lab's mode has it.
    pub(crate) fn request(&mut self, server: usize, port: u16) {
        let lab = self.lab;
        let server = &lab.real_servers()[server];
        let (client, director) = (lab.client().name.as_str(), lab.director().name.as_str());
        let web = server.host.as_str();
        let cip = SocketAddrV4::new(lab.cip().addr(), port);
        let vip = SocketAddrV4::new(lab.vip(), lab.service().port.get());
        let rip = SocketAddrV4::new(server.address(), lab.service().port.get());
        let inner = lab.servers_network().place();
        let answer = Flags::SYN | Flags::ACK;
        let asked = format!("{cip} → {vip}");
        self.goes(((client, 0), (director, 0)), &asked, Flags::SYN);
        match lab.profile().replies {
            Replies::ThroughDirector => {
                let inside = ((director, inner), (web, inner));
                self.goes(inside, &format!("{cip} → {rip}"), Flags::SYN);
                self.goes((inside.1, inside.0), &format!("{rip} → {cip}"), answer);
                let home = ((director, 0), (client, 0));
                self.goes(home, &format!("{vip} → {cip}"), answer);
            }
            Replies::PastDirector => {
                self.goes(((director, 0), (web, 0)), &asked, Flags::SYN);
                self.goes(((web, 0), (client, 0)), &format!("{vip} → {cip}"), answer);
            }
        }
    }

    /// What the host's capture holds.
    pub(crate) fn captured(&self, host: &HostName) -> Captured {
        Captured {
            frames: self.frames.get(host).cloned().unwrap_or_default(),
            ..Captured::default()
        }
    }
}
