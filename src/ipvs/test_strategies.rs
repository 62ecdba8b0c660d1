//! Arbitrary services and destinations, for property tests.

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU8, NonZeroU32};

use proptest::prelude::*;

use super::model::{
    Destination, Family, Forwarding, Granularity, Service, ServiceKey, Transport, TunnelKind,
};

pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::from),
        any::<std::net::Ipv6Addr>().prop_map(IpAddr::from),
    ]
}

pub(crate) fn service_key() -> impl Strategy<Value = ServiceKey> {
    let transport = prop::sample::select(vec![Transport::Tcp, Transport::Udp, Transport::Sctp]);
    prop_oneof![
        (transport, address(), any::<u16>()).prop_map(|(transport, address, port)| {
            ServiceKey::Address {
                transport,
                address,
                port,
            }
        }),
        (
            any::<NonZeroU32>(),
            prop::sample::select(vec![Family::Inet, Family::Inet6])
        )
            .prop_map(|(mark, family)| ServiceKey::Fwmark { mark, family }),
    ]
}

fn granularity(family: Family) -> BoxedStrategy<Option<Granularity>> {
    match family {
        Family::Inet => any::<Ipv4Addr>().prop_map(Granularity::from_mask).boxed(),
        Family::Inet6 => prop::option::of((1_u8..128).prop_map(|length| {
            Granularity::Prefix(NonZeroU8::new(length).unwrap_or(NonZeroU8::MIN))
        }))
        .boxed(),
    }
}

pub(crate) fn service() -> impl Strategy<Value = Service> {
    service_key().prop_flat_map(|key| {
        (
            "[a-z]{1,15}",
            0_u32..16,
            prop::option::of(any::<NonZeroU32>()),
            granularity(key.family()),
            prop::option::of("[a-z]{1,15}"),
        )
            .prop_map(
                move |(scheduler, flags, persistence, granularity, engine)| Service {
                    key,
                    scheduler,
                    flags: flags << 2,
                    persistence,
                    granularity,
                    engine,
                },
            )
    })
}

pub(crate) fn destination() -> impl Strategy<Value = Destination> {
    let forwarding = prop::sample::select(vec![
        Forwarding::Masquerade,
        Forwarding::Local,
        Forwarding::Tunnel,
        Forwarding::Route,
        Forwarding::Bypass,
    ]);
    let tunnel = prop_oneof![
        Just(TunnelKind::Ipip),
        Just(TunnelKind::Gre),
        any::<u16>().prop_map(|port| TunnelKind::Gue { port }),
    ];
    (
        (address(), any::<u16>(), forwarding, any::<u32>()),
        (any::<u32>(), any::<u32>(), tunnel, any::<u16>()),
    )
        .prop_map(
            |(
                (address, port, forwarding, weight),
                (upper_threshold, lower_threshold, tunnel, tunnel_flags),
            )| Destination {
                address,
                port,
                forwarding,
                weight,
                upper_threshold,
                lower_threshold,
                tunnel,
                tunnel_flags,
            },
        )
}
