//! Replies of a Linux 6.1 kernel, byte for byte, and properties of any message.

use std::num::NonZeroU32;

use netlink_packet_core::DefaultNla;
use proptest::prelude::*;

use super::*;
use crate::ipvs::command::Command;
use crate::ipvs::model::{
    Counters, Daemon, DaemonRole, Destination, DestinationStatus, Family, Forwarding, Info,
    Service, ServiceKey, Timeouts, Transport, TunnelKind,
};
use crate::ipvs::test_strategies::{destination, service, service_key};

/// `ipvsadm -A -u 192.168.4.15:5060 -s rr -p 300 --pe sip`, listed.
const SERVICE: &str = "\
    01010000340101000600010002000000060002001100000014000300c0a8040f00000000000000000000000006000400\
    13c40000070006007272000008000b00736970000c00070003000000ffffffff080008002c01000008000900ffffffff\
    5c000a000800010000000000080002000000000008000300000000000c00040000000000000000000c00050000000000\
    00000000080006000000000008000700000000000800080000000000080009000000000008000a00000000007c000c00\
    0c00010000000000000000000c00020000000000000000000c00030000000000000000000c0004000000000000000000\
    0c00050000000000000000000c00060000000000000000000c00070000000000000000000c0008000000000000000000\
    0c00090000000000000000000c000a000000000000000000";

/// `ipvsadm -a -t 192.168.4.15:80 -r 127.0.0.1 -w 1` with the method `localnode`, listed.
const DESTINATION: &str = "\
    0501000050010200140001007f0000010000000000000000000000000600020000500000080003000100000008000400\
    0100000005000d000000000006000e000000000006000f00000000000800050000000000080006000000000008000700\
    000000000800080000000000080009000000000006000b00020000005c000a0008000100000000000800020000000000\
    08000300000000000c00040000000000000000000c000500000000000000000008000600000000000800070000000000\
    0800080000000000080009000000000008000a00000000007c000c000c00010000000000000000000c00020000000000\
    000000000c00030000000000000000000c00040000000000000000000c00050000000000000000000c00060000000000\
    000000000c00070000000000000000000c00080000000000000000000c00090000000000000000000c000a0000000000\
    00000000";

/// `ipvsadm --start-daemon master --mcast-interface eth0 --syncid 7 --sync-maxlen 1000 --mcast-group
/// 224.0.0.82 --mcast-port 8849 --mcast-ttl 2`, listed.
const DAEMON: &str = "\
    09010000400003000800010001000000090002006574683000000000080003000700000006000400e803000006000700\
    91220000050008000200000008000500e0000052";

/// Timeouts 900, 120, 300.
const CONFIG: &str = "0c01000008000400840300000800050078000000080006002c010000";

/// Version 1.2.1, 4096 buckets.
const INFO: &str = "0e01000008000100010201000800020000100000";

const CAPTURES: [&str; 5] = [SERVICE, DESTINATION, DAEMON, CONFIG, INFO];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(command, &mut bytes);
    bytes
}

fn decode(hex: &str) -> IpvsMessage {
    IpvsMessage::decode(&bytes(hex)).unwrap()
}

#[test]
fn a_captured_service_is_read_whole() {
    let status = read_service(&bytes(SERVICE)).unwrap().unwrap();
    assert_eq!(
        status.service,
        Service {
            persistence: NonZeroU32::new(300),
            engine: Some("sip".to_owned()),
            ..Service::new(
                ServiceKey::Address {
                    transport: Transport::Udp,
                    address: "192.168.4.15".parse().unwrap(),
                    port: 5060
                },
                "rr"
            )
        }
    );
    assert_eq!(status.counters, Counters::default());
}

#[test]
fn a_captured_destination_is_read_whole() {
    assert_eq!(
        read_destination(&bytes(DESTINATION), Family::Inet)
            .unwrap()
            .unwrap(),
        DestinationStatus {
            destination: Destination {
                address: "127.0.0.1".parse().unwrap(),
                port: 80,
                forwarding: Forwarding::Local,
                weight: 1,
                upper_threshold: 0,
                lower_threshold: 0,
                tunnel: TunnelKind::Ipip,
                tunnel_flags: 0,
            },
            active: 0,
            inactive: 0,
            persistent: 0,
            counters: Counters::default(),
        }
    );
}

#[test]
fn captured_settings_are_read_whole() {
    assert_eq!(
        read_daemon(&bytes(DAEMON)).unwrap().unwrap(),
        Daemon {
            role: DaemonRole::Master,
            interface: "eth0".to_owned(),
            sync_id: 7,
            max_length_bytes: 1000.try_into().ok(),
            group: Some("224.0.0.82".parse().unwrap()),
            port: 8849.try_into().ok(),
            ttl: 2.try_into().ok(),
        }
    );
    assert_eq!(
        read_timeouts(&bytes(CONFIG)).unwrap().unwrap(),
        Timeouts {
            tcp_seconds: 900,
            tcp_fin_seconds: 120,
            udp_seconds: 300
        }
    );
    assert_eq!(
        read_info(&bytes(INFO)).unwrap().unwrap(),
        Info {
            version: [1, 2, 1],
            connection_table_size: 4096
        }
    );
}

#[test]
fn captures_encode_to_the_same_bytes() {
    for hex in CAPTURES {
        assert_eq!(decode(hex).encode(), bytes(hex));
    }
}

#[test]
fn a_capture_cut_off_anywhere_is_an_error_or_shorter_and_never_a_panic() {
    for hex in CAPTURES {
        let whole = bytes(hex);
        for length in 0..whole.len() {
            let cut = &whole[..length];
            if let Ok(message) = IpvsMessage::decode(cut) {
                assert!(message.encode().len() <= whole.len());
            }
            let _ = read_service(cut);
            let _ = read_destination(cut, Family::Inet);
            let _ = read_daemon(cut);
        }
    }
}

#[test]
fn a_request_for_the_lab_service_is_the_bytes_that_the_kernel_documents() {
    let key = ServiceKey::Address {
        transport: Transport::Tcp,
        address: "192.168.4.15".parse().unwrap(),
        port: 80,
    };
    let message = request(&Command::CreateService(Service::new(key, "wrr")));
    assert_eq!(
        message.attributes,
        [CommandAttr::Service(vec![
            ServiceAttr::Family(2),
            ServiceAttr::Protocol(6),
            ServiceAttr::Address([192, 168, 4, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ServiceAttr::Port(80),
            ServiceAttr::Scheduler("wrr".to_owned()),
            ServiceAttr::Flags(ServiceFlags {
                flags: 0,
                mask: u32::MAX
            }),
            ServiceAttr::Timeout(0),
            ServiceAttr::Netmask([255; 4]),
        ])]
    );
    let port = [6, 0, 4, 0, 0, 80, 0, 0];
    assert!(message.encode().windows(8).any(|bytes| bytes == port));
}

#[test]
fn counters_come_from_the_64_bit_statistics_where_there_are_some() {
    let status = |attributes| {
        let mut message = decode(SERVICE);
        if let CommandAttr::Service(service) = &mut message.attributes[0] {
            service.retain(|attribute| {
                !matches!(attribute, ServiceAttr::Stats(_) | ServiceAttr::Stats64(_))
            });
            service.extend(attributes);
        }
        read_service(&message.encode()).unwrap().unwrap().counters
    };
    let narrow = ServiceAttr::Stats(vec![
        StatsAttr::Narrow(Counter::Connections, u32::MAX),
        StatsAttr::Wide(Counter::BytesIn, 5_000_000_000),
        StatsAttr::Other(DefaultNla::new(11, Vec::new())),
    ]);
    let wide = ServiceAttr::Stats64(vec![StatsAttr::Wide(Counter::Connections, 1 << 33)]);
    let only_narrow = status(vec![narrow.clone()]);
    assert_eq!(only_narrow.connections, u64::from(u32::MAX));
    assert_eq!(only_narrow.bytes_in, 5_000_000_000);
    assert_eq!(
        status(vec![narrow.clone(), wide.clone()]).connections,
        1 << 33
    );
    assert_eq!(status(vec![wide, narrow]).connections, 1 << 33);
}

#[test]
fn a_destination_without_a_family_has_its_services() {
    let mut message = decode(DESTINATION);
    let CommandAttr::Destination(attributes) = &mut message.attributes[0] else {
        panic!("a destination");
    };
    attributes.retain(|attribute| !matches!(attribute, DestinationAttr::AddressFamily(_)));
    let read = |family| {
        read_destination(&message.clone().encode(), family)
            .unwrap()
            .unwrap()
            .destination
            .address
    };
    assert!(read(Family::Inet).is_ipv4());
    assert!(read(Family::Inet6).is_ipv6());
}

#[test]
fn attributes_of_a_later_kernel_survive() {
    let later = DefaultNla::new(200, vec![1, 2, 3]);
    let message = IpvsMessage {
        command: CommandNumber(99),
        attributes: vec![
            CommandAttr::Service(vec![ServiceAttr::Other(later.clone())]),
            CommandAttr::Destination(vec![DestinationAttr::Other(later.clone())]),
            CommandAttr::Daemon(vec![DaemonAttr::Other(later.clone())]),
            CommandAttr::Other(later),
        ],
    };
    assert_eq!(
        IpvsMessage::decode(&message.clone().encode()).unwrap(),
        message
    );
}

#[test]
fn a_known_attribute_of_another_width_is_named() {
    let message = IpvsMessage {
        command: CommandNumber::SET_CONFIG,
        attributes: vec![CommandAttr::Other(DefaultNla::new(4, vec![0; 8]))],
    };
    assert_eq!(
        IpvsMessage::decode(&message.encode())
            .unwrap_err()
            .to_string(),
        "IPVS_CMD_ATTR_TIMEOUT_TCP has 8 bytes and not 4"
    );
}

#[test]
fn an_attribute_that_is_nested_and_in_network_byte_order_is_refused() {
    assert!(IpvsMessage::decode(&[0, 0, 0, 0, 4, 0, 0, 0x80]).is_ok());
    assert!(IpvsMessage::decode(&[0, 0, 0, 0, 4, 0, 0, 0x40]).is_ok());
    assert!(IpvsMessage::decode(&[0, 0, 0, 0, 4, 0, 0, 0xc0]).is_err());
}

proptest! {
    // NEW_SERVICE and NEW_DEST are request and reply, so what goes in must come back.
    #[test]
    fn any_service_comes_back_as_it_went_in(service in service()) {
        let command = Command::CreateService(service.clone());
        let bytes = encoded(&command);
        prop_assert_eq!(IpvsMessage::decode(&bytes).unwrap(), request(&command));
        prop_assert_eq!(&bytes, &request(&command).encode());
        prop_assert_eq!(read_service(&bytes).unwrap().unwrap().service, service);
    }

    #[test]
    fn any_destination_comes_back_as_it_went_in(key in service_key(), destination in destination()) {
        let command = Command::AddDestination(key, destination.clone());
        let bytes = encoded(&command);
        prop_assert_eq!(&bytes, &request(&command).encode());
        let mut asked = Vec::new();
        destination_dump(key, &mut asked);
        prop_assert_eq!(asked, destination_get(key).encode());
        let read = read_destination(&bytes, key.family()).unwrap().unwrap();
        prop_assert_eq!(read.destination, destination);
    }

    #[test]
    fn a_destination_as_most_are_comes_back_as_it_went_in(key in service_key(), mut destination in destination()) {
        destination.tunnel = TunnelKind::Ipip;
        destination.tunnel_flags = 0;
        let command = Command::AddDestination(key, destination.clone());
        let bytes = encoded(&command);
        prop_assert_eq!(&bytes, &request(&command).encode());
        let read = read_destination(&bytes, key.family()).unwrap().unwrap();
        prop_assert_eq!(read.destination, destination);
    }

    #[test]
    fn whatever_decodes_encodes_to_what_decodes_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = IpvsMessage::decode(&bytes) {
            let again = IpvsMessage::decode(&message.clone().encode()).unwrap();
            prop_assert_eq!(again, message);
        }
    }

    #[test]
    fn a_capture_with_any_byte_changed_is_read_or_refused(
        capture in 0..CAPTURES.len(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut changed = bytes(CAPTURES[capture]);
        let at = at.index(changed.len());
        changed[at] = byte;
        let _ = IpvsMessage::decode(&changed);
        let _ = read_service(&changed);
        let _ = read_destination(&changed, Family::Inet6);
        let _ = read_daemon(&changed);
        let _ = read_timeouts(&changed);
        let _ = read_info(&changed);
    }
}
