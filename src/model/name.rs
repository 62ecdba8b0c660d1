//! Names that end up in files, shells and kernel calls on other machines, so their alphabet is small.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused. The message reads after "`NAME`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than the kernel or DNS takes.
    #[error("a name has at most {limit} characters")]
    TooLong {
        /// Largest number of characters allowed.
        limit: usize,
    },
    /// A character outside the alphabet.
    #[error("{character:?} is not allowed here; use {allowed}")]
    Character {
        /// The first offending character.
        character: char,
        /// The alphabet in words.
        allowed: &'static str,
    },
    /// What follows the lab's name is no seat.
    #[error("a seat is written `.s` with its number in at least two digits, from `.s01`")]
    Seat,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                natural(&self.0, &other.0)
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                ($check)(text)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// A lab's name: lower-case letters, digits and inner hyphens, at most 32 (it names directories).
    LabName,
    |text: &str| hyphenated(text, 32)
);
name_type!(
    /// A network's name in a lab: as a lab's.
    NetworkName,
    |text: &str| hyphenated(text, 32)
);
name_type!(
    /// A host's name: one DNS label (RFC 1123) in lower case, at most 32 characters.
    HostName,
    |text: &str| hyphenated(text, 32)
);
name_type!(
    /// A network interface's name: at most 15 characters (`IFNAMSIZ` less its NUL), letters, digits, `.`, `_`, `-`.
    InterfaceName,
    |text: &str| {
        checked(text, 15, "letters, digits, `.`, `_` and `-`", |_, c| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
        })
    }
);

/// Numbers in names count by their value: `web2` comes before `web10`.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) {
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let (number, rest) = leading_number(left);
            let (second, second_rest) = leading_number(right);
            (left, right) = (rest, second_rest);
            // Without leading zeros the longer number is the larger.
            number.len().cmp(&second.len()).then(number.cmp(second))
        } else {
            (left, right) = (&left[a.len_utf8()..], &right[b.len_utf8()..]);
            a.cmp(&b)
        };
        if order.is_ne() {
            return order;
        }
    }
    // `web1` and `web01` are different names.
    left.len().cmp(&right.len()).then(one.cmp(other))
}

/// The digits at the start without leading zeros, and what follows them.
fn leading_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

fn hyphenated(text: &str, limit: usize) -> Result<(), NameError> {
    let last = text.chars().count().saturating_sub(1);
    checked(
        text,
        limit,
        "lower-case letters, digits and inner hyphens",
        |at, c| c.is_ascii_lowercase() || c.is_ascii_digit() || (c == '-' && at != 0 && at != last),
    )
}

fn checked(
    text: &str,
    limit: usize,
    allowed: &'static str,
    fits: impl Fn(usize, char) -> bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some((_, character)) = text.chars().enumerate().find(|&(at, c)| !fits(at, c)) {
        return Err(NameError::Character { character, allowed });
    }
    if text.len() > limit {
        return Err(NameError::TooLong { limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names: Vec<HostName> = [
            "web10", "web2", "web1", "web01", "client", "web", "w9x10", "w9x9",
        ]
        .map(|name| name.parse().unwrap())
        .into();
        names.sort();
        let names: Vec<&str> = names.iter().map(HostName::as_str).collect();
        let sorted = [
            "client", "w9x9", "w9x10", "web", "web01", "web1", "web2", "web10",
        ];
        assert_eq!(names, sorted);
    }
}
