//! The packets of one connection as they pass one host, hook by hook.

use std::net::Ipv4Addr;

use super::rules::Hook;
use crate::model::{Host, Lab, Mode, Role};
use crate::plan::HostPlan;

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
    /// State in connection tracking, where it is certain.
    pub(super) state: Option<&'static str>,
    /// What the host's routes say of the destination: `local` or `unicast`.
    pub(super) to_type: &'static str,
}

/// One way through the host: what, addresses, and the hooks.
struct Leg<'a> {
    what: &'a str,
    from: Ipv4Addr,
    to: Ipv4Addr,
    /// Whether it goes to the service (and not from it).
    request: bool,
    arrives_on: Option<&'a str>,
    leaves_on: Option<&'a str>,
    hooks: &'a [Hook],
    state: Option<&'static str>,
}

/// Every packet of a connection through the lab that passes `host`, once per hook, in the order of its way.
pub(in crate::verify) fn packets(lab: &Lab, host: &Host, plan: &HostPlan) -> Vec<Packet> {
    let interface = |segment: usize| plan.interfaces.get(&segment).map(|name| name.as_str());
    let inner = lab.segments() - 1;
    let (cip, vip) = (lab.cip().addr(), lab.vip());
    let receive: &[Hook] = &[Hook::Ingress, Hook::Prerouting, Hook::Input];
    let send: &[Hook] = &[Hook::Output, Hook::Postrouting];
    let mut legs = Vec::new();
    match host.role {
        Role::Client => {
            legs.push(Leg {
                what: "requests to the VIP",
                from: cip,
                to: vip,
                request: true,
                arrives_on: None,
                leaves_on: interface(0),
                hooks: send,
                state: Some("new"),
            });
            legs.push(Leg {
                what: "answers from the VIP",
                from: vip,
                to: cip,
                request: false,
                arrives_on: interface(0),
                leaves_on: None,
                hooks: receive,
                state: Some("established"),
            });
        }
        Role::Director => {
            legs.push(Leg {
                what: "requests from the client",
                from: cip,
                to: vip,
                request: true,
                arrives_on: interface(0),
                leaves_on: None,
                hooks: receive,
                state: Some("new"),
            });
            for server in lab.real_servers() {
                // IPVS sends on what it took from the input hook. Whether connection tracking knows these
                // packets depends on net.ipv4.vs.conntrack.
                legs.push(Leg {
                    what: "requests to the real servers",
                    from: cip,
                    to: match lab.mode() {
                        Mode::Nat => server.address(),
                        Mode::Dr => vip,
                    },
                    request: true,
                    arrives_on: None,
                    leaves_on: interface(inner),
                    hooks: send,
                    state: None,
                });
                if lab.mode().replies_pass_director() {
                    legs.push(Leg {
                        what: "answers of the real servers",
                        from: server.address(),
                        to: cip,
                        request: false,
                        arrives_on: interface(inner),
                        leaves_on: interface(0),
                        hooks: &[Hook::Ingress, Hook::Prerouting, Hook::Forward],
                        state: None,
                    });
                }
            }
        }
        Role::RealServer => {
            let Some(server) = lab.real_server(host.name.as_str()) else {
                return Vec::new();
            };
            let asked_for = match lab.mode() {
                Mode::Nat => server.address(),
                Mode::Dr => vip,
            };
            legs.push(Leg {
                what: "requests from the director",
                from: cip,
                to: asked_for,
                request: true,
                arrives_on: interface(inner),
                leaves_on: None,
                hooks: receive,
                state: Some("new"),
            });
            legs.push(Leg {
                what: "answers to the client",
                from: asked_for,
                to: cip,
                request: false,
                arrives_on: None,
                leaves_on: interface(inner),
                hooks: send,
                state: Some("established"),
            });
        }
    }
    let port = lab.service().port.get();
    let own = own_addresses(lab, host);
    legs.iter()
        .flat_map(|leg| leg.hooks.iter().map(move |hook| (leg, *hook)))
        .map(|(leg, hook)| Packet {
            what: leg.what.to_owned(),
            hook,
            from: leg.from,
            to: leg.to,
            from_port: (!leg.request).then_some(port),
            to_port: leg.request.then_some(port),
            // Where a packet will leave is not known before it is routed.
            arrives_on: leg
                .arrives_on
                .filter(|_| hook != Hook::Postrouting)
                .map(str::to_owned),
            leaves_on: leg
                .leaves_on
                .filter(|_| !matches!(hook, Hook::Ingress | Hook::Prerouting))
                .map(str::to_owned),
            state: leg.state,
            to_type: if own.contains(&leg.to) {
                "local"
            } else {
                "unicast"
            },
        })
        .collect()
}

/// The host's addresses in the lab. The VIP is the director's, and under direct routing every real server's, too.
fn own_addresses(lab: &Lab, host: &Host) -> Vec<Ipv4Addr> {
    let has_vip = match host.role {
        Role::Client => false,
        Role::Director => true,
        Role::RealServer => lab.mode() == Mode::Dr,
    };
    let attached = host.attachments.iter().map(|one| one.address.addr());
    attached.chain(has_vip.then(|| lab.vip())).collect()
}
