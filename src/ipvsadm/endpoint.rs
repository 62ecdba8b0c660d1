//! `host[:port]` on the command line and in lists.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use super::column;
use super::names::Names;
use super::number::{ipv4, number_within};
use crate::ipvs::Transport;

/// An address, and the port where one was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

/// Reads `192.168.4.15:80`, `web1:http`, `[2001:db8::1]:80` or `2001:db8::1`.
///
/// `transport` is the protocol to look up service names for. As in ipvsadm, an address in brackets needs a
/// port, and digits alone are no address.
pub(super) fn parse(text: &str, transport: Option<Transport>, names: &Names) -> Option<Endpoint> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (host, mut port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once("]")?;
            (host, Some(port.strip_prefix(':')?))
        }
        None => (text, None),
    };
    let address = if let Ok(address) = host.parse::<Ipv6Addr>() {
        IpAddr::V6(address)
    } else {
        let host = match host.rsplit_once(':') {
            Some((host, found)) => {
                port = Some(found);
                host
            }
            None => {
                port = None;
                host
            }
        };
        IpAddr::V4(ipv4(host).or_else(|| names.host(host))?)
    };
    let port = match port {
        None => None,
        Some(text) => Some(
            number_within(text, 0, 65535)
                .and_then(|number| u16::try_from(number).ok())
                .or_else(|| names.port(text, transport?))?,
        ),
    };
    Some(Endpoint { address, port })
}

/// How addresses and ports are shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style<'a> {
    /// `192.168.4.15:80`
    Numeric,
    /// `web1:http`, where there are names.
    Named(&'a Names),
    /// With names that are read back as the same address: ipvsadm looks names up as IPv4 only, so IPv6
    /// addresses stay numbers.
    ReadBack(&'a Names),
}

/// Writes address and port, cut after 59 bytes like ipvsadm's buffer.
pub(super) fn write(
    out: &mut String,
    address: IpAddr,
    port: u16,
    transport: Option<Transport>,
    style: Style<'_>,
) {
    let start = out.len();
    let (open, close) = if address.is_ipv6() {
        ("[", "]")
    } else {
        ("", "")
    };
    let (name, service) = match style {
        Style::Numeric => (None, None),
        Style::Named(names) | Style::ReadBack(names) => (
            names
                .name(address)
                .filter(|_| address.is_ipv4() || matches!(style, Style::Named(_))),
            transport.and_then(|transport| names.service(port, transport)),
        ),
    };
    out.push_str(open);
    match name {
        Some(name) => out.push_str(name),
        None => write_address(out, address),
    }
    out.push_str(close);
    out.push(':');
    match service {
        Some(service) => out.push_str(service),
        None => column::number(out, port.into()),
    }
    cut(out, start, 59);
}

/// Cuts what starts at `start` after `bytes`, like a C string in a buffer.
pub(super) fn cut(out: &mut String, start: usize, bytes: usize) {
    let mut end = (start + bytes).min(out.len());
    while !out.is_char_boundary(end) {
        end -= 1;
    }
    out.truncate(end);
}

/// Writes an address as inet_ntop(3) does, which unlike Rust writes `::1.2.3.4`.
pub(super) fn write_address(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(address) => column::ipv4(out, address),
        IpAddr::V6(address) if matches!(address.segments(), [0, 0, 0, 0, 0, 0, high, _] if high != 0) =>
        {
            let [.., a, b, c, d] = address.octets();
            out.push_str("::");
            column::ipv4(out, [a, b, c, d].into());
        }
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::from_texts("192.168.4.100 web1\n2001:db8::1 vip6\n", "http 80/tcp\n")
    }

    fn endpoint(address: &str, port: Option<u16>) -> Option<Endpoint> {
        Some(Endpoint {
            address: address.parse().unwrap(),
            port,
        })
    }

    #[test]
    fn words_are_read_as_ipvsadm_reads_them() {
        let read = |text| parse(text, Some(Transport::Tcp), &names());
        assert_eq!(read("10.0.0.1:80"), endpoint("10.0.0.1", Some(80)));
        assert_eq!(read("10.1"), endpoint("10.0.0.1", None));
        assert_eq!(read("web1:http"), endpoint("192.168.4.100", Some(80)));
        assert_eq!(read("[2001:db8::1]:80"), endpoint("2001:db8::1", Some(80)));
        assert_eq!(read("2001:db8::1"), endpoint("2001:db8::1", None));
        assert_eq!(read("[10.0.0.1]:80"), endpoint("10.0.0.1", None));
        for text in [
            "",
            "80",
            "[2001:db8::1]",
            "[2001:db8::1",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "x",
            "web1:ftp",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn endpoints_are_shown_with_or_without_names() {
        let names = names();
        let show = |address: &str, port, style| {
            let mut out = String::new();
            write(
                &mut out,
                address.parse().unwrap(),
                port,
                Some(Transport::Tcp),
                style,
            );
            out
        };
        assert_eq!(show("192.168.4.100", 80, Style::Named(&names)), "web1:http");
        assert_eq!(show("2001:db8::1", 81, Style::Named(&names)), "[vip6]:81");
        assert_eq!(
            show("192.168.4.100", 80, Style::ReadBack(&names)),
            "web1:http"
        );
        assert_eq!(
            show("2001:db8::1", 80, Style::ReadBack(&names)),
            "[2001:db8::1]:http"
        );
        assert_eq!(
            show("192.168.4.100", 80, Style::Numeric),
            "192.168.4.100:80"
        );
        assert_eq!(show("::102:304", 0, Style::Numeric), "[::1.2.3.4]:0");
        assert_eq!(show("::2", 0, Style::Numeric), "[::2]:0");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(address in crate::ipvs::test_strategies::address(), port in any::<u16>()) {
            let mut text = String::new();
            write(&mut text, address, port, None, Style::Numeric);
            prop_assert_eq!(parse(&text, None, &names()), Some(Endpoint { address, port: Some(port) }));
        }

        #[test]
        fn any_word_is_read_without_a_panic(text in "\\PC{0,40}|[\\[\\]:.0-9a-f]{0,30}") {
            let _ = parse(&text, Some(Transport::Udp), &names());
        }
    }
}
