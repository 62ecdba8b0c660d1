//! ARP is a protocol of IPv4: the one place that says so for addresses of the other family.

use std::net::{IpAddr, Ipv4Addr};

use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::because;

/// The address as ARP can carry it.
///
/// # Errors
/// For an IPv6 address, which neighbour discovery (RFC 4861) is about.
pub(super) fn ipv4(address: IpAddr) -> Result<Ipv4Addr, ResourceError> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => Err(because(format!(
            "{address} is an IPv6 address, and ARP is for IPv4 only"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_refused() {
        let four = Ipv4Addr::new(192, 168, 4, 15);
        assert_eq!(ipv4(four.into()).unwrap(), four);
        let error = ipv4("2001:db8::15".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2001:db8::15 is an IPv6 address, and ARP is for IPv4 only"
        );
    }
}
