//! Which copy of which lab: the name of everything that is kept for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{LabName, NameError};

/// One copy of a lab in a class, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seat(std::num::NonZeroU16);

impl Seat {
    /// The seat of this number.
    #[must_use]
    pub const fn new(number: std::num::NonZeroU16) -> Self {
        Self(number)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
}

/// A lab and, in a class, the seat it is a copy for.
///
/// State, journals, locks, SSH configuration, machines and logs carry it. As text, in paths and in JSON it is the
/// lab's name, followed by `.s07` for seat 7; a lab's name has no dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabId {
    lab: LabName,
    seat: Option<Seat>,
    text: String,
}

impl LabId {
    /// The identity of `lab` at `seat`; a lab outside a class has no seat.
    #[must_use]
    pub fn new(lab: LabName, seat: Option<Seat>) -> Self {
        let text = match seat {
            None => lab.to_string(),
            Some(seat) => format!("{lab}.{seat}"),
        };
        Self { lab, seat, text }
    }

    /// The lab, the same for every seat.
    #[must_use]
    pub fn lab(&self) -> &LabName {
        &self.lab
    }

    /// The seat, in a class.
    #[must_use]
    pub fn seat(&self) -> Option<Seat> {
        self.seat
    }

    /// As text: `dr`, `dr.s07`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<LabName> for LabId {
    fn from(lab: LabName) -> Self {
        Self::new(lab, None)
    }
}

impl fmt::Display for LabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl AsRef<str> for LabId {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl FromStr for LabId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((lab, seat)) = text.split_once('.') else {
            return Ok(Self::from(text.parse::<LabName>()?));
        };
        let number = seat
            .strip_prefix('s')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Seat)
            .filter(|parsed| parsed.to_string() == seat)
            .ok_or(NameError::Seat)?;
        Ok(Self::new(lab.parse()?, Some(number)))
    }
}

impl TryFrom<String> for LabId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LabId> for String {
    fn from(id: LabId) -> Self {
        id.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lab_without_a_seat_is_called_like_the_lab() {
        let id: LabId = "dr".parse().unwrap();
        assert_eq!(
            (id.as_str(), id.lab().as_str(), id.seat()),
            ("dr", "dr", None)
        );
    }

    #[test]
    fn what_is_no_seat_is_refused() {
        for text in [
            "dr.",
            "dr.7",
            "dr.s7",
            "dr.s0",
            "dr.s+7",
            "dr.s007",
            ".s07",
            "dr.s07.s08",
        ] {
            assert!(text.parse::<LabId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_identity_is_read_back_as_it_was_written(lab in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?", seat in 1u16..) {
            let seat = Seat::new(seat.try_into().unwrap());
            let id = LabId::new(lab.parse().unwrap(), Some(seat));
            prop_assert_eq!(&id.to_string().parse::<LabId>().unwrap(), &id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<LabId>(&json).unwrap(), id);
        }
    }
}
