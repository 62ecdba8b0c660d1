//! The order of lists.
//!
//! ipvsadm subtracts 32-bit numbers and looks at the sign of what fits an `int`, so 192.168.4.15 comes
//! before 10.0.0.1, and three addresses may have no order at all. Scripts compare its output, so the
//! same comparison goes through the same merge sort as the C library's qsort(3) here.

use std::net::IpAddr;

use crate::ipvs::{Destination, Family, Service, ServiceKey, Transport};

/// `union nf_inet_addr` as four numbers.
fn numbers(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

fn difference(one: u32, other: u32) -> i32 {
    one.wrapping_sub(other) as i32
}

fn compare_addresses(one: IpAddr, other: IpAddr) -> i32 {
    let count = if one.is_ipv6() { 4 } else { 1 };
    std::iter::zip(numbers(one), numbers(other))
        .take(count)
        .map(|(one, other)| difference(one, other))
        .find(|difference| *difference != 0)
        .unwrap_or(0)
}

/// Mark, family, protocol, address, port.
fn compare_services(one: &Service, other: &Service) -> i32 {
    let parts = |key: ServiceKey| match key {
        ServiceKey::Fwmark { mark, family } => (mark.get(), family, 0, None, 0),
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            let protocol = match transport {
                Transport::Tcp => 6,
                Transport::Udp => 17,
                Transport::Sctp => 132,
            };
            (0, key.family(), protocol, Some(address), i32::from(port))
        }
    };
    let number = |family| match family {
        Family::Inet => 2,
        Family::Inet6 => 10,
    };
    let (mark, family, protocol, address, port) = parts(one.key);
    let (other_mark, other_family, other_protocol, other_address, other_port) = parts(other.key);
    [
        difference(mark, other_mark),
        number(family) - number(other_family),
        protocol - other_protocol,
        address
            .zip(other_address)
            .map_or(0, |(one, other)| compare_addresses(one, other)),
        port - other_port,
    ]
    .into_iter()
    .find(|difference| *difference != 0)
    .unwrap_or(0)
}

fn compare_destinations(one: &Destination, other: &Destination) -> i32 {
    match compare_addresses(one.address, other.address) {
        0 => i32::from(one.port) - i32::from(other.port),
        difference => difference,
    }
}

/// Sorts by service.
pub(super) fn sort_services<T>(items: Vec<T>, service: impl Fn(&T) -> &Service) -> Vec<T> {
    merge_sort(items, &|one, other| {
        compare_services(service(one), service(other))
    })
}

/// Sorts by destination.
pub(super) fn sort_destinations<T>(
    items: Vec<T>,
    destination: impl Fn(&T) -> &Destination,
) -> Vec<T> {
    merge_sort(items, &|one, other| {
        compare_destinations(destination(one), destination(other))
    })
}

/// Halves, the first one the smaller; of equals the left one comes first. The standard library's sorts
/// may panic on a comparison that is no order.
fn merge_sort<T>(mut items: Vec<T>, compare: &dyn Fn(&T, &T) -> i32) -> Vec<T> {
    if items.len() <= 1 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merge_sort(items, compare).into_iter().peekable();
    let mut right = merge_sort(right, compare).into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let next = if compare(one, other) <= 0 {
            left.next()
        } else {
            right.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::test_strategies::service;
    use proptest::prelude::*;

    #[test]
    fn addresses_half_the_space_apart_come_the_other_way_round() {
        let vip = |text: &str| {
            Service::new(
                ServiceKey::Address {
                    transport: Transport::Tcp,
                    address: text.parse().unwrap(),
                    port: 80,
                },
                "rr",
            )
        };
        let sorted = sort_services(
            vec![vip("10.0.0.2"), vip("10.0.0.1"), vip("192.168.4.15")],
            |service| service,
        );
        let keys: Vec<_> = sorted
            .iter()
            .map(|service| service.key.to_string())
            .collect();
        assert_eq!(
            keys,
            ["tcp 192.168.4.15:80", "tcp 10.0.0.1:80", "tcp 10.0.0.2:80"]
        );
    }

    proptest! {
        #[test]
        fn sorting_loses_nothing(services in prop::collection::vec(service(), 0..40)) {
            let sorted = sort_services(services.clone(), |service| service);
            prop_assert_eq!(sorted.len(), services.len());
            for service in &services {
                prop_assert!(sorted.contains(service));
            }
        }
    }
}
