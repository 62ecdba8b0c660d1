//! The table of faults. A new fault is a row here and the function that the row names.

use super::planned_host::PlannedHost;
use super::{Damage, Effect, Layer};
use super::{boot, director, firewall, kernel, link, network, route, web};

/// An entry of the table.
#[derive(Debug)]
pub struct Kind {
    pub id: FaultId,
    /// Name on the command line and in JSON.
    pub name: &'static str,
    pub layer: Layer,
    pub effect: Effect,
    /// What is done to the host, for the instructor.
    pub what: &'static str,
    /// What a student sees.
    pub symptom: &'static str,
    /// The hosts it is meant for.
    fits: fn(&PlannedHost<'_>) -> bool,
    /// How it is done on such a host; `None` where the host lacks what would be damaged.
    damage: fn(&PlannedHost<'_>) -> Option<Damage>,
}

impl Kind {
    /// What the fault does on `host`; `None` where it does not fit.
    pub(super) fn damage_on(&self, host: &PlannedHost<'_>) -> Option<Damage> {
        if (self.fits)(host) {
            (self.damage)(host)
        } else {
            None
        }
    }
}

/// `Id = "name", layer, effect, on hosts, function, "what", "symptom";` per fault.
macro_rules! faults {
    ($($id:ident = $name:literal, $layer:ident, $effect:ident, on $fits:ident, $damage:path,
        $what:expr, $symptom:expr;)+) => {
        /// Identity of a fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultId {
            $($id,)+
        }

        impl FaultId {
            /// Every fault, from the wire up.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            /// The fault's row.
            #[must_use]
            pub fn kind(self) -> &'static Kind {
                match self {
                    $(Self::$id => {
                        const KIND: &Kind = &Kind {
                            id: FaultId::$id,
                            name: $name,
                            layer: Layer::$layer,
                            effect: Effect::$effect,
                            what: $what,
                            symptom: $symptom,
                            fits: |host| host.$fits(),
                            damage: $damage,
                        };
                        KIND
                    })+
                }
            }
        }
    };
}

impl std::fmt::Display for FaultId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.kind().name)
    }
}

const UNTIL_RESTART: &str = "Everything works until the host is restarted.";

faults! {
    LinkDown = "link-down", Link, Broken, on is_any, link::link_down,
        "sets a lab interface down",
        "Some or all requests time out, and the host does not answer on the lab's network.";
    LoopbackDown = "loopback-down", Link, Broken, on hides_vip, link::loopback_down,
        "sets a direct-routing real server's lo down",
        "Requests handed to one real server hang, although it has the VIP.";
    ArpOff = "arp-off", Link, Broken, on is_any, link::arp_off,
        "switches ARP off on a lab interface, as old instructions do to hide the VIP",
        "Some or all requests hang, although the host is up and has its address.";
    WrongNeighbour = "wrong-neighbour", Link, Broken, on sends_requests, link::wrong_neighbour,
        "pins a MAC that no host has in a neighbour table",
        "Some or all requests time out, although every host has the right addresses.";
    VipAtRealServer = "vip-at-real-server", Link, QuietlyWrong, on sees_hidden_vips, link::vip_at_real_server,
        "pins a real server's MAC for the VIP in the client's neighbour table",
        "Every request is answered, and always by the same real server.";

    AddressMissing = "address-missing", Network, Broken, on is_any, network::address_missing,
        "removes the host's own address",
        "Some or all requests time out.";
    WrongMask = "wrong-mask", Network, Broken, on is_real_server, network::wrong_mask,
        "gives a real server's address the wrong mask",
        "The director reaches the real server, but clients get no answer from it.";
    VipMissing = "vip-missing", Network, Broken, on is_any, network::vip_missing,
        "removes the VIP from the director, or from a direct-routing real server's lo",
        "Requests for the VIP, or those handed to one real server, get no answer.";
    VipMask = "vip-mask", Network, Broken, on hides_vip, network::vip_mask,
        "gives the VIP on lo the network's mask instead of /32",
        "One real server never answers, and reaches no host in the client's network.";
    SecondAddress = "second-address", Network, Broken, on replies_through_director, network::second_address,
        "gives a NAT real server an address in the clients' network",
        "Requests handed to one real server hang, although its gateway is the director.";
    AddressTwice = "address-twice", Network, QuietlyWrong, on is_real_server, network::address_twice,
        "gives a real server the address of another one as well",
        "Now and then the wrong real server answers, or none; it changes from minute to minute.";
    VipAtClient = "vip-at-client", Network, Broken, on is_client, network::vip_at_client,
        "gives the client the VIP on lo",
        "Every request is refused at once, and none is seen on the wire.";
    StrayAddress = "stray-address", Network, Broken, on hides_vip, network::stray_address,
        "adds another address of the network, with the network's mask, to a direct-routing real server's lo",
        "One real server never answers, and reaches no host in the client's network.";

    NoGateway = "no-gateway", Network, Broken, on is_any, route::no_gateway,
        "removes a NAT real server's default route",
        "Requests handed to one real server hang; the director sees them in SYN_RECV.";
    WrongGateway = "wrong-gateway", Network, Broken, on is_any, route::wrong_gateway,
        "points a NAT real server's default route at another host than the director",
        "Requests handed to one real server hang; the director sees them in SYN_RECV.";
    Blackhole = "blackhole", Network, Broken, on is_any, route::blackhole,
        "adds a blackhole route for the next host of the lab that this one sends to",
        "Some or all requests get no answer, although the host has the right address and gateway.";
    Detour = "detour", Network, Broken, on is_real_server, route::detour,
        "adds a route to the client through the wrong host on a real server",
        "Requests handed to one real server hang, although its address and gateway are right.";
    PolicyRoute = "policy-route", Network, Broken, on is_real_server, route::policy_route,
        "adds a rule that routes a real server's answers by another routing table",
        "Requests handed to one real server hang, although its routes are right.";
    NetworkRouteMissing = "network-route-missing", Network, Broken, on faces_client_network, route::network_route_missing,
        "removes the route of a directly connected network",
        "Some or all requests get no answer, although the host has its address.";

    ArpIgnoreOff = "arp-ignore-off", Link, QuietlyWrong, on hides_vip, kernel::arp_ignore_off,
        "lets a real server answer ARP requests for the VIP",
        "It may work; sooner or later all requests go to one real server and past the director.";
    ArpAnnounceOff = "arp-announce-off", Link, QuietlyWrong, on hides_vip, kernel::arp_announce_off,
        "lets a real server announce the VIP as its own",
        "It may work; sooner or later a neighbour learns the wrong MAC for the VIP.";
    ArpSilent = "arp-silent", Link, Broken, on gets_requests, kernel::arp_silent,
        "stops a host from answering any ARP request",
        "It works for a while; then the other hosts no longer find this one.";
    ForwardingOff = "forwarding-off", Network, Broken, on is_passed_by_replies, kernel::forwarding_off,
        "switches ip_forward off on a NAT director",
        "All requests hang, although every real server gets them and answers.";
    InterfaceForwardingOff = "interface-forwarding-off", Network, Broken, on is_passed_by_replies, kernel::interface_forwarding_off,
        "switches forwarding off on a NAT director's inner interface alone; ip_forward stays 1",
        "All requests hang, although ip_forward is 1 and every real server answers.";

    FirewallDrop = "firewall-drop", Firewall, Broken, on gets_requests, firewall::firewall_drop,
        "adds a rule that drops the service's requests",
        "Requests hang, although the web server runs and listens.";
    FirewallNewOnly = "firewall-new-only", Firewall, Broken, on is_real_server, firewall::firewall_new_only,
        "accepts new connections to a real server and drops all that follows on them",
        "Some requests hang, although every real server accepts connections.";
    FirewallForward = "firewall-forward", Firewall, Broken, on is_passed_by_replies, firewall::firewall_forward,
        "gives a NAT director a packet filter that forwards nothing",
        "All requests hang, although forwarding is on and every real server answers.";
    PortDiverted = "port-diverted", Firewall, Broken, on is_real_server, firewall::port_diverted,
        "leaves a rule on a real server that sends its requests to another port",
        "Some requests are refused, although every web server runs and listens.";
    VipDiverted = "vip-diverted", Firewall, QuietlyWrong, on is_passed_by_replies, firewall::vip_diverted,
        "leaves a rule on a NAT director that forwards the VIP to one real server, past IPVS",
        "Every request is answered, and always by the same real server.";

    ServiceMissing = "service-missing", VirtualService, Broken, on is_director, director::service_missing,
        "deletes the virtual service",
        "Every request is refused at once.";
    ServerMissing = "server-missing", VirtualService, QuietlyWrong, on is_director, director::server_missing,
        "deletes a real server from the virtual service",
        "Every request is answered, and one real server never gets any.";
    WrongServer = "wrong-server", VirtualService, Broken, on is_director, director::wrong_server,
        "replaces a real server's address in the virtual service by one that no host has",
        "Some requests fail, and one real server never gets any.";
    WrongPort = "wrong-port", VirtualService, Broken, on is_director, director::wrong_port,
        "sends a NAT real server's requests to another port",
        "Some requests are refused, and one real server never gets any.";
    WrongForwarding = "wrong-forwarding", VirtualService, Broken, on is_director, director::wrong_forwarding,
        "gives a real server another forwarding method",
        "Requests handed to one real server hang, although it can be reached.";
    WrongScheduler = "wrong-scheduler", VirtualService, QuietlyWrong, on is_director, director::wrong_scheduler,
        "changes the scheduler",
        "Every request is answered, but the real servers' shares are not as planned.";
    WeightZero = "weight-zero", VirtualService, QuietlyWrong, on is_director, director::weight_zero,
        "gives a real server the weight 0",
        "Every request is answered, and one real server never gets any.";
    WrongWeight = "wrong-weight", VirtualService, QuietlyWrong, on is_director, director::wrong_weight,
        "triples a real server's weight and adds one",
        "Every request is answered, but the real servers' shares are not as planned.";
    WrongPersistence = "wrong-persistence", VirtualService, QuietlyWrong, on is_director, director::wrong_persistence,
        "makes the service persistent, or no longer so",
        "Every request is answered, but whether a client stays with one real server is not as planned.";

    HttpdStopped = "httpd-stopped", WebServer, Broken, on is_real_server, web::httpd_stopped,
        "stops a real server's web server",
        "Some requests are refused at once.";
    HttpdLoopback = "httpd-loopback", WebServer, Broken, on is_real_server, web::httpd_loopback,
        "makes a real server's web server listen on loopback only",
        "Some requests are refused, although the web server runs and answers on its own host.";
    HttpdOtherPort = "httpd-other-port", WebServer, Broken, on is_real_server, web::httpd_other_port,
        "makes a real server's web server listen on another port",
        "Some requests are refused, although the web server runs.";
    WrongPage = "wrong-page", WebServer, QuietlyWrong, on is_real_server, web::wrong_page,
        "gives a real server another one's page",
        "Every request is answered, and one real server seems never to get any.";
    PageUnreadable = "page-unreadable", WebServer, Broken, on is_real_server, web::page_unreadable,
        "takes away the permission to read a real server's page",
        "Some requests are answered with 403 Forbidden.";
    PageForbidden = "page-forbidden", WebServer, Broken, on is_real_server, web::page_forbidden,
        "closes the directory of a real server's page to its web server",
        "Some requests are answered with 403 Forbidden.";

    HttpdDisabled = "httpd-disabled", Boot, UntilReboot, on is_real_server, boot::httpd_disabled,
        "no longer starts a real server's web server at boot",
        UNTIL_RESTART;
    HttpdLinkRemoved = "httpd-link-removed", Boot, UntilReboot, on is_real_server, boot::httpd_link_removed,
        "removes the link by which a boot starts a real server's web server",
        UNTIL_RESTART;
    ListenOutdated = "listen-outdated", Boot, UntilReboot, on is_real_server, boot::listen_outdated,
        "configures a real server's web server for another port from its next start on",
        UNTIL_RESTART;
    SettingNotSaved = "setting-not-saved", Boot, UntilReboot, on is_any, boot::setting_not_saved,
        "takes a kernel setting out of its file",
        UNTIL_RESTART;
    SettingOverruled = "setting-overruled", Boot, UntilReboot, on is_any, boot::setting_overruled,
        "adds a later file that sets a kernel setting to something else",
        UNTIL_RESTART;
    AliasOverruled = "alias-overruled", Boot, UntilReboot, on is_passed_by_replies, boot::alias_overruled,
        "adds a later file that switches a NAT director's forwarding off by its other name",
        UNTIL_RESTART;
    InterfaceOverruled = "interface-overruled", Boot, UntilReboot, on is_any, boot::interface_overruled,
        "adds a file that undoes a kernel setting on the interface to the real servers' network",
        UNTIL_RESTART;
    GatewayNotSaved = "gateway-not-saved", Boot, UntilReboot, on is_any, boot::gateway_not_saved,
        "takes the gateway out of a NAT real server's ifcfg file",
        UNTIL_RESTART;
    VipNotSaved = "vip-not-saved", Boot, UntilReboot, on is_any, boot::vip_not_saved,
        "removes the ifcfg file of the VIP's alias",
        UNTIL_RESTART;
    VipSavedWithWrongMask = "vip-saved-with-wrong-mask", Boot, UntilReboot, on hides_vip, boot::vip_saved_with_wrong_mask,
        "writes the network's mask into a real server's ifcfg-lo:0",
        UNTIL_RESTART;
    OnbootNo = "onboot-no", Boot, UntilReboot, on is_any, boot::onboot_no,
        "writes ONBOOT=no into the ifcfg file of the host's own address",
        UNTIL_RESTART;
    IfcfgLeftOver = "ifcfg-left-over", Boot, UntilReboot, on is_real_server, boot::ifcfg_left_over,
        "adds an ifcfg file that gives a real server another one's address at the next boot",
        UNTIL_RESTART;
    RulesNotSaved = "rules-not-saved", Boot, UntilReboot, on is_director, boot::rules_not_saved,
        "removes the director's saved IPVS rules",
        UNTIL_RESTART;
    RulesOutdated = "rules-outdated", Boot, UntilReboot, on is_director, boot::rules_outdated,
        "takes the last real server out of the director's saved IPVS rules",
        "Everything works until a restart; then one real server gets no requests.";
}
