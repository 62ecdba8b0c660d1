//! The way one connection's packets really took, put together from the frames captured on every host.
//!
//! A frame is followed by its destination MAC: whoever has that is where it arrives, and what leaves there for the
//! same connection is followed on. Hosts' clocks are never compared with each other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use crate::agent::protocol::{Captured, LinkEvidence, Response};
use crate::model::{HostName, InterfaceName};
use crate::packet::{Content, Flags, Frame, Mac, Segment};

/// No way through a lab is longer; a packet that goes in circles ends here.
const MOST_STOPS: usize = 8;

/// One connection, there and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journey {
    /// The client's port, which tells the connection from others.
    pub port: u16,
    /// The way of its first packet, the SYN.
    pub request: Leg,
    /// The way of the first answer to it, SYN and ACK or RST.
    pub reply: Leg,
    /// What the client got in the end, where it got as far.
    pub response: Option<Response>,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Hosts in the order the packet came by, the sender first. Empty when nothing was sent.
    pub stops: Vec<Stop>,
    /// How it ended.
    pub end: End,
}

/// One host on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Which.
    pub host: HostName,
    /// As it arrived; `None` at the sender.
    pub arrived: Option<Passage>,
    /// As it left; `None` where it went no further.
    pub left: Option<Passage>,
    /// Label of the address it was for, where the host has it: `lo:0`.
    pub accepted_for: Option<String>,
}

/// A packet on one interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Interface.
    pub interface: InterfaceName,
    /// Sender on this segment.
    pub source_mac: Mac,
    /// Receiver on this segment.
    pub destination_mac: Mac,
    /// The host of the lab that has [`Self::destination_mac`].
    pub receiver: Option<HostName>,
    /// Source address and port.
    pub source: SocketAddrV4,
    /// Destination address and port.
    pub destination: SocketAddrV4,
    /// TCP flags, `SYN,ACK`.
    pub flags: String,
    /// Time to live.
    pub ttl: u8,
    /// Nanoseconds since 1970 UTC by the host's clock.
    pub at: u64,
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// Nothing was sent.
    NotSent,
    /// The last stop took it, or dropped it: it went no further.
    Here,
    /// It left the last stop for a MAC that no host of the lab has.
    Stray {
        /// That MAC.
        mac: Mac,
    },
    /// It left the last stop for this host and was not seen to arrive.
    Lost {
        /// For whom.
        toward: HostName,
    },
    /// It left the last stop for this host, of which there is no capture.
    Unwatched {
        /// For whom.
        toward: HostName,
    },
    /// It went in circles.
    Circle,
}

impl Leg {
    /// The hosts in order.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.stops.iter().map(|stop| &stop.host)
    }

    fn empty() -> Self {
        Self {
            stops: Vec::new(),
            end: End::NotSent,
        }
    }
}

/// The journeys of the marked requests, in the order they were sent.
#[must_use]
pub fn journeys(evidence: &Evidence) -> Vec<Journey> {
    let watched = Watched::new(evidence);
    let responses = evidence.fetched().as_deref().unwrap_or_default();
    watched
        .ports()
        .into_iter()
        .map(|port| {
            let request = watched.request(port);
            Journey {
                port,
                reply: watched.reply(port, &request),
                request,
                response: responses.iter().find(|r| r.local_port == port).cloned(),
            }
        })
        .collect()
}

/// A segment where it was seen.
struct Sight<'e> {
    interface: &'e InterfaceName,
    outgoing: bool,
    at: u64,
    frame: Frame,
    segment: Segment,
}

/// Everything that was captured, decoded.
struct Watched<'e> {
    evidence: &'e Evidence,
    client: Ipv4Addr,
    sights: BTreeMap<&'e HostName, Vec<Sight<'e>>>,
}

impl<'e> Watched<'e> {
    fn new(evidence: &'e Evidence) -> Self {
        let sights = evidence
            .hosts()
            .iter()
            .filter_map(|(host, record)| Some((host, segments(record.captured.as_ref().ok()?))))
            .collect();
        Self {
            evidence,
            client: evidence.lab().cip().addr(),
            sights,
        }
    }

    /// Ports of the client's connections, by the order of their first frame on the client; those that the
    /// client's requests had and no frame was seen of come last.
    fn ports(&self) -> Vec<u16> {
        let Some(marked) = self.evidence.marked() else {
            return Vec::new();
        };
        let client = &self.evidence.lab().client().name;
        let sent = self.sights.get(client).into_iter().flatten();
        let seen = sent
            .filter(|sight| *sight.segment.source.ip() == self.client)
            .map(|sight| sight.segment.source.port());
        let fetched = self.evidence.fetched().as_deref().unwrap_or_default();
        let asked = fetched.iter().map(|response| response.local_port);
        let mut ports = Vec::new();
        for port in seen.chain(asked).filter(|port| marked.contains(*port)) {
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        ports
    }

    fn request(&self, port: u16) -> Leg {
        let end = SocketAddrV4::new(self.client, port);
        let client = &self.evidence.lab().client().name;
        self.follow(client, None, |segment| {
            segment.source == end && segment.flags.opens()
        })
    }

    /// From wherever the request came to its end.
    fn reply(&self, port: u16, request: &Leg) -> Leg {
        let end = SocketAddrV4::new(self.client, port);
        let Some(from) = request.stops.last() else {
            return Leg::empty();
        };
        let home = &self.evidence.lab().client().name;
        self.follow(&from.host, Some(home), |segment| {
            segment.destination == end && segment.flags.answers()
        })
    }

    fn follow(
        &self,
        from: &HostName,
        home: Option<&HostName>,
        belongs: impl Fn(&Segment) -> bool,
    ) -> Leg {
        let Some(left) = self.leaving(from, 0, &belongs) else {
            return Leg::empty();
        };
        let mut stops = vec![Stop {
            host: from.clone(),
            arrived: None,
            left: Some(left),
            accepted_for: None,
        }];
        loop {
            let Some(left) = stops.last().and_then(|stop| stop.left.clone()) else {
                return Leg {
                    stops,
                    end: End::Here,
                };
            };
            let end = match self.next(&left, home, &belongs) {
                Ok(_) if stops.len() >= MOST_STOPS => End::Circle,
                Ok(stop) => {
                    stops.push(stop);
                    continue;
                }
                Err(end) => end,
            };
            return Leg { stops, end };
        }
    }

    /// Where a packet that left like this arrived.
    fn next(
        &self,
        left: &Passage,
        home: Option<&HostName>,
        belongs: &impl Fn(&Segment) -> bool,
    ) -> Result<Stop, End> {
        let Some(host) = left.receiver.as_ref() else {
            return Err(End::Stray {
                mac: left.destination_mac,
            });
        };
        let toward = || host.clone();
        let Some(sights) = self.sights.get(host) else {
            return Err(End::Unwatched { toward: toward() });
        };
        let arrived = sights.iter().find(|sight| {
            !sight.outgoing
                && belongs(&sight.segment)
                && sight.frame.destination == left.destination_mac
                && sight.frame.source == left.source_mac
        });
        let Some(arrived) = arrived else {
            return Err(End::Lost { toward: toward() });
        };
        let on = if home == Some(host) {
            None
        } else {
            self.leaving(host, arrived.at, belongs)
        };
        let accepted_for = on
            .is_none()
            .then(|| self.label(host, *arrived.segment.destination.ip()))
            .flatten();
        Ok(Stop {
            host: host.clone(),
            arrived: Some(self.passage(arrived)),
            left: on,
            accepted_for,
        })
    }

    /// The first such packet that left `host` from `since` on.
    fn leaving(
        &self,
        host: &HostName,
        since: u64,
        belongs: &impl Fn(&Segment) -> bool,
    ) -> Option<Passage> {
        let sights = self.sights.get(host)?;
        let sight = sights
            .iter()
            .find(|sight| sight.outgoing && sight.at >= since && belongs(&sight.segment))?;
        Some(self.passage(sight))
    }

    fn passage(&self, sight: &Sight<'_>) -> Passage {
        let Segment {
            source,
            destination,
            ttl,
            flags,
            ..
        } = sight.segment;
        Passage {
            interface: sight.interface.clone(),
            source_mac: sight.frame.source,
            destination_mac: sight.frame.destination,
            receiver: self.owner(sight.frame.destination).cloned(),
            source,
            destination,
            flags: flags.to_string(),
            ttl,
            at: sight.at,
        }
    }

    fn owner(&self, mac: Mac) -> Option<&'e HostName> {
        owner(self.evidence, mac)
    }

    /// Label of `address` on `host`.
    fn label(&self, host: &HostName, address: Ipv4Addr) -> Option<String> {
        let record = self.evidence.hosts().get(host)?;
        let found = &record.before.as_ref().ok()?.found;
        let state = found
            .addresses
            .iter()
            .find(|s| s.address.addr() == address)?;
        Some(if state.label.is_empty() {
            state.interface.to_string()
        } else {
            state.label.clone()
        })
    }
}

/// The host of the lab that has this MAC, hosts in the lab's order.
pub(super) fn owner(evidence: &Evidence, mac: Mac) -> Option<&HostName> {
    let has = |link: &LinkEvidence| link.mac.parse() == Ok(mac);
    let hosts = evidence.lab().hosts().iter();
    let owner = hosts
        .filter_map(|host| evidence.hosts().get_key_value(&host.name))
        .find(|(_, record)| {
            let before = record.before.as_ref();
            before.is_ok_and(|sighting| sighting.found.links.iter().any(has))
        });
    owner.map(|(name, _)| name)
}

/// Every frame of a capture that can be read, with its place.
pub(super) fn frames(
    captured: &Captured,
) -> impl Iterator<Item = (&InterfaceName, bool, u64, Frame)> {
    captured.frames.iter().filter_map(|kept| {
        let frame = Frame::decode(&BASE64.decode(&kept.data).ok()?)?;
        Some((&kept.interface, kept.outgoing, kept.at, frame))
    })
}

fn segments(captured: &Captured) -> Vec<Sight<'_>> {
    frames(captured)
        .filter_map(|(interface, outgoing, at, frame)| match frame.content {
            Content::Tcp(segment) => Some(Sight {
                interface,
                outgoing,
                at,
                frame,
                segment,
            }),
            _ => None,
        })
        .collect()
}

/// Segments from the service to the client's marked port `port` that were seen on `host`, in either direction.
pub(super) fn replies_on(evidence: &Evidence, host: &HostName, port: u16) -> usize {
    let client = SocketAddrV4::new(evidence.lab().cip().addr(), port);
    let Some(record) = evidence.hosts().get(host) else {
        return 0;
    };
    let captured = record.captured.as_ref().into_iter().flat_map(segments);
    captured
        .filter(|sight| sight.segment.destination == client)
        .count()
}

/// Whether a passage is a refusal.
#[must_use]
pub fn refuses(passage: &Passage) -> bool {
    passage
        .flags
        .split(',')
        .any(|flag| flag == Flags(Flags::RST).to_string())
}
