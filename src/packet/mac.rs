//! A MAC address, written the way every tool writes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Six octets of an Ethernet address (IEEE 802, EUI-48). As text `52:54:00:00:00:01`, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// `ff:ff:ff:ff:ff:ff`, which every host on the segment takes.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

/// A text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no MAC address (six pairs of hexadecimal digits with colons)")]
pub struct MacError {
    text: String,
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        f.pad(&format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"))
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let refused = || MacError {
            text: text.to_owned(),
        };
        let mut octets = [0; 6];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair = pairs.next().ok_or_else(refused)?;
            let sound = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            if !sound {
                return Err(refused());
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        if pairs.next().is_some() {
            return Err(refused());
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_mac_address_is_refused() {
        for text in [
            "",
            "52:54:00:00:00",
            "52:54:00:00:00:01:02",
            "52-54-00-00-00-01",
            "+1:54:00:00:00:01",
            "52:54:00:00:00:1",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_address_is_read_back_in_either_case(octets in any::<[u8; 6]>()) {
            let text = Mac(octets).to_string();
            prop_assert_eq!(text.parse::<Mac>().unwrap(), Mac(octets));
            prop_assert_eq!(text.to_uppercase().parse::<Mac>().unwrap(), Mac(octets));
        }
    }
}
