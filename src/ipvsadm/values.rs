//! Arguments of options that are more than a number, with ipvsadm's messages for bad ones.

use std::net::IpAddr;
use std::num::NonZeroU8;

use super::failure::Failure;
use super::names::Names;
use super::number::{ipv4, number_at_start, number_within};
use crate::ipvs::{DaemonRole, Family, Granularity};

/// 31 days, seconds.
const MAX_TIMEOUT: u32 = 86_400 * 31;

pub(super) fn daemon_role(argument: Option<&str>, otherwise: &str) -> Result<DaemonRole, Failure> {
    match argument {
        Some("master") => Ok(DaemonRole::Master),
        Some("backup") => Ok(DaemonRole::Backup),
        _ => Err(Failure::usage(otherwise)),
    }
}

pub(super) fn timeout(text: &str, least: u32) -> Result<u32, Failure> {
    number_within(text, least, MAX_TIMEOUT)
        .ok_or_else(|| Failure::usage(format!("invalid timeout value `{text}' specified")))
}

pub(super) fn multicast_group(text: &str) -> Result<IpAddr, Failure> {
    let (family, group) = if text.contains(':') {
        ("IPv6", text.parse().ok().map(IpAddr::V6))
    } else {
        ("IPv4", text.parse().ok().map(IpAddr::V4))
    };
    group
        .filter(IpAddr::is_multicast)
        .ok_or_else(|| Failure::usage(format!("invalid {family} mcast-group `{text}'")))
}

/// The argument of `-M`: a mask, or a prefix length once the service is known to be IPv6.
pub(super) fn netmask(
    text: &str,
    family: Option<Family>,
    names: &Names,
) -> Result<Option<Granularity>, Failure> {
    if family == Some(Family::Inet6) {
        let length = u8::try_from(number_at_start(text))
            .ok()
            .filter(|length| *length <= 128)
            .and_then(NonZeroU8::new)
            .ok_or_else(|| Failure::usage("illegal ipv6 netmask specified"))?;
        return Ok(Some(length)
            .filter(|length| length.get() < 128)
            .map(Granularity::Prefix));
    }
    let mask = ipv4(text)
        .or_else(|| names.host(text))
        .ok_or_else(|| Failure::usage("illegal virtual server persistent mask specified"))?;
    Ok(Granularity::from_mask(mask))
}
