use proptest::prelude::*;

use super::*;

/// The SYN of `curl http://192.168.4.15/` as a veth of the sandbox carried it.
const SYN: &str = "5254000000055254000000 0a0800450000 3c1c4640004006948f c0a8040ac0a8040f c93a0050 8f2b1f52 00000000 \
                   a002faf0 89a10000 020405b40402080a 9f1d2c3b00000000 01030307";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_syn_is_read_with_addresses_ports_and_flags() {
    let frame = Frame::decode(&bytes(SYN)).unwrap();
    assert_eq!(
        frame,
        Frame {
            source: "52:54:00:00:00:0a".parse().unwrap(),
            destination: "52:54:00:00:00:05".parse().unwrap(),
            content: Content::Tcp(Segment {
                source: "192.168.4.10:51514".parse().unwrap(),
                destination: "192.168.4.15:80".parse().unwrap(),
                ttl: 64,
                flags: Flags(Flags::SYN),
                sequence: 0x8f2b_1f52,
                data_bytes: 0,
            }),
        }
    );
    assert!(Flags(Flags::SYN).opens() && !Flags(Flags::SYN).answers());
    assert_eq!(Flags(Flags::SYN | Flags::ACK).to_string(), "SYN,ACK");
}

#[test]
fn a_request_for_an_address_is_read_as_it_was_built() {
    let source = Mac([0x52, 0x54, 0, 0, 0, 0x0a]);
    let (cip, vip) = (
        Ipv4Addr::new(192, 168, 4, 10),
        Ipv4Addr::new(192, 168, 4, 15),
    );
    let built = arp_request(source, cip, vip);
    assert_eq!(built.len(), 60);
    let frame = Frame::decode(&built).unwrap();
    assert_eq!(frame.destination, Mac::BROADCAST);
    let Content::Arp(arp) = frame.content else {
        panic!("{frame:?}")
    };
    assert_eq!(
        (arp.operation, arp.sender_mac, arp.sender, arp.target),
        (Operation::Request, source, cip, vip)
    );
}

#[test]
fn an_announcement_is_a_request_for_the_address_by_the_address() {
    let vip = Ipv4Addr::new(192, 168, 4, 15);
    let frame = arp_request(Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), vip, vip);
    let hex: Vec<String> = frame[..42]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex.join(" "),
        "ff ff ff ff ff ff 52 54 00 12 34 56 08 06 \
         00 01 08 00 06 04 00 01 52 54 00 12 34 56 c0 a8 04 0f 00 00 00 00 00 00 c0 a8 04 0f"
    );
}

#[test]
fn a_reply_names_who_has_the_address() {
    let built = arp_reply(
        (Mac([2; 6]), Ipv4Addr::new(192, 168, 4, 15)),
        (Mac([4; 6]), Ipv4Addr::new(192, 168, 4, 10)),
    );
    let Content::Arp(arp) = Frame::decode(&built).unwrap().content else {
        panic!()
    };
    assert_eq!(arp.operation, Operation::Reply);
    assert_eq!(arp.sender_mac, Mac([2; 6]));
}

#[test]
fn later_fragments_and_other_protocols_are_no_segments() {
    let mut later = bytes(SYN);
    later[21] = 0x10;
    let mut udp = bytes(SYN);
    udp[23] = 17;
    let mut short_header = bytes(SYN);
    short_header[14] = 0x44;
    for frame in [later, udp, short_header] {
        assert_eq!(
            Frame::decode(&frame).unwrap().content,
            Content::Other { ethertype: 0x0800 }
        );
    }
}

#[test]
fn a_frame_cut_off_anywhere_is_less_but_never_wrong() {
    let whole = bytes(SYN);
    let complete = Frame::decode(&whole).unwrap();
    for length in 0..whole.len() {
        match Frame::decode(&whole[..length]) {
            None => assert!(length < ETHERNET_BYTES),
            Some(frame) => {
                let other = Content::Other { ethertype: 0x0800 };
                assert!(frame.content == other || frame == complete, "{length}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Frame::decode(&bytes);
    }

    #[test]
    fn no_change_of_one_octet_makes_decoding_panic(at in 0usize..74, value in any::<u8>(), cut in 0usize..74) {
        let mut frame = bytes(SYN);
        frame[at] = value;
        frame.truncate(cut);
        let _ = Frame::decode(&frame);
    }

    #[test]
    fn built_segments_are_read_back(
        macs in any::<([u8; 6], [u8; 6])>(),
        from in any::<(u32, u16)>(),
        to in any::<(u32, u16)>(),
        flags in 0u8..64,
    ) {
        let from = SocketAddrV4::new(from.0.into(), from.1);
        let to = SocketAddrV4::new(to.0.into(), to.1);
        let frame = Frame::decode(&segment((Mac(macs.0), Mac(macs.1)), (from, to), flags)).unwrap();
        prop_assert_eq!((frame.source, frame.destination), (Mac(macs.0), Mac(macs.1)));
        let Content::Tcp(read) = frame.content else { panic!("{frame:?}") };
        prop_assert_eq!((read.source, read.destination, read.flags), (from, to, Flags(flags)));
        prop_assert_eq!((read.ttl, read.data_bytes), (64, 0));
    }
}
