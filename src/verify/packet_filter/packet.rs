//! The packets of one connection as they pass one host, hook by hook.

use std::net::Ipv4Addr;

use super::rules::{Destination, Hook};
use crate::model::{Host, Lab, RealServer, Role};
use crate::packet::Flags;
use crate::requirement::Interfaces;

/// A TCP packet at one hook of one host. The client's port is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Packet {
    /// In words, `requests from the client`.
    pub(super) what: String,
    pub(super) hook: Hook,
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
    /// Port of the service, on the side that has it.
    pub(super) from_port: Option<u16>,
    pub(super) to_port: Option<u16>,
    pub(super) arrives_on: Option<String>,
    pub(super) leaves_on: Option<String>,
    pub(super) flags: Flags,
    /// State in connection tracking, where it is certain.
    pub(super) state: Option<&'static str>,
    /// What the host's routes say of the destination: `local` or `unicast`.
    pub(super) to_type: &'static str,
    /// Where a request has its way through the lab before it from here.
    served_at: Vec<Ipv4Addr>,
    /// The address that "this host" stands for where it arrives (nf_nat_redirect.c): the interface's first.
    here: Ipv4Addr,
}

impl Packet {
    /// Whether a request has still its way before it when it is for `other` instead. That of others is not asked for.
    pub(super) fn is_served_at(&self, other: &Destination) -> bool {
        let Some(port) = self.to_port else {
            return true;
        };
        self.served_at.contains(&other.address.unwrap_or(self.here))
            && other.port.unwrap_or(port) == port
    }

    /// The same where connection tracking may not know the connection.
    pub(super) fn without_state(&self) -> Self {
        Self {
            state: None,
            ..self.clone()
        }
    }

    /// Whether it belongs to a connection between the same two.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let (own, theirs) = ((self.from, self.to), (other.from, other.to));
        own == theirs || (own.1, own.0) == theirs
    }
}

const RECEIVE: &[Hook] = &[Hook::Ingress, Hook::Prerouting, Hook::Input];
const FORWARD: &[Hook] = &[Hook::Ingress, Hook::Prerouting, Hook::Forward];
const SEND: &[Hook] = &[Hook::Output, Hook::Postrouting];

const SYN: Flags = Flags(Flags::SYN);
const SYN_ACK: Flags = Flags(Flags::SYN | Flags::ACK);
const ACK: Flags = Flags(Flags::ACK);

/// One way through the host: what, addresses, and the hooks.
#[derive(Clone, Copy)]
struct Leg<'a> {
    what: &'a str,
    from: Ipv4Addr,
    to: Ipv4Addr,
    /// Whether it goes to the service (and not from it).
    request: bool,
    arrives_on: Option<&'a str>,
    leaves_on: Option<&'a str>,
    hooks: &'a [Hook],
    flags: Flags,
    state: Option<&'static str>,
}

impl<'a> Leg<'a> {
    /// The same way for what the client sends once it has got its first answer.
    fn later(self, what: &'a str, state: Option<&'static str>) -> Self {
        Self {
            what,
            state,
            flags: ACK,
            ..self
        }
    }

    fn packet(&self, hook: Hook, place: &Place) -> Packet {
        // Where a packet will leave is not known before it is routed.
        let routed = !matches!(hook, Hook::Ingress | Hook::Prerouting);
        let received = hook != Hook::Postrouting;
        Packet {
            what: self.what.to_owned(),
            hook,
            from: self.from,
            to: self.to,
            from_port: (!self.request).then_some(place.port),
            to_port: self.request.then_some(place.port),
            arrives_on: self.arrives_on.filter(|_| received).map(str::to_owned),
            leaves_on: self.leaves_on.filter(|_| routed).map(str::to_owned),
            flags: self.flags,
            state: self.state,
            to_type: if place.own.contains(&self.to) {
                "local"
            } else {
                "unicast"
            },
            served_at: place.served_at.clone(),
            here: place.here,
        }
    }
}

/// The packets of a connection through the lab that pass `host`, once per hook: the first each way, and what the
/// client sends after that.
pub(in crate::verify) fn packets(lab: &Lab, host: &Host, interfaces: &Interfaces) -> Vec<Packet> {
    let interface = |network| interfaces.get(network).map(|name| name.as_str());
    let outer = interface(lab.clients_network());
    let inner = interface(lab.servers_network());
    let legs = if host.is(Role::Director) {
        at_director(lab, outer, inner)
    } else if let Some(server) = lab.real_server(host.name.as_str()) {
        at_real_server(lab, server, inner)
    } else {
        at_client(lab, outer)
    };
    let place = Place::of(lab, host);
    legs.iter()
        .flat_map(|leg| leg.hooks.iter().map(|hook| leg.packet(*hook, &place)))
        .collect()
}

/// What a host is to the packets that come by.
struct Place {
    /// Of the service.
    port: u16,
    own: Vec<Ipv4Addr>,
    served_at: Vec<Ipv4Addr>,
    here: Ipv4Addr,
}

impl Place {
    fn of(lab: &Lab, host: &Host) -> Self {
        let own = own_addresses(lab, host);
        let first_on = |network| host.on_network(network).map(|one| one.address.addr());
        let serves = host.is(Role::RealServer) && !host.is(Role::Director);
        let here = if serves {
            first_on(lab.servers_network())
        } else if host.is(Role::Director) {
            first_on(lab.clients_network())
        } else {
            // What a host sends itself is redirected to loopback.
            None
        };
        Self {
            port: lab.service().port.get(),
            served_at: if serves { own.clone() } else { vec![lab.vip()] },
            own,
            here: here.unwrap_or(Ipv4Addr::LOCALHOST),
        }
    }
}

fn at_client<'a>(lab: &Lab, interface: Option<&'a str>) -> Vec<Leg<'a>> {
    let request = Leg {
        what: "requests to the VIP",
        from: lab.cip().addr(),
        to: lab.vip(),
        request: true,
        arrives_on: None,
        leaves_on: interface,
        hooks: SEND,
        flags: SYN,
        state: Some("new"),
    };
    let answer = Leg {
        what: "answers from the VIP",
        from: request.to,
        to: request.from,
        request: false,
        arrives_on: interface,
        leaves_on: None,
        hooks: RECEIVE,
        flags: SYN_ACK,
        state: Some("established"),
    };
    let later = request.later("later packets to the VIP", Some("established"));
    vec![request, answer, later]
}

fn at_director<'a>(lab: &Lab, outer: Option<&'a str>, inner: Option<&'a str>) -> Vec<Leg<'a>> {
    let (cip, vip) = (lab.cip().addr(), lab.vip());
    let request = Leg {
        what: "requests from the client",
        from: cip,
        to: vip,
        request: true,
        arrives_on: outer,
        leaves_on: None,
        hooks: RECEIVE,
        flags: SYN,
        state: Some("new"),
    };
    // Connection tracking knows these connections or not as net.ipv4.vs.conntrack says, and one it does not know it
    // may take up in the middle (nf_conntrack_tcp_loose): the states of what follows are not certain.
    let mut legs = vec![
        request,
        request.later("later packets from the client", None),
    ];
    for server in lab.real_servers() {
        // IPVS sends on what it took from the input hook.
        let sent = Leg {
            what: "requests to the real servers",
            to: *lab.service().destination_at(server).ip(),
            arrives_on: None,
            leaves_on: inner,
            hooks: SEND,
            state: None,
            ..request
        };
        legs.extend([sent, sent.later("later packets to the real servers", None)]);
        if lab.profile().replies_pass_director() {
            legs.push(Leg {
                what: "answers of the real servers",
                from: server.address(),
                to: cip,
                request: false,
                arrives_on: inner,
                leaves_on: outer,
                hooks: FORWARD,
                flags: SYN_ACK,
                state: None,
            });
        }
    }
    legs
}

fn at_real_server<'a>(lab: &Lab, server: &RealServer, interface: Option<&'a str>) -> Vec<Leg<'a>> {
    let request = Leg {
        what: "requests from the director",
        from: lab.cip().addr(),
        to: *lab.service().destination_at(server).ip(),
        request: true,
        arrives_on: interface,
        leaves_on: None,
        hooks: RECEIVE,
        flags: SYN,
        state: Some("new"),
    };
    let answer = Leg {
        what: "answers to the client",
        from: request.to,
        to: request.from,
        request: false,
        arrives_on: None,
        leaves_on: interface,
        hooks: SEND,
        flags: SYN_ACK,
        state: Some("established"),
    };
    let later = request.later("later packets from the client", Some("established"));
    vec![request, answer, later]
}

/// The host's addresses in the lab. The VIP is the director's, and under direct routing every real server's, too.
fn own_addresses(lab: &Lab, host: &Host) -> Vec<Ipv4Addr> {
    let has_vip = host.is(Role::Director)
        || (host.is(Role::RealServer) && lab.profile().real_server_vip.is_some());
    let attached = host.attachments.iter().map(|one| one.address.addr());
    attached.chain(has_vip.then(|| lab.vip())).collect()
}
