//! The order of lists.
//!
//! Scripts compare ipvsadm's output, so its order is kept, although it is no order at all: ipvsadm subtracts
//! 32-bit numbers and looks at the sign of the result as an `int`, so 192.168.4.15 comes before 10.0.0.1, and
//! three addresses may contradict each other. The same comparison therefore goes through the same merge sort
//! as in the C library's qsort(3).

use std::net::IpAddr;

use crate::ipvs::{Destination, Family, Service, ServiceKey, Table, Transport};

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

/// Puts services and their destinations into the order in which `ipvsadm -L` and `-S` print them.
pub fn sort_as_listed(table: &mut Table) {
    let order = services(table, |status| &status.service, false);
    *table = order
        .into_iter()
        .filter_map(|index| table.get(index).cloned())
        .collect();
    for status in table {
        let list = &mut status.destinations;
        let order = destinations(list, |status| &status.destination, false);
        *list = order
            .into_iter()
            .filter_map(|index| list.get(index).cloned())
            .collect();
    }
}

/// Indices of the services, sorted unless `unsorted`.
pub(super) fn services<T>(
    items: &[T],
    service: impl Fn(&T) -> &Service,
    unsorted: bool,
) -> Vec<usize> {
    order(items, unsorted, |one, other| {
        compare_services(service(one), service(other))
    })
}

/// Indices of the destinations, sorted unless `unsorted`.
pub(super) fn destinations<T>(
    items: &[T],
    destination: impl Fn(&T) -> &Destination,
    unsorted: bool,
) -> Vec<usize> {
    order(items, unsorted, |one, other| {
        compare_destinations(destination(one), destination(other))
    })
}

fn order<T>(items: &[T], unsorted: bool, compare: impl Fn(&T, &T) -> i32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    if !unsorted {
        let mut room = order.clone();
        merge_sort(&mut order, &mut room, &|one, other| {
            compare(&items[one], &items[other])
        });
    }
    order
}

/// Splits into halves, the first one the smaller, and merges them; of equals the left one comes first. The
/// standard library's sorts may panic on a comparison that is not an order.
fn merge_sort(order: &mut [usize], room: &mut [usize], compare: &impl Fn(usize, usize) -> i32) {
    let middle = order.len() / 2;
    if middle == 0 {
        return;
    }
    let (first, second) = order.split_at_mut(middle);
    merge_sort(first, room, compare);
    merge_sort(second, room, compare);
    let (mut one, mut other) = (0, middle);
    let end = order.len();
    for slot in room.iter_mut().take(end) {
        let left = one < middle && (other == end || compare(order[one], order[other]) <= 0);
        let from = if left { &mut one } else { &mut other };
        *slot = order[*from];
        *from += 1;
    }
    order.copy_from_slice(&room[..end]);
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
        let list = ["10.0.0.2", "10.0.0.1", "192.168.4.15"].map(vip);
        let keys: Vec<_> = services(&list, |service| service, false)
            .into_iter()
            .map(|index| list[index].key.to_string())
            .collect();
        assert_eq!(
            keys,
            ["tcp 192.168.4.15:80", "tcp 10.0.0.1:80", "tcp 10.0.0.2:80"]
        );
    }

    proptest! {
        #[test]
        fn sorting_loses_nothing(list in prop::collection::vec(service(), 0..40)) {
            let mut sorted = services(&list, |service| service, false);
            sorted.sort_unstable();
            prop_assert_eq!(sorted, services(&list, |service| service, true));
        }

        #[test]
        fn what_has_an_order_comes_in_it(ports in prop::collection::vec(any::<u16>(), 0..70)) {
            let list: Vec<_> = ports
                .iter()
                .map(|port| Service::new(
                    ServiceKey::Address {
                        transport: Transport::Tcp,
                        address: [10, 0, 0, 1].into(),
                        port: *port,
                    },
                    "rr",
                ))
                .collect();
            let mut expected: Vec<usize> = (0..ports.len()).collect();
            expected.sort_by_key(|index| ports[*index]);
            prop_assert_eq!(services(&list, |service| service, false), expected);
        }
    }
}
