//! Reading attribute values of fixed width.

use netlink_packet_core::{DecodeError, NLA_HEADER_SIZE, NlaBuffer, NlasIterator, Parseable};

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
            A::parse(&attribute)
        })
        .collect()
}

/// Attributes of a list one after the other, each as its kind, its whole and its value.
pub(super) fn each(
    list: &[u8],
) -> impl Iterator<Item = Result<(NlaBuffer<&[u8]>, &[u8]), DecodeError>> {
    NlasIterator::new(list).map(|attribute| {
        let attribute = attribute?;
        let length = usize::from(attribute.length());
        let value = attribute
            .into_inner()
            .get(NLA_HEADER_SIZE..length)
            .unwrap_or_default();
        Ok((attribute, value))
    })
}
