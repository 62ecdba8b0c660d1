//! Numbers and IPv4 addresses as the C library reads them: strtol(3), atoi(3), inet_aton(3).

use std::net::Ipv4Addr;

/// strtol(3) in base 10 of a whole word: white space and a sign may come first, nothing may follow.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    let (number, rest) = leading_number(text)?;
    rest.is_empty().then_some(number).flatten()
}

/// A whole word within bounds.
pub(super) fn number_within(text: &str, least: u32, most: u32) -> Option<u32> {
    u32::try_from(whole_number(text)?)
        .ok()
        .filter(|number| (least..=most).contains(number))
}

/// atoi(3): the number at the start of a word, 0 if there is none.
pub(super) fn number_at_start(text: &str) -> i64 {
    leading_number(text)
        .and_then(|(number, _)| number)
        .unwrap_or_default()
}

/// The number (`None` if it does not fit) and what follows it; `None` without a digit.
fn leading_number(text: &str) -> Option<(Option<i64>, &str)> {
    let text = text.trim_start_matches(is_space);
    let digits_at = usize::from(text.starts_with(['+', '-']));
    let digits = &text[digits_at..];
    let end = digits
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let (number, rest) = text.split_at(digits_at + end);
    Some((number.parse().ok(), rest))
}

/// isspace(3) in the C locale.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

/// inet_aton(3): one to four parts, the last one filling the rest, decimal, `0` octal or `0x`
/// hexadecimal; white space and anything after it are ignored.
pub(super) fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let text = text.split(is_space).next()?;
    let mut parts = [0_u32; 4];
    let mut count = 0;
    for part in text.split('.') {
        let slot = parts.get_mut(count)?;
        *slot = ipv4_part(part)?;
        count += 1;
    }
    let (last, leading) = parts[..count].split_last()?;
    let mut address = 0_u32;
    for (index, part) in leading.iter().enumerate() {
        address |= u32::from(u8::try_from(*part).ok()?) << (24 - 8 * index);
    }
    let room = 32 - 8 * leading.len() as u32;
    if u64::from(*last) >> room != 0 {
        return None;
    }
    Some(Ipv4Addr::from(address | last))
}

fn ipv4_part(part: &str) -> Option<u32> {
    let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
        None => (part, 10),
    };
    // from_str_radix takes a sign, inet_aton does not.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_numbers_as_strtol_sees_them() {
        assert_eq!(whole_number(" +42"), Some(42));
        assert_eq!(whole_number("-1"), Some(-1));
        for text in ["", " ", "-", "4 ", "4x", "0x10", "99999999999999999999"] {
            assert_eq!(whole_number(text), None, "{text:?}");
        }
        assert_eq!(number_within("65536", 0, 65535), None);
        assert_eq!(number_at_start("64abc"), 64);
        assert_eq!(number_at_start("abc"), 0);
    }

    #[test]
    fn addresses_are_read_as_inet_aton_reads_them() {
        for (text, address) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.1", "10.0.0.1"),
            ("10.1.258", "10.1.1.2"),
            ("0x0a000001", "10.0.0.1"),
            ("010.0.0.1", "8.0.0.1"),
            ("4294967295", "255.255.255.255"),
            ("1.2.3.4 and more", "1.2.3.4"),
        ] {
            assert_eq!(ipv4(text), address.parse().ok(), "{text}");
        }
        for text in [
            "",
            "1.2.3.4.5",
            "256.0.0.1",
            "1.2.3.256",
            "1..2",
            "a",
            "08",
            "+1",
            "1.2.3.",
        ] {
            assert_eq!(ipv4(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_dotted_quad_is_itself(address in any::<Ipv4Addr>()) {
            prop_assert_eq!(ipv4(&address.to_string()), Some(address));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = (ipv4(&text), whole_number(&text), number_at_start(&text));
        }
    }
}
