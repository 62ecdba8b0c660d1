//! Captures as a pcapng file, which Wireshark and tcpdump open (draft-ietf-opsawg-pcapng).
//!
//! One section, one interface block per capturing interface, one enhanced packet block per frame, little-endian.

/// `LINKTYPE_ETHERNET` of the link-layer header types registry.
const LINKTYPE_ETHERNET: u16 = 1;

/// One frame of the file.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Place in the list of interfaces.
    pub interface: u32,
    /// Nanoseconds since 1970 UTC, by the capturing host's clock.
    pub at: u64,
    /// Whether it left the host.
    pub outgoing: bool,
    /// Octets it had on the wire.
    pub length: u32,
    /// What was kept of it, from its Ethernet header on.
    pub bytes: &'a [u8],
}

/// The whole file: interfaces by name, frames in the order they are given.
#[must_use]
pub fn file<'a>(interfaces: &[String], records: impl IntoIterator<Item = Record<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    section_header(&mut out);
    for name in interfaces {
        interface_description(&mut out, name);
    }
    for record in records {
        enhanced_packet(&mut out, record);
    }
    out
}

fn section_header(out: &mut Vec<u8>) {
    let mut body = Vec::new();
    body.extend(0x1a2b_3c4d_u32.to_le_bytes());
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // The section's length is not given.
    body.extend(u64::MAX.to_le_bytes());
    let program = concat!("lvslab ", env!("CARGO_PKG_VERSION"));
    // shb_userappl
    option(&mut body, 4, program.as_bytes());
    end_of_options(&mut body);
    block(out, 0x0a0d_0d0a, &body);
}

fn interface_description(out: &mut Vec<u8>, name: &str) {
    let mut body = Vec::new();
    body.extend(LINKTYPE_ETHERNET.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // No limit to what was kept of a frame is claimed.
    body.extend(0_u32.to_le_bytes());
    // if_name
    option(&mut body, 2, name.as_bytes());
    // if_tsresol: 10^-9 s
    option(&mut body, 9, &[9]);
    end_of_options(&mut body);
    block(out, 1, &body);
}

fn enhanced_packet(out: &mut Vec<u8>, record: Record<'_>) {
    let kept = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
    let mut body = Vec::new();
    body.extend(record.interface.to_le_bytes());
    body.extend(((record.at >> 32) as u32).to_le_bytes());
    body.extend((record.at as u32).to_le_bytes());
    body.extend(kept.to_le_bytes());
    body.extend(record.length.max(kept).to_le_bytes());
    body.extend(record.bytes);
    pad(&mut body);
    // epb_flags: the two lowest bits are the direction, 1 inbound, 2 outbound.
    let direction: u32 = if record.outgoing { 2 } else { 1 };
    option(&mut body, 2, &direction.to_le_bytes());
    end_of_options(&mut body);
    block(out, 6, &body);
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let total = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    out.extend(kind.to_le_bytes());
    out.extend(total.to_le_bytes());
    out.extend(body);
    out.extend(total.to_le_bytes());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Lengths are 16 bits wide; a longer text loses its end.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// To a multiple of four octets; blocks begin at one.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn le32(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    /// Walks the blocks by the draft's text: type, length, body, length again.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let length = le32(file, 4) as usize;
            assert!(length >= 12 && length.is_multiple_of(4) && length <= file.len());
            assert_eq!(
                le32(file, length - 4) as usize,
                length,
                "both lengths agree"
            );
            found.push((le32(file, 0), file[8..length - 4].to_vec()));
            file = &file[length..];
        }
        found
    }

    fn options(mut body: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            let code = u16::from_le_bytes(body[..2].try_into().unwrap());
            let length = usize::from(u16::from_le_bytes(body[2..4].try_into().unwrap()));
            if code == 0 {
                assert_eq!(body.len(), 4, "nothing follows the end of the options");
                return found;
            }
            found.push((code, body[4..4 + length].to_vec()));
            body = &body[4 + length.next_multiple_of(4)..];
        }
    }

    #[test]
    fn a_file_without_frames_names_its_interfaces() {
        let file = file(&["web1:eth0".to_owned(), "director:eth1".to_owned()], []);
        let blocks = blocks(&file);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 1]);
        assert_eq!(le32(&blocks[0].1, 0), 0x1a2b_3c4d);
        let named: Vec<_> = blocks[1..]
            .iter()
            .map(|(_, body)| options(&body[8..]))
            .collect();
        assert_eq!(named[0], [(2, b"web1:eth0".to_vec()), (9, vec![9])]);
        assert_eq!(named[1], [(2, b"director:eth1".to_vec()), (9, vec![9])]);
    }

    proptest! {
        #[test]
        fn every_frame_is_found_again_as_it_was_given(
            frames in prop::collection::vec(
                (0u32..3, any::<u64>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..90), 0u32..2000),
                0..12,
            ),
        ) {
            let names = ["a:eth0", "b:eth0", "b:eth1"].map(str::to_owned);
            let records = frames.iter().map(|(interface, at, outgoing, bytes, more)| Record {
                interface: *interface,
                at: *at,
                outgoing: *outgoing,
                length: u32::try_from(bytes.len()).unwrap() + more,
                bytes,
            });
            let blocks = blocks(&file(&names, records));
            prop_assert_eq!(blocks.len(), 4 + frames.len());
            for ((kind, body), (interface, at, outgoing, bytes, more)) in blocks[4..].iter().zip(&frames) {
                let kept = bytes.len();
                prop_assert_eq!(*kind, 6);
                prop_assert_eq!(le32(body, 0), *interface);
                prop_assert_eq!(u64::from(le32(body, 4)) << 32 | u64::from(le32(body, 8)), *at);
                prop_assert_eq!(le32(body, 12) as usize, kept);
                prop_assert_eq!(le32(body, 16) as usize, kept + *more as usize);
                prop_assert_eq!(&body[20..20 + kept], bytes.as_slice());
                let flags = 1 + u32::from(*outgoing);
                let found = options(&body[20 + kept.next_multiple_of(4)..]);
                prop_assert_eq!(found, vec![(2, flags.to_le_bytes().to_vec())]);
            }
        }
    }
}
