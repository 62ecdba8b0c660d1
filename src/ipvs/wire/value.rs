//! Reads attribute values of fixed width, and lists of attributes.

use netlink_packet_core::{
    DecodeError, NLA_HEADER_SIZE, NLA_TYPE_MASK, NlaBuffer, NlasIterator, Parseable,
};

/// Exactly `N` bytes, or an error that names the attribute.
pub(super) fn bytes<const N: usize>(value: &[u8], name: &str) -> Result<[u8; N], DecodeError> {
    value
        .try_into()
        .map_err(|_| DecodeError::from(format!("{name} has {} bytes and not {N}", value.len())))
}

pub(super) fn u16_host(value: &[u8], name: &str) -> Result<u16, DecodeError> {
    bytes(value, name).map(u16::from_ne_bytes)
}

pub(super) fn u16_network(value: &[u8], name: &str) -> Result<u16, DecodeError> {
    bytes(value, name).map(u16::from_be_bytes)
}

pub(super) fn u32_host(value: &[u8], name: &str) -> Result<u32, DecodeError> {
    bytes(value, name).map(u32::from_ne_bytes)
}

pub(super) fn u8_value(value: &[u8], name: &str) -> Result<u8, DecodeError> {
    bytes(value, name).map(|[byte]: [u8; 1]| byte)
}

/// Text up to the first NUL; bytes that are not UTF-8 are replaced.
pub(super) fn text(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// Writes text with its NUL into a buffer of that size.
pub(super) fn emit_text(text: &str, buffer: &mut [u8]) {
    buffer.fill(0);
    buffer[..text.len()].copy_from_slice(text.as_bytes());
}

/// Every attribute of a list, in its order.
pub(super) fn attributes<A>(value: &[u8]) -> Result<Vec<A>, DecodeError>
where
    A: for<'a> Parseable<NlaBuffer<&'a [u8]>>,
{
    NlasIterator::new(value)
        .map(|attribute| {
            let attribute = attribute?;
            // linux/netlink.h forbids both flags at once, and netlink-packet-core would write only one.
            if attribute.nested_flag() && attribute.network_byte_order_flag() {
                return Err(DecodeError::from(
                    "an attribute is both nested and in network byte order",
                ));
            }
            A::parse(&attribute)
        })
        .collect()
}

/// Iterates over a list of attributes: the kind and the value of each.
///
/// A list cut off inside an attribute ends with an error. `NlasIterator` does the same with many more
/// instructions per attribute, and a list of 100,000 destinations has seven million of them.
pub(super) fn each(list: &[u8]) -> Attributes<'_> {
    Attributes { rest: list }
}

/// See [`each`].
pub(super) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(&[low, high, kind_low, kind_high]) = self.rest.first_chunk::<NLA_HEADER_SIZE>()
        else {
            return self.cut_off();
        };
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(value) = self.rest.get(NLA_HEADER_SIZE..length) else {
            return self.cut_off();
        };
        self.rest = self
            .rest
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & NLA_TYPE_MASK;
        Some(Ok((kind, value)))
    }
}

impl<'a> Attributes<'a> {
    #[cold]
    fn cut_off(&mut self) -> Option<Result<(u16, &'a [u8]), DecodeError>> {
        let error = format!("an attribute is cut off after {} bytes", self.rest.len());
        self.rest = &[];
        Some(Err(DecodeError::from(error)))
    }
}
