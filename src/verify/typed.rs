//! Commands as a person types them on a host's system.

use ipnet::Ipv4Net;

use crate::keeper::System;
use crate::model::InterfaceName;
use crate::resource::{OsFamily, ServiceManager};

/// `text` as one word of a POSIX shell: as it is when nothing in it is special, else in single quotes.
pub(super) fn quote(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '%' | '+' | ',')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Installs a package.
pub(super) fn install(system: System, package: &str) -> Vec<String> {
    match system.family {
        OsFamily::Rhel => vec![format!("yum -y install {package}")],
        OsFamily::Debian => vec![
            "apt-get update".to_owned(),
            format!("apt-get -y install {package}"),
        ],
    }
}

/// Starts a service, or has a running one read its configuration again.
pub(super) fn restart(system: System, service: &str) -> String {
    match system.service_manager {
        ServiceManager::Systemd => format!("systemctl restart {service}"),
        ServiceManager::SysV => format!("service {service} restart"),
    }
}

/// Has the boot start a service.
///
/// `update-rc.d NAME enable` only renames the links of `/etc/rc?.d` that are there, and `defaults` makes none where
/// there is one, so all are made anew (update-rc.d(8)).
pub(super) fn enable(system: System, service: &str) -> Vec<String> {
    match (system.service_manager, system.family) {
        (ServiceManager::Systemd, _) => vec![format!("systemctl enable {service}")],
        (ServiceManager::SysV, OsFamily::Debian) => vec![
            format!("update-rc.d -f {service} remove"),
            format!("update-rc.d {service} defaults"),
        ],
        (ServiceManager::SysV, OsFamily::Rhel) => vec![format!("chkconfig {service} on")],
    }
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
    via: std::net::Ipv4Addr,
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
