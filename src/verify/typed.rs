//! Commands as a person types them on a host's system.

use ipnet::Ipv4Net;

use crate::keeper::System;
use crate::model::InterfaceName;
use crate::resource::OsFamily;

/// Starts a service, or has a running one read its configuration again.
pub(super) fn restart(system: System, service: &str) -> Option<String> {
    system.start(service).into_iter().next()
}

/// Has the boot start a service.
pub(super) fn enable(system: System, service: &str) -> Vec<String> {
    system.start(service).into_iter().skip(1).collect()
}

/// Gives an interface an address of its own.
pub(super) fn add_address(
    system: System,
    interface: &InterfaceName,
    address: Ipv4Net,
) -> Vec<String> {
    if uses_network_manager(system) {
        return vec![
            "nmcli connection reload".to_owned(),
            format!(
                "nmcli connection modify {interface} ipv4.method manual ipv4.addresses {address} \
                 connection.autoconnect yes"
            ),
            format!("nmcli connection up {interface}"),
        ];
    }
    vec![format!("ip address add {address} brd + dev {interface}")]
}

/// Adds the VIP as an alias, or leaves it where it is already.
pub(super) fn add_alias(verb: &str, interface: &InterfaceName, address: Ipv4Net) -> String {
    // The kernel keeps 15 characters of a label (`IFNAMSIZ` less its NUL).
    let label = Some(format!("{interface}:0")).filter(|label| label.len() <= 15);
    let label = label.map_or_else(String::new, |label| format!("label {label} "));
    let broadcast = if address.prefix_len() == 32 {
        ""
    } else {
        "brd + "
    };
    format!("ip address {verb} {address} {broadcast}{label}dev {interface}")
}

/// Makes a host the default gateway.
pub(super) fn default_route(
    system: System,
    interface: &InterfaceName,
    via: std::net::IpAddr,
) -> Vec<String> {
    if uses_network_manager(system) {
        return vec![
            format!("nmcli connection modify {interface} ipv4.method manual ipv4.gateway {via}"),
            format!("nmcli connection up {interface}"),
        ];
    }
    vec![format!(
        "ip route replace default via {via} dev {interface}"
    )]
}

fn uses_network_manager(system: System) -> bool {
    system.family == OsFamily::Rhel && system.network_manager
}
