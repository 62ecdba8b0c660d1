//! The forwarding table: what each forwarding method means for a lab, in one place.
//!
//! A forwarding method decides where the VIP lives, which way replies take, which settings and gateway a host needs,
//! and what the packets look like at each hop. Other modules ask the [`Profile`] of a method for such a property and
//! never for the method itself. So a new method is a variant here with its profile, a word in topology files, and
//! whatever the wire decoder has to learn; the compiler finds the rest.

use serde::{Deserialize, Serialize};

use super::Role;
use crate::ipvs::Forwarding;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $profile:ident),+ $(,)?) => {
        /// How the director hands a request on to a real server (`ipvsadm -m | -g`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum ForwardingMethod {
            $($(#[$doc])* $variant,)+
        }

        impl ForwardingMethod {
            /// Every method, in the order of the course.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What the method means for a lab.
            #[must_use]
            pub fn profile(self) -> &'static Profile {
                match self {
                    $(Self::$variant => &$profile,)+
                }
            }
        }
    };
}

methods! {
    /// LVS-NAT: the director rewrites the destination address, and replies come back through it.
    Nat = NAT,
    /// LVS-DR, direct routing: only the destination MAC changes, and replies bypass the director.
    Dr = DIRECT_ROUTING,
}

impl std::fmt::Display for ForwardingMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.profile().keyword)
    }
}

/// One row of the forwarding table.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The word in topology files and JSON.
    pub keyword: &'static str,
    /// The name in sentences: `NAT`, `direct routing`.
    pub name: &'static str,
    /// The kernel's name.
    pub kernel: Forwarding,
    /// How clients and real servers are wired unless the topology says otherwise.
    pub wiring: Wiring,
    /// Where the director has the VIP.
    pub director_vip: DirectorVip,
    /// The device on which a real server has the VIP as a host address (/32 or /128), hidden from ARP; `None` where
    /// only the director has the VIP.
    pub real_server_vip: Option<&'static str>,
    /// What the director puts into the destination of a request.
    pub destination: Destination,
    /// The way of the replies.
    pub replies: Replies,
    /// The kernel settings that the director needs.
    pub director_settings: Settings,
    /// The kernel settings that a real server needs.
    pub real_server_settings: Settings,
    /// Sentences that are true of this method only.
    pub words: Words,
}

/// How clients and real servers are wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// Clients, director and real servers share one layer-2 segment.
    OneNetwork,
    /// The director stands between the clients' network and the real servers'.
    DirectorBetween,
}

/// Where the director has the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectorVip {
    /// It is the director's own address in the clients' network.
    Own,
    /// It is an alias, beside the director's own address on the same interface.
    Alias,
}

/// The destination address of a request that the director has handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The director rewrites it to the real server's address and port.
    RealServer,
    /// It stays the VIP and its port.
    Vip,
}

/// The way of the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replies {
    /// Back to the director, which puts the VIP back as their source. So it must be the real server's gateway.
    ThroughDirector,
    /// From the real server to the client, past the director.
    PastDirector,
}

/// Kernel settings that a host needs, with their common purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The settings, in order of application.
    pub settings: &'static [Setting],
    /// What they are for, a clause: `the VIP on lo is hidden from ARP`.
    pub purpose: &'static str,
}

impl Settings {
    const NONE: Self = Self {
        settings: &[],
        purpose: "",
    };
}

/// One kernel setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key as sysctl(8) writes it, with dots.
    pub key: &'static str,
    /// The value to set.
    pub value: &'static str,
    /// Why the lab needs it, one sentence.
    pub why: &'static str,
}

/// Sentences and clauses that are true of one method.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The way of a request.
    pub request_way: &'static str,
    /// Why requests must take that way.
    pub request_why: &'static str,
    /// The way of a reply.
    pub reply_way: &'static str,
    /// The way of a reply as a check's summary: `replies come back by the director`.
    pub reply_summary: &'static str,
    /// Why replies must take that way.
    pub reply_why: &'static str,
    /// The way of the replies in a list of results: `replies pass the director`.
    pub replies: &'static str,
    /// What the director's count of outgoing packets must show, as a check's summary.
    pub counter_summary: &'static str,
    /// That count.
    pub counter_expected: &'static str,
    /// Why.
    pub counter_why: &'static str,
    /// Why nobody but the director may answer ARP for the VIP.
    pub arp_why: &'static str,
    /// Why the director needs the DIP.
    pub dip_why: &'static str,
    /// Why a real server needs the RIP.
    pub rip_why: &'static str,
    /// What the director does with a connection to the VIP, after "chooses a real server and".
    pub handing_on: &'static str,
    /// Why a real server must reach the client the way it should.
    pub client_route_why: &'static str,
}

impl Profile {
    /// The kernel settings that a host of this role needs.
    #[must_use]
    pub fn settings(&self, role: Role) -> Settings {
        match role {
            Role::Client => Settings::NONE,
            Role::Director => self.director_settings,
            Role::RealServer => self.real_server_settings,
        }
    }

    /// Whether replies pass the director.
    #[must_use]
    pub fn replies_pass_director(&self) -> bool {
        self.replies == Replies::ThroughDirector
    }
}

const NAT: Profile = Profile {
    keyword: "nat",
    name: "NAT",
    kernel: Forwarding::Masquerade,
    wiring: Wiring::DirectorBetween,
    director_vip: DirectorVip::Own,
    real_server_vip: None,
    destination: Destination::RealServer,
    replies: Replies::ThroughDirector,
    director_settings: Settings {
        settings: &[Setting {
            key: "net.ipv4.ip_forward",
            value: "1",
            why: "The director passes packets between its two networks like a router; without forwarding the kernel \
                  drops the real servers' answers, which are addressed to the client.",
        }],
        purpose: "the director routes between its networks",
    },
    real_server_settings: Settings::NONE,
    words: Words {
        request_way: "client → director → real server, with its RIP as the destination from the director on",
        request_why: "The director chooses a real server and rewrites the destination; a request that takes another \
                      way is not balanced or not answered.",
        reply_way: "real server → director → client, with the VIP as the source from the director on",
        reply_summary: "replies come back by the director",
        reply_why: "Only the director can put the VIP back as the source; a reply that bypasses it comes from an \
                    address the client never asked, and is thrown away.",
        replies: "replies pass the director",
        counter_summary: "the answers pass through the director",
        counter_expected: "more than 0 outgoing packets",
        counter_why: "Under NAT the director translates every answer back to the VIP, so it must see them.",
        arp_why: "Whoever answers may get the client's packets, and only the director can hand them on.",
        dip_why: "The director reaches the real servers from the DIP, and the DIP is their gateway.",
        rip_why: "The director sends requests on to the RIP.",
        handing_on: "writes its address into the packets; on the answers it puts the VIP back.",
        client_route_why: "Answers to the client must pass the director, or it cannot put the VIP back as their \
                           source and connections hang.",
    },
};

const DIRECT_ROUTING: Profile = Profile {
    keyword: "dr",
    name: "direct routing",
    kernel: Forwarding::Route,
    wiring: Wiring::OneNetwork,
    director_vip: DirectorVip::Alias,
    real_server_vip: Some("lo"),
    destination: Destination::Vip,
    replies: Replies::PastDirector,
    director_settings: Settings::NONE,
    // The kernel takes the larger of `all` and the receiving interface (ip-sysctl.rst, `arp_ignore`).
    real_server_settings: Settings {
        settings: &[
            Setting {
                key: "net.ipv4.conf.all.arp_ignore",
                value: "1",
                why: "The real server answers ARP only for addresses of the interface the question came in on, so \
                      nobody but the director answers for the VIP.",
            },
            Setting {
                key: "net.ipv4.conf.lo.arp_ignore",
                value: "1",
                why: "The same on lo, where the VIP is; what counts is the larger of `all` and the interface that \
                      is asked, so this is for completeness.",
            },
            Setting {
                key: "net.ipv4.conf.all.arp_announce",
                value: "2",
                why: "When the real server itself asks by ARP, it names the address of that interface as the sender, \
                      never the VIP, so that no neighbour learns the VIP with the wrong MAC.",
            },
            Setting {
                key: "net.ipv4.conf.lo.arp_announce",
                value: "2",
                why: "The same on lo, where the VIP is; again the larger of `all` and the interface counts.",
            },
        ],
        purpose: "the VIP on lo is hidden from ARP",
    },
    words: Words {
        request_way: "client → director → real server, with the VIP as the destination all the way",
        request_why: "The director chooses a real server and changes nothing but the MAC; a request that takes \
                      another way is not balanced or not answered.",
        reply_way: "real server → client, with the VIP as the source, past the director",
        reply_summary: "replies come straight from the real server",
        reply_why: "The real server has the VIP and answers the client itself; that is what spares the director the \
                    replies.",
        replies: "replies bypass the director",
        counter_summary: "the answers bypass the director",
        counter_expected: "0 outgoing packets",
        counter_why: "Under direct routing the real servers answer the client themselves; a director that sees \
                      answers is translating them.",
        arp_why: "Every real server has the VIP and must keep quiet about it: whoever answers may get the client's \
                  packets, and from any other host than the director they are not balanced.",
        dip_why: "The director needs an address of its own on the segment to find the real servers' MACs by ARP.",
        rip_why: "The director finds the real server's MAC by asking for the RIP, and sends it the requests for the \
                  VIP.",
        handing_on: "sends it the packets with nothing changed but the destination MAC, so the real server sees the \
                     VIP and answers the client itself.",
        client_route_why: "Under direct routing the real server answers the client itself, over the segment they \
                           share.",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_word_and_a_kernel_name_of_its_own() {
        for (at, one) in ForwardingMethod::ALL.iter().enumerate() {
            for other in &ForwardingMethod::ALL[at + 1..] {
                assert_ne!(one.profile().keyword, other.profile().keyword);
                assert_ne!(one.profile().kernel, other.profile().kernel);
            }
        }
    }

    #[test]
    fn the_word_in_json_is_the_one_in_topology_files() {
        for method in ForwardingMethod::ALL {
            let json = serde_json::to_value(method).unwrap();
            assert_eq!(json, method.profile().keyword);
        }
    }

    #[test]
    fn a_director_that_is_passed_by_hands_on_what_the_real_server_takes_for_its_own() {
        for method in ForwardingMethod::ALL {
            let profile = method.profile();
            if profile.destination == Destination::Vip {
                assert!(profile.real_server_vip.is_some(), "{method}");
            }
        }
    }
}
