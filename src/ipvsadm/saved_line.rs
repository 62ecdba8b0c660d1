//! A fast reader for plain lines, as `-S -n` writes most of them.
//!
//! A large table is restored from such lines and few others, so they skip the parser of general command lines.
//! A line that this reader understands means exactly what the parser makes of it, and a property test compares
//! the two; every other line, mistakes included, is left to the parser. The benchmark `ipvs` measures what this
//! saves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use crate::ipvs::{
    Command, Destination, Family, Forwarding, Service, ServiceKey, Transport, TunnelKind,
};

/// Longest scheduler name in ipvsadm, bytes.
const NAME_BYTES: usize = 15;

/// Reads lines one after the other.
#[derive(Default)]
pub(super) struct Lines<'a> {
    /// The service of the previous `-a` line: the next line usually names the same one.
    service: Option<ReadService<'a>>,
}

/// A service, and the text that it was read from.
#[derive(Clone, Copy)]
struct ReadService<'a> {
    text: &'a [u8],
    key: ServiceKey,
}

impl<'a> Lines<'a> {
    /// The command of a line, `None` for a line that is left to the general parser.
    pub(super) fn command(&mut self, line: &'a str) -> Option<Command> {
        let mut line = Line(line.as_bytes());
        if line.skip(b"-a ") {
            let key = self.service(&mut line)?;
            line.destination(key)
        } else if line.skip(b"-A ") {
            let key = line.key()?;
            line.service(key)
        } else {
            None
        }
    }

    /// Reads the service of an `-a` line up to and including ` -r `.
    fn service(&mut self, line: &mut Line<'a>) -> Option<ServiceKey> {
        if let Some(service) = self.service
            && let Some(rest) = line.0.strip_prefix(service.text)
        {
            line.0 = rest;
            return Some(service.key);
        }
        let start = line.0;
        let key = line.key()?;
        if !line.skip(b" -r ") {
            return None;
        }
        self.service = start
            .get(..start.len() - line.0.len())
            .map(|text| ReadService { text, key });
        Some(key)
    }
}

/// The rest of a line.
struct Line<'a>(&'a [u8]);

impl Line<'_> {
    /// Skips `text` if it comes next, and returns whether it did.
    #[inline(always)]
    fn skip<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        match self.0.split_first_chunk::<N>() {
            Some((start, rest)) if start == text => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn key(&mut self) -> Option<ServiceKey> {
        let transport = if self.skip(b"-t ") {
            Transport::Tcp
        } else if self.skip(b"-u ") {
            Transport::Udp
        } else if self.skip(b"--sctp-service ") {
            Transport::Sctp
        } else if self.skip(b"-f ") {
            let mark = NonZeroU32::new(self.number(u32::MAX)?)?;
            let family = if self.skip(b" -6") {
                Family::Inet6
            } else {
                Family::Inet
            };
            return Some(ServiceKey::Fwmark { mark, family });
        } else {
            return None;
        };
        let (address, port) = self.endpoint()?;
        Some(ServiceKey::Address {
            transport,
            address,
            port,
        })
    }

    fn service(&mut self, key: ServiceKey) -> Option<Command> {
        // Port 0 needs persistence, which is left to the general parser.
        if matches!(key, ServiceKey::Address { port: 0, .. }) || !self.skip(b" -s ") {
            return None;
        }
        let name = std::str::from_utf8(self.0).ok()?;
        let plain = (1..=NAME_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase())
            // The program's name is dropped from rules.
            && name != "ipvsadm";
        plain.then(|| Command::CreateService(Service::new(key, name)))
    }

    fn destination(&mut self, key: ServiceKey) -> Option<Command> {
        let (address, own_port) = self.endpoint()?;
        let forwarding = if self.skip(b" -g ") {
            Forwarding::Route
        } else if self.skip(b" -m ") {
            Forwarding::Masquerade
        } else if self.skip(b" -i ") {
            Forwarding::Tunnel
        } else {
            return None;
        };
        if forwarding != Forwarding::Tunnel && Family::of(address) != key.family() {
            return None;
        }
        if !self.skip(b"-w ") {
            return None;
        }
        let weight = self.number(i32::MAX as u32)?;
        let mut option = |name: &[u8; 4]| -> Option<u32> {
            if self.skip(name) {
                self.number(i32::MAX as u32)
            } else {
                Some(0)
            }
        };
        let upper_threshold = option(b" -x ")?;
        let lower_threshold = option(b" -y ")?;
        if forwarding == Forwarding::Tunnel {
            self.skip(b" --tun-type ipip");
        }
        let port = match (key, forwarding) {
            (ServiceKey::Address { port, .. }, Forwarding::Route | Forwarding::Tunnel) => port,
            _ => own_port,
        };
        let destination = Destination {
            address,
            port,
            forwarding,
            weight,
            upper_threshold,
            lower_threshold,
            tunnel: TunnelKind::Ipip,
            tunnel_flags: 0,
        };
        self.0
            .is_empty()
            .then_some(Command::AddDestination(key, destination))
    }

    /// `192.168.4.15:80` or `[2001:db8::1]:80`.
    fn endpoint(&mut self) -> Option<(IpAddr, u16)> {
        let address = if self.skip(b"[") {
            let end = self.0.iter().position(|byte| *byte == b']')?;
            let (text, rest) = self.0.split_at(end);
            self.0 = rest.get(1..)?;
            let text = std::str::from_utf8(text).ok()?;
            IpAddr::V6(text.parse::<Ipv6Addr>().ok()?)
        } else {
            let mut octets = [0; 4];
            for (index, octet) in octets.iter_mut().enumerate() {
                if index > 0 && !self.skip(b".") {
                    return None;
                }
                *octet = u8::try_from(self.number(255)?).ok()?;
            }
            IpAddr::V4(Ipv4Addr::from(octets))
        };
        if !self.skip(b":") {
            return None;
        }
        Some((address, u16::try_from(self.number(65535)?).ok()?))
    }

    /// Decimal digits without a leading 0, which some readers take for octal.
    fn number(&mut self, most: u32) -> Option<u32> {
        let mut number = 0_u32;
        let mut digits = 0;
        while let Some(digit) = self.0.get(digits).map(|byte| byte.wrapping_sub(b'0'))
            && digit <= 9
        {
            number = number.checked_mul(10)?.checked_add(digit.into())?;
            digits += 1;
        }
        let zero_leads = digits > 1 && self.0.first() == Some(&b'0');
        if digits == 0 || zero_leads || number > most {
            return None;
        }
        self.0 = self.0.get(digits..)?;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::test_strategies::{destination, service};
    use crate::ipvsadm::behaviour::Setting;
    use crate::ipvsadm::command_line::save_format;
    use crate::ipvsadm::rules::rule;
    use proptest::prelude::*;

    fn command(line: &str) -> Option<Command> {
        Lines::default().command(line)
    }

    /// What the general parser makes of it.
    fn slowly(line: &str) -> Option<Command> {
        let words: Vec<&str> = line.split(' ').collect();
        let refuse = &mut |_| Err(crate::ipvsadm::failure::Failure::usage("no table"));
        rule(&words, &Setting::default(), refuse).ok()
    }

    #[test]
    fn the_lines_of_a_large_table_are_plain() {
        for line in [
            "-A -t 10.0.0.1:443 -s wrr",
            "-a -t 10.0.0.1:443 -r 10.1.0.3:8443 -m -w 3",
            "-a -t 10.0.0.1:443 -r 10.1.0.3:8443 -g -w 3 -x 2000 -y 1500",
            "-a -u [2001:db8::1]:53 -r [2001:db8::2]:53 -i -w 0 --tun-type ipip",
            "-A -f 4294967295 -6 -s mh",
            "-a -f 4294967295 -r 10.1.0.3:0 -g -w 1",
        ] {
            assert!(command(line).is_some(), "{line}");
            assert_eq!(command(line), slowly(line), "{line}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_command_line() {
        for line in [
            "",
            "-a",
            "-A -t 10.0.0.1:443 -s",
            "-A -t 10.0.0.1:0 -s rr",
            "-A -t 10.0.0.01:80 -s rr",
            "-A -t 10.0.0.256:80 -s rr",
            "-A -t 10.0.0.1:080 -s rr",
            "-A -t 10.0.0.1:65536 -s rr",
            "-A -t 10.0.0.1:80 -s ipvsadm",
            "-A -t 10.0.0.1:80 -s wrr ",
            "-A -t 10.0.0.1:80 -s wrr -p 300",
            "-A -f 0 -s rr",
            "-A -f 4294967296 -s rr",
            "-a -t 10.0.0.1:80 -r [2001:db8::2]:80 -g -w 1",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 2147483648",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 1 -z",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -w 1 -g",
            " -a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 1",
        ] {
            assert_eq!(command(line), None, "{line}");
        }
    }

    #[test]
    fn a_service_is_remembered_with_its_end() {
        let mut lines = Lines::default();
        for line in [
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 3",
            "-a -t 10.0.0.1:80 -r 10.1.0.4:80 -g -w 3",
            "-a -t 10.0.0.1:8 -r 10.1.0.4:80 -g -w 3",
            "-a -t 10.0.0.1:80 -r 10.1.0.5:80 -g -w 3",
            "-a -f 8 -r 10.1.0.4:80 -g -w 3",
            "-a -f 8 -6 -r [2001:db8::2]:80 -g -w 3",
            "-a -f 8 -r 10.1.0.5:80 -g -w 3",
            "-a -u 10.0.0.1:80 -r 10.1.0.5:80 -g -w 3",
        ] {
            let found = lines.command(line);
            assert!(found.is_some(), "{line}");
            assert_eq!(found, slowly(line), "{line}");
        }
        assert_eq!(lines.command("-a -u 10.0.0.1:80 "), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_plain_means_what_the_command_line_means(
            service in service(),
            destination in destination(),
            cut in any::<prop::sample::Index>(),
            piece in "[-a-z0-9.:\\[\\] ]{0,3}",
        ) {
            let saved = save_format(&service, std::slice::from_ref(&destination));
            // One reader of them all meets services that are nearly the last one.
            let mut lines = Vec::new();
            for line in saved.lines() {
                let at = cut.index(line.len());
                let end = (at + piece.len()).min(line.len());
                let changed = format!("{}{piece}{}", &line[..at], &line[end..]);
                let inserted = format!("{}{piece}{}", &line[..at], &line[at..]);
                lines.extend([line.to_owned(), line[..at].to_owned(), line.to_owned(), changed, inserted]);
            }
            let mut reader = Lines::default();
            for line in &lines {
                if let Some(command) = reader.command(line) {
                    prop_assert_eq!(Some(command), slowly(line), "{}", line);
                }
            }
        }
    }
}
