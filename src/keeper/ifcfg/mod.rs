//! `/etc/sysconfig/network-scripts/ifcfg-*` (initscripts, sysconfig.txt): one interface or alias each.

mod assignments;
mod write;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

pub use assignments::AssignmentError;
pub(super) use write::{left_to_the_machine, write};

use super::{BootFiles, Place};
use crate::model::{InterfaceName, NameError};
use crate::requirement::{Hop, Route};

/// RHEL's place for these files, and the place that our agent reads on other systems.
pub const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

pub(super) const PLACES: &[Place] = &[Place::Files {
    directory: SCRIPTS,
    prefix: PREFIX,
    suffix: "",
}];

const PREFIX: &str = "ifcfg-";

/// The ifcfg files by name, without the copies that editors leave: path, device that the name stands for, text.
pub(super) fn files(files: &BootFiles) -> impl Iterator<Item = (&str, &str, &str)> {
    files
        .in_directory(SCRIPTS)
        .filter(|(_, name, _)| !is_leftover(name))
        .filter_map(|(path, name, text)| Some((path, name.strip_prefix(PREFIX)?, text)))
}

/// Longest label the kernel keeps (`IFNAMSIZ` less its NUL).
const LONGEST_LABEL: usize = 15;

/// What a file asks for at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ifcfg {
    /// Interface, `eth0` also for the alias `eth0:0`.
    pub interface: InterfaceName,
    /// `eth0:0` where the device is an alias.
    pub label: Option<String>,
    /// Whether it is brought up at boot.
    pub on_boot: bool,
    pub address: Option<Ipv4Net>,
    pub broadcast: Option<Ipv4Addr>,
    pub gateway: Option<Ipv4Addr>,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IfcfgError {
    /// Not plain assignments.
    #[error(transparent)]
    Assignments(#[from] AssignmentError),
    /// A value of the wrong form.
    #[error("{key}={value} is no {expected}")]
    Value {
        key: &'static str,
        value: String,
        /// What belongs there, after "is no": `IPv4 address`.
        expected: &'static str,
    },
    /// The device has no valid interface name.
    #[error("DEVICE={device}: {error}")]
    Device { device: String, error: NameError },
    /// The alias has a name that is no label.
    #[error("DEVICE={device} is longer than the {LONGEST_LABEL} characters of a label")]
    Label { device: String },
    /// An address without its network.
    #[error("IPADDR={address} has neither PREFIX nor NETMASK")]
    NoPrefix { address: Ipv4Addr },
    /// The address is fetched by DHCP or BOOTP.
    #[error("BOOTPROTO={protocol} is not done here, only fixed addresses are")]
    Dynamic { protocol: String },
}

impl Ifcfg {
    /// Reads the text of the file called `ifcfg-NAME`.
    ///
    /// # Errors
    /// It is no list of plain assignments, or a value has the wrong form.
    pub fn parse(name: &str, text: &str) -> Result<Self, IfcfgError> {
        let values = assignments::parse(text)?;
        let device = match values.get("DEVICE").map(String::as_str) {
            Some(device) if !device.is_empty() => device,
            _ => name,
        };
        let (interface, label) = match device.split_once(':') {
            Some((interface, _)) => (interface, Some(device)),
            None => (device, None),
        };
        if label.is_some_and(|label| label.len() > LONGEST_LABEL) {
            return Err(IfcfgError::Label {
                device: device.to_owned(),
            });
        }
        let interface = interface.parse().map_err(|error| IfcfgError::Device {
            device: device.to_owned(),
            error,
        })?;
        let address = address(&values)?;
        let on_boot = !matches!(
            lower(&values, "ONBOOT").as_str(),
            "no" | "n" | "false" | "f" | "0" | "off"
        );
        let protocol = lower(&values, "BOOTPROTO");
        if on_boot && matches!(protocol.as_str(), "dhcp" | "bootp") {
            return Err(IfcfgError::Dynamic { protocol });
        }
        Ok(Self {
            interface,
            label: label.map(str::to_owned),
            on_boot,
            address,
            broadcast: broadcast(&values, address)?,
            gateway: ip(&values, "GATEWAY")?,
        })
    }
}

impl Ifcfg {
    /// The default route that the file asks for.
    #[must_use]
    pub fn default_route(&self) -> Option<Route> {
        Some(Route {
            to: Ipv4Net::default(),
            hop: Hop::Gateway {
                via: self.gateway?,
                interface: self.interface.clone(),
            },
        })
    }
}

/// Copies that editors and packages leave (the network scripts' own list).
fn is_leftover(name: &str) -> bool {
    [
        "~", ".bak", ".old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave",
    ]
    .iter()
    .any(|ending| name.ends_with(ending))
}

fn lower(values: &BTreeMap<String, String>, key: &str) -> String {
    values
        .get(key)
        .map(|v| v.to_ascii_lowercase())
        .unwrap_or_default()
}

fn ip(
    values: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<Option<Ipv4Addr>, IfcfgError> {
    match values.get(key).map(String::as_str) {
        None | Some("") => Ok(None),
        Some(value) => value.parse().map(Some).map_err(|_| IfcfgError::Value {
            key,
            value: value.to_owned(),
            expected: "IPv4 address",
        }),
    }
}

fn address(values: &BTreeMap<String, String>) -> Result<Option<Ipv4Net>, IfcfgError> {
    let Some(address) = ip(values, "IPADDR")? else {
        return Ok(None);
    };
    // Where both are there the scripts take PREFIX.
    if let Some(value) = values.get("PREFIX").filter(|value| !value.is_empty()) {
        return value
            .parse()
            .ok()
            .and_then(|prefix| Ipv4Net::new(address, prefix).ok())
            .map(Some)
            .ok_or_else(|| IfcfgError::Value {
                key: "PREFIX",
                value: value.clone(),
                expected: "prefix length from 0 to 32",
            });
    }
    match ip(values, "NETMASK")? {
        None => Err(IfcfgError::NoPrefix { address }),
        Some(mask) => {
            Ipv4Net::with_netmask(address, mask)
                .map(Some)
                .map_err(|_| IfcfgError::Value {
                    key: "NETMASK",
                    value: mask.to_string(),
                    expected: "netmask",
                })
        }
    }
}

/// The broadcast address that the file names, else that of the network. A network of one or two addresses has no room
/// for one, so nothing is set where the file names the address itself, as `ifcfg-lo:0` does.
fn broadcast(
    values: &BTreeMap<String, String>,
    address: Option<Ipv4Net>,
) -> Result<Option<Ipv4Addr>, IfcfgError> {
    let said = ip(values, "BROADCAST")?;
    let Some(address) = address else {
        return Ok(None);
    };
    let own =
        (address.prefix_len() < 31 && !address.addr().is_loopback()).then(|| address.broadcast());
    Ok(said.filter(|said| *said != address.addr()).or(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Ifcfg {
        Ifcfg::parse("eth9", text).unwrap()
    }

    #[test]
    fn the_courses_files_mean_what_the_course_says() {
        let director = parse(
            "TYPE=Ethernet\nBOOTPROTO=none\nNAME=eth0:0\nDEVICE=eth0:0\nONBOOT=yes\nIPADDR=192.168.4.15\nPREFIX=24\n",
        );
        assert_eq!(
            director,
            Ifcfg {
                interface: "eth0".parse().unwrap(),
                label: Some("eth0:0".into()),
                on_boot: true,
                address: Some("192.168.4.15/24".parse().unwrap()),
                broadcast: Some(Ipv4Addr::new(192, 168, 4, 255)),
                gateway: None,
            }
        );
        let web = parse(
            "DEVICE=lo:0\nIPADDR=192.168.4.15\nNETMASK=255.255.255.255\nNETWORK=192.168.4.15\nBROADCAST=192.168.4.15\nONBOOT=yes\nNAME=lo:0\n",
        );
        assert_eq!(
            web,
            Ifcfg {
                interface: "lo".parse().unwrap(),
                label: Some("lo:0".into()),
                on_boot: true,
                address: Some("192.168.4.15/32".parse().unwrap()),
                broadcast: None,
                gateway: None,
            }
        );
    }

    #[test]
    fn what_is_not_said_has_the_scripts_own_defaults() {
        let file = parse("IPADDR=\"192.168.2.100\"\nNETMASK=255.255.255.0\nGATEWAY=192.168.2.5\n");
        assert_eq!(file.interface.as_str(), "eth9");
        assert_eq!(file.address, Some("192.168.2.100/24".parse().unwrap()));
        assert_eq!(file.gateway, Some(Ipv4Addr::new(192, 168, 2, 5)));
        assert!(file.on_boot);
        assert!(!parse("ONBOOT=no\nBOOTPROTO=dhcp").on_boot);
        assert_eq!(parse("").address, None);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, message) in [
            ("IPADDR=192.168.4", "IPADDR=192.168.4 is no IPv4 address"),
            (
                "IPADDR=192.168.4.15",
                "IPADDR=192.168.4.15 has neither PREFIX nor NETMASK",
            ),
            (
                "IPADDR=192.168.4.15\nPREFIX=33",
                "PREFIX=33 is no prefix length from 0 to 32",
            ),
            (
                "IPADDR=192.168.4.15\nNETMASK=255.0.255.0",
                "NETMASK=255.0.255.0 is no netmask",
            ),
            (
                "DEVICE=a/b",
                "DEVICE=a/b: '/' is not allowed here; use letters, digits, `.`, `_` and `-`",
            ),
            (
                "DEVICE=enp0s31f6:website",
                "DEVICE=enp0s31f6:website is longer than the 15 characters of a label",
            ),
            (
                "BOOTPROTO=dhcp",
                "BOOTPROTO=dhcp is not done here, only fixed addresses are",
            ),
            (
                "IPADDR=$(reboot)",
                "line 1: `$` and backquotes are not followed here",
            ),
        ] {
            let error = Ifcfg::parse("eth9", text).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "((DEVICE|IPADDR|PREFIX|NETMASK|BROADCAST|GATEWAY|ONBOOT|BOOTPROTO)=\\PC{0,16}\n){0,6}") {
            let _ = Ifcfg::parse("eth0", &text);
        }

        #[test]
        fn prefix_and_netmask_say_the_same(address in any::<u32>(), prefix in 0_u8..=32) {
            let net = Ipv4Net::new(Ipv4Addr::from(address), prefix).unwrap();
            let by_prefix = parse(&format!("IPADDR={}\nPREFIX={prefix}\n", net.addr()));
            let by_mask = parse(&format!("IPADDR={}\nNETMASK={}\n", net.addr(), net.netmask()));
            prop_assert_eq!(by_prefix.address, Some(net));
            prop_assert_eq!(by_prefix, by_mask);
        }
    }
}
