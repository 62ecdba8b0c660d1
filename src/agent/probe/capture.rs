//! Captures the frames of marked connections on this host's interfaces, and asks by ARP who has an address.
//!
//! Between start and stop nothing of ours runs: the kernel filters and keeps the frames ([`PacketSocket`]). The sockets'
//! buffers, the number of frames, their length and the time bound what is kept.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::arp;
use super::packet_socket::PacketSocket;
use crate::agent::protocol::error::{because, host};
use crate::agent::protocol::{
    AgentError, ArpProbe, CaptureStart, CaptureStop, Captured, CapturedFrame,
};
use crate::agent::resource::Local;
use crate::model::InterfaceName;
use crate::netlink::route::Link;
use crate::packet::{Arp, Content, Frame, Mac, Operation, arp_request, filter};

/// The most that the kernel keeps per interface until it is read, bytes.
const ROOM_BYTES: usize = 1 << 20;
/// The most that is kept of one frame, bytes: more than the largest Ethernet frame.
const KEPT_BYTES: usize = 2048;
/// The most frames that a request can ask for.
const MOST_FRAMES: usize = 10_000;
/// The most frames that are read per interface, including those that are not kept.
const MOST_READ: usize = 2 * MOST_FRAMES;
/// The longest time for ARP requests.
const LONGEST_WINDOW: Duration = Duration::from_secs(2);
/// The most ARP requests for an address.
const MOST_ARP_REQUESTS: u32 = 10;

/// A capture that is running.
#[derive(Debug)]
pub(in crate::agent) struct Capture {
    asked: CaptureStart,
    sockets: Vec<(InterfaceName, PacketSocket)>,
    failures: BTreeMap<InterfaceName, String>,
    /// Nanoseconds since 1970 UTC.
    began: u64,
}

/// Begins to listen. Interfaces that cannot be listened to are in the result of [`Capture::stop`].
///
/// # Errors
/// When the client has an IPv6 address, or the kernel does not tell its interfaces.
pub(in crate::agent) fn start(
    machine: &mut Local,
    request: &CaptureStart,
) -> Result<Capture, AgentError> {
    let IpAddr::V4(client) = request.client else {
        return Err(because(format!(
            "{} is an IPv6 address, and only IPv4 connections can be captured",
            request.client
        ))
        .into());
    };
    let links = links(machine).map_err(|e| host("cannot ask the kernel for its interfaces", e))?;
    let program = filter::connections(client, request.ports.first..=request.ports.last);
    let mut capture = Capture {
        asked: request.clone(),
        sockets: Vec::new(),
        failures: BTreeMap::new(),
        began: now(),
    };
    for name in &request.interfaces {
        match listen(&links, name, &program) {
            Ok(socket) => capture.sockets.push((name.clone(), socket)),
            Err(reason) => {
                capture.failures.insert(name.clone(), reason);
            }
        }
    }
    Ok(capture)
}

fn links(machine: &mut Local) -> io::Result<Vec<Link>> {
    let network = machine.network().map_err(io::Error::other)?;
    network.socket().links()
}

fn listen(
    links: &[Link],
    name: &InterfaceName,
    program: &[filter::Instruction],
) -> Result<PacketSocket, String> {
    let link = find(links, name)?;
    if !link.ethernet && !link.loopback {
        return Err(format!("{name} is no Ethernet interface"));
    }
    PacketSocket::listen(link.index, program, ROOM_BYTES).map_err(|error| error.to_string())
}

fn find<'l>(links: &'l [Link], name: &InterfaceName) -> Result<&'l Link, String> {
    let link = links.iter().find(|link| link.name == name.as_str());
    link.ok_or_else(|| format!("there is no interface {name}"))
}

impl Capture {
    /// Asks for the address, if the request says so, and returns the frames.
    pub(in crate::agent) fn stop(self, machine: &mut Local, request: &CaptureStop) -> Captured {
        let mut captured = Captured {
            failures: self.failures.clone(),
            ..Captured::default()
        };
        let probe = request.arp.as_ref();
        let asked = probe.map(|probe| (probe, ask(machine, probe)));
        self.read_all(&mut captured);
        match asked {
            Some((_, Err(reason))) => captured.arp_failure = Some(reason),
            Some((probe, Ok(question))) => {
                self.wait_for_answer(probe, &mut captured);
                let put_back = question.put_back(machine);
                captured.arp_failure = put_back.err().map(|error| error.to_string());
            }
            None => {}
        }
        captured.frames.sort_by_key(|frame| frame.at);
        captured
    }

    /// Waits longer for an answer: on a busy machine it may be late.
    fn wait_for_answer(&self, probe: &ArpProbe, captured: &mut Captured) {
        let patience = Duration::from_millis(probe.patience_milliseconds.into());
        let end = Instant::now() + patience.min(LONGEST_WINDOW);
        while !is_answered(captured, probe.target) && Instant::now() < end {
            sleep(Duration::from_millis(20));
            self.read_all(captured);
        }
    }

    fn read_all(&self, captured: &mut Captured) {
        let end = now();
        for (name, socket) in &self.sockets {
            if let Err(error) = self.read(name, socket, end, captured) {
                captured.failures.insert(name.clone(), error.to_string());
            }
        }
    }

    fn read(
        &self,
        name: &InterfaceName,
        socket: &PacketSocket,
        end: u64,
        captured: &mut Captured,
    ) -> io::Result<()> {
        captured.missed += u64::from(socket.dropped()?);
        let most = (self.asked.most_frames as usize).min(MOST_FRAMES);
        let last = self.began + u64::from(self.asked.seconds) * 1_000_000_000;
        let mut buffer = [0; KEPT_BYTES];
        // Frames that arrive during the reading are too late; without this limit a busy network would keep us here.
        for _ in 0..MOST_READ {
            let Some(received) = socket.receive(&mut buffer)? else {
                break;
            };
            // The kernel begins to stamp frames a moment after the first socket asks for it. Earlier frames get the
            // time at which they are read.
            let at = received.at.min(end);
            let kept = &buffer[..received.length.min(KEPT_BYTES)];
            if at > last || !self.is_wanted(kept) {
                continue;
            }
            if captured.frames.len() >= most {
                captured.missed += 1;
                continue;
            }
            captured.frames.push(CapturedFrame {
                at,
                interface: name.clone(),
                outgoing: received.outgoing,
                length: u32::try_from(received.length).unwrap_or(u32::MAX),
                data: BASE64.encode(kept),
            });
        }
        Ok(())
    }

    /// Whether to keep a frame: the kernel's filter passes the marked connections and all ARP, also about addresses
    /// outside the lab.
    fn is_wanted(&self, frame: &[u8]) -> bool {
        match Frame::decode(frame).map(|frame| frame.content) {
            Some(Content::Arp(Arp { sender, target, .. })) => [sender, target]
                .iter()
                .any(|address| self.asked.addresses.contains(&IpAddr::V4(*address))),
            Some(Content::Tcp(_)) => true,
            Some(Content::Other { .. }) | None => false,
        }
    }
}

/// Whether a host has answered for `address`.
fn is_answered(captured: &Captured, address: IpAddr) -> bool {
    captured.frames.iter().any(|frame| {
        let bytes = BASE64.decode(&frame.data).unwrap_or_default();
        let content = Frame::decode(&bytes).map(|frame| frame.content);
        matches!(content, Some(Content::Arp(Arp { operation: Operation::Reply, sender, .. })) if IpAddr::V4(sender) == address)
    })
}

/// An ARP request that was sent.
struct Question {
    index: u32,
    address: IpAddr,
    /// MAC that the kernel had for the address before.
    known: Option<Vec<u8>>,
}

/// Asks who has the address. Returns when the window is over; the capture has the answers.
fn ask(machine: &mut Local, probe: &ArpProbe) -> Result<Question, String> {
    let links = links(machine).map_err(|error| error.to_string())?;
    let link = find(&links, &probe.interface)?;
    let mac: [u8; 6] = link
        .mac
        .as_slice()
        .try_into()
        .map_err(|_| format!("{} has no MAC address", probe.interface))?;
    let frame = arp_request(
        Mac(mac),
        arp::ipv4(probe.sender).map_err(|error| error.to_string())?,
        arp::ipv4(probe.target).map_err(|error| error.to_string())?,
    );
    let socket = PacketSocket::for_sending(link.index).map_err(|error| error.to_string())?;
    let question = Question {
        index: link.index,
        address: probe.target,
        known: neighbour(machine, link.index, probe.target),
    };
    let window = Duration::from_millis(probe.window_milliseconds.into()).min(LONGEST_WINDOW);
    let requests = probe.requests.clamp(1, MOST_ARP_REQUESTS);
    for _ in 0..requests {
        socket
            .send(&frame)
            .map_err(|error| format!("cannot send on {}: {error}", probe.interface))?;
        sleep(window / requests);
    }
    Ok(question)
}

impl Question {
    /// Restores the kernel's neighbour entry. The kernel takes the MAC of the last answer (`arp_process`,
    /// `net/ipv4/arp.c`), but our request must not change where this host sends its packets.
    fn put_back(self, machine: &mut Local) -> io::Result<()> {
        let Some(known) = self.known else {
            return Ok(());
        };
        if neighbour(machine, self.index, self.address).is_none_or(|now| now == known) {
            return Ok(());
        }
        let network = machine.network().map_err(io::Error::other)?;
        network
            .socket()
            .set_neighbour(self.index, self.address, &known)
    }
}

/// MAC that the kernel has for an address.
fn neighbour(machine: &mut Local, index: u32, address: IpAddr) -> Option<Vec<u8>> {
    let entries = machine.network().ok()?.socket().neighbours().ok()?;
    let entry = entries
        .into_iter()
        .find(|entry| entry.index == index && entry.address == address)?;
    (!entry.mac.is_empty()).then_some(entry.mac)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
#[path = "tests/capture.rs"]
mod tests;
