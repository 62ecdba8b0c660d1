//! Reads one value at a time: from its text to the model's type, or to what is wrong with it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::error::quoted;
use super::problem::Problem;
use super::suggest::did_you_mean;
use crate::model::{ForwardingMethod, HostName, InterfaceName, LabName, Protocol, Scheduler};

/// Prefix lengths a lab network may have: a /30 has two hosts, a /8 is the largest there is.
const PREFIXES: std::ops::RangeInclusive<u8> = 8..=30;

/// Longest persistence `ipvsadm` takes, seconds: 31 days (`MAX_TIMEOUT` in ipvsadm.c).
const MAX_PERSISTENCE_SECONDS: u32 = 31 * 86_400;

/// Longest page, characters: answers are compared up to 4096 bytes.
const MAX_PAGE: usize = 1000;

const ADDRESS_NOTE: &str =
    "an address is written with the prefix length of its network, like 192.168.4.100/24";

/// `192.168.4.100/24`: a host's address in a lab network.
pub(super) fn address(text: &str) -> Result<Ipv4Net, Problem> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    if address.parse::<Ipv6Addr>().is_ok() {
        return Err(
            Problem::new(format!("{} is an IPv6 address", quoted(address)))
                .note("labs are IPv4 so far"),
        );
    }
    let Ok(address) = address.parse::<Ipv4Addr>() else {
        return Err(
            Problem::new(format!("{} is not an IPv4 address", quoted(address))).note(ADDRESS_NOTE),
        );
    };
    let Some(prefix) = prefix else {
        return Err(
            Problem::new(format!("{} has no prefix length", quoted(text)))
                .label(format!("for example `{address}/24`"))
                .note(ADDRESS_NOTE),
        );
    };
    let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
    let Some(prefix) = prefix
        .parse::<u8>()
        .ok()
        .filter(|p| digits && PREFIXES.contains(p))
    else {
        return Err(Problem::new(format!(
            "{} is not a prefix length for a lab network",
            quoted(&format!("/{prefix}"))
        ))
        .note(format!(
            "prefix lengths: /{} to /{}",
            PREFIXES.start(),
            PREFIXES.end()
        )));
    };
    let net = Ipv4Net::new_assert(address, prefix);
    let unusable = if address.is_loopback() {
        Some("a loopback address".to_owned())
    } else if address.is_multicast() {
        Some("a multicast address".to_owned())
    } else if address.octets()[0] == 0 || address.octets()[0] >= 240 {
        Some("a reserved address".to_owned())
    } else if address == net.network() {
        Some(format!("the network's own address in {}", net.trunc()))
    } else if address == net.broadcast() {
        Some(format!("the broadcast address of {}", net.trunc()))
    } else {
        None
    };
    match unusable {
        None => Ok(net),
        Some(what) => Err(Problem::new(format!("{} is {what}", quoted(text)))
            .note("a host needs an address of its own, unicast and inside its network")),
    }
}

/// A whole number of decimal digits in `range`.
fn number(text: &str, range: std::ops::RangeInclusive<u32>, what: &str) -> Result<u32, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u32>()
        .ok()
        .filter(|n| digits && range.contains(n))
        .ok_or_else(|| {
            Problem::new(format!("{} is not a {what}", quoted(text))).note(format!(
                "a {what} is a whole number from {} to {}",
                range.start(),
                range.end()
            ))
        })
}

fn small_number(
    text: &str,
    range: std::ops::RangeInclusive<u16>,
    what: &str,
) -> Result<u16, Problem> {
    let wide = u32::from(*range.start())..=u32::from(*range.end());
    number(text, wide, what).map(|n| u16::try_from(n).unwrap_or(*range.end()))
}

/// TCP port, 1 to 65535.
pub(super) fn port(text: &str) -> Result<NonZeroU16, Problem> {
    small_number(text, 1..=u16::MAX, "port").map(|n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN))
}

/// Weight, 0 to 65535 as in ipvsadm(8).
pub(super) fn weight(text: &str) -> Result<u16, Problem> {
    small_number(text, 0..=u16::MAX, "weight")
}

/// Persistence in whole seconds.
pub(super) fn persistence(text: &str) -> Result<Duration, Problem> {
    number(
        text,
        1..=MAX_PERSISTENCE_SECONDS,
        "persistence time in seconds",
    )
    .map(|seconds| Duration::from_secs(seconds.into()))
}

/// One of several words.
fn word<T: Copy>(text: &str, what: &str, all: &[(&'static str, T)]) -> Result<T, Problem> {
    let names = || all.iter().map(|&(name, _)| name);
    all.iter()
        .find(|(name, _)| *name == text)
        .map(|&(_, value)| value)
        .ok_or_else(|| {
            Problem::new(format!("unknown {what} {}", quoted(text)))
                .maybe_label(did_you_mean(text, names()))
                .note(format!(
                    "{what}s: {}",
                    names().collect::<Vec<_>>().join(" ")
                ))
        })
}

/// `nat` or `dr`.
pub(super) fn mode(text: &str) -> Result<ForwardingMethod, Problem> {
    if text == "tun" {
        return Err(
            Problem::new("mode `tun` (IP-in-IP tunnels) is not there yet").note("modes: nat dr"),
        );
    }
    let methods: Vec<_> = ForwardingMethod::ALL
        .iter()
        .map(|method| (method.profile().keyword, *method))
        .collect();
    word(text, "mode", &methods)
}

/// A scheduler's name, `wrr`.
pub(super) fn scheduler(text: &str) -> Result<Scheduler, Problem> {
    word(
        text,
        "scheduler",
        &Scheduler::ALL.map(|scheduler| (scheduler.as_str(), scheduler)),
    )
}

/// `tcp`: what is served is a web page.
pub(super) fn protocol(text: &str) -> Result<Protocol, Problem> {
    word(text, "protocol", &[("tcp", Protocol::Tcp)])
}

/// `trusted` (true) or `leave`.
pub(super) fn firewall(text: &str) -> Result<bool, Problem> {
    word(
        text,
        "firewall setting",
        &[("trusted", true), ("leave", false)],
    )
}

/// `permissive` (true) or `leave`.
pub(super) fn selinux(text: &str) -> Result<bool, Problem> {
    word(
        text,
        "selinux setting",
        &[("permissive", true), ("leave", false)],
    )
}

/// The lab's name.
pub(super) fn lab_name(text: &str) -> Result<LabName, Problem> {
    text.parse()
        .map_err(|error| Problem::new(format!("lab name {}: {error}", quoted(text))))
}

/// A host's name.
pub(super) fn host_name(text: &str) -> Result<HostName, Problem> {
    if text == "localhost" {
        return Err(
            Problem::new("host name `localhost` means every machine itself")
                .note("give it a name of its own"),
        );
    }
    text.parse()
        .map_err(|error| Problem::new(format!("host name {}: {error}", quoted(text))))
}

/// The name of a lab interface.
pub(super) fn interface(text: &str) -> Result<InterfaceName, Problem> {
    if matches!(text, "lo" | "." | "..") {
        return Err(Problem::new(format!(
            "{} is no interface for a lab network",
            quoted(text)
        ))
        .note("name the Ethernet interface that is in the network, like eth0 or ens33"));
    }
    text.parse()
        .map_err(|error| Problem::new(format!("interface name {}: {error}", quoted(text))))
}

/// What a real server's page says: one line.
pub(super) fn page(text: &str) -> Result<String, Problem> {
    let problem = if text.is_empty() {
        "the page is empty"
    } else if text.chars().any(char::is_control) {
        "the page has a control character or more than one line"
    } else if text.trim() != text {
        "the page begins or ends with a space"
    } else if text.chars().count() > MAX_PAGE {
        "the page is longer than 1000 characters"
    } else {
        return Ok(text.to_owned());
    };
    Err(Problem::new(problem)
        .note("a page is one line of text, by which the real server is told from the others"))
}
