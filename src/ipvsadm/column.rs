//! Numbers, addresses and blanks in columns.
//!
//! `write!` could do the same, and a list of ten thousand lines would take about a seventh longer.

use std::net::Ipv4Addr;

/// Most digits of a `u64`.
const DIGITS: usize = 20;

/// Writes the decimal digits of a number.
pub(super) fn number(out: &mut String, number: u64) {
    let mut buffer = [0; DIGITS];
    out.push_str(digits(number, &mut buffer));
}

/// Writes a number and blanks behind it, up to `width` bytes.
pub(super) fn left(out: &mut String, number: u64, width: usize) {
    let mut buffer = [0; DIGITS];
    let text = digits(number, &mut buffer);
    out.push_str(text);
    blanks(out, width.saturating_sub(text.len()));
}

/// Writes blanks and a number behind them, at least `width` bytes.
pub(super) fn right(out: &mut String, number: u64, width: usize) {
    let mut buffer = [0; DIGITS];
    let text = digits(number, &mut buffer);
    blanks(out, width.saturating_sub(text.len()));
    out.push_str(text);
}

/// Writes text and blanks behind it, up to `width` bytes.
pub(super) fn text(out: &mut String, text: &str, width: usize) {
    out.push_str(text);
    blanks(out, width.saturating_sub(text.len()));
}

/// Writes blanks up to `width` bytes from `start`.
pub(super) fn pad(out: &mut String, start: usize, width: usize) {
    blanks(out, (start + width).saturating_sub(out.len()));
}

/// Writes four numbers and dots.
pub(super) fn ipv4(out: &mut String, address: Ipv4Addr) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        number(out, octet.into());
    }
}

fn blanks(out: &mut String, mut count: usize) {
    const BLANKS: &str = "                                ";
    while count > 0 {
        let some = count.min(BLANKS.len());
        out.push_str(&BLANKS[..some]);
        count -= some;
    }
}

fn digits(mut number: u64, buffer: &mut [u8; DIGITS]) -> &str {
    let mut start = DIGITS;
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&buffer[start..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn columns_are_those_of_the_formatting_machinery(value in any::<u64>(), shift in 0_u32..64, width in 0_usize..50) {
            let value = value >> shift;
            let mut out = String::new();
            number(&mut out, value);
            left(&mut out, value, width);
            right(&mut out, value, width);
            text(&mut out, "Masq", width);
            prop_assert_eq!(out, format!("{value}{value:<width$}{value:>width$}{:<width$}", "Masq"));
        }

        #[test]
        fn addresses_are_dotted_quads(address in any::<Ipv4Addr>()) {
            let mut out = String::new();
            ipv4(&mut out, address);
            prop_assert_eq!(out, address.to_string());
        }
    }
}
