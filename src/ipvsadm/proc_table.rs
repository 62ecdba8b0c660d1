//! The kernel's own text of the table, `/proc/net/ip_vs` (`ip_vs_info_seq_show` in `ip_vs_ctl.c`).
//!
//! It has what a plain list shows of a destination in one line instead of 55 netlink attributes, and all
//! services at once instead of one dump each; the benchmark `ipvs` measures what this saves. It lacks flags,
//! engines and the family of marks, so the services themselves still come over netlink. Both list services in
//! the same order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ipvs::{
    Counters, Destination, DestinationStatus, Forwarding, ServiceKey, ServiceStatus, Transport,
    TunnelKind,
};

/// The file for the calling thread's network namespace; `/proc/net` is that of the first thread.
pub(super) const PATH: &str = "/proc/thread-self/net/ip_vs";

/// Lines before the first service.
const HEADING: usize = 3;

/// Gives the services their destinations, with what a plain list shows of them: no thresholds, tunnels or
/// counters. Returns `false`, and leaves the services without destinations, when the text is about other
/// services or has an unknown form.
pub(super) fn fill(services: &mut [ServiceStatus], text: &str) -> bool {
    let filled = read(services, text).is_some();
    if !filled {
        for status in services {
            status.destinations.clear();
        }
    }
    filled
}

fn read(services: &mut [ServiceStatus], text: &str) -> Option<()> {
    let mut lines = text.lines().skip(HEADING).peekable();
    for status in services {
        if !names(lines.next()?, status.service.key) {
            return None;
        }
        while let Some(line) = lines.next_if(|line| line.starts_with("  -> ")) {
            status.destinations.push(destination(line)?);
        }
    }
    lines.next().is_none().then_some(())
}

/// `TCP  C0A8040F:0050 wrr `, `TCP  [2001:...:0001]:0050 rr persistent 300 FFFFFFFF` or `FWM  00000008 wrr `.
fn names(line: &str, key: ServiceKey) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (Some(protocol), Some(place)) = (words.next(), words.next()) else {
        return false;
    };
    match key {
        ServiceKey::Fwmark { mark, .. } => {
            protocol == "FWM" && u32::from_str_radix(place, 16) == Ok(mark.get())
        }
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            let wanted = match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
                Transport::Sctp => "SCTP",
            };
            protocol == wanted && endpoint(place) == Some((address, port))
        }
    }
}

/// `  -> C0A80464:0050      Route   1      0          0         `
fn destination(line: &str) -> Option<DestinationStatus> {
    let mut words = line.get(5..)?.split_ascii_whitespace();
    let (address, port) = endpoint(words.next()?)?;
    let forwarding = match words.next()? {
        "Masq" => Forwarding::Masquerade,
        "Local" => Forwarding::Local,
        "Tunnel" => Forwarding::Tunnel,
        "Route" => Forwarding::Route,
        _ => return None,
    };
    let mut number = || words.next()?.parse::<u32>().ok();
    Some(DestinationStatus {
        destination: Destination {
            address,
            port,
            forwarding,
            weight: number()?,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: TunnelKind::Ipip,
            tunnel_flags: 0,
        },
        active: number()?,
        inactive: number()?,
        persistent: 0,
        counters: Counters::default(),
    })
}

/// `C0A8040F:0050` or `[2001:0db8:...:0001]:0050`.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = match address.strip_prefix('[') {
        Some(address) => IpAddr::V6(address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => IpAddr::V4(Ipv4Addr::from_bits(u32::from_str_radix(address, 16).ok()?)),
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::Service;
    use crate::ipvsadm::parse_desired;
    use proptest::prelude::*;

    const TEXT: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A8040F:0050 wrr 
  -> C0A804C8:0050      Route   3      2          17        
  -> C0A80464:0050      Masq    0      0          0         
UDP  C0A8040F:0035 rr ops 
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:01BB sh persistent 300 00000040
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:01BB      Tunnel  1      0          0         
  -> 7F000001:01BB      Local   1      0          0         
FWM  00000008 wrr 
FWM  FFFFFFFF rr persistent 60 FFFFFFFF
";

    fn services() -> Vec<ServiceStatus> {
        let rules = "-A -t 192.168.4.15:80 -s wrr\n-A -u 192.168.4.15:53 -s rr -o\n\
                     -A -t [2001:db8::1]:443 -s sh -p 300 -M 64\n-A -f 8 -6 -s wrr\n\
                     -A -f 4294967295 -s rr -p 60\n";
        parse_desired(rules)
            .unwrap()
            .into_iter()
            .map(|one| ServiceStatus {
                service: one.service,
                counters: Counters::default(),
                destinations: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn every_service_gets_its_own_destinations() {
        let mut services = services();
        assert!(fill(&mut services, TEXT));
        let shown: Vec<String> = services
            .iter()
            .flat_map(|status| &status.destinations)
            .map(|status| {
                format!(
                    "{} {:?} {} {} {}",
                    status.destination.key(),
                    status.destination.forwarding,
                    status.destination.weight,
                    status.active,
                    status.inactive
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "192.168.4.200:80 Route 3 2 17",
                "192.168.4.100:80 Masquerade 0 0 0",
                "[2001:db8::2]:443 Tunnel 1 0 0",
                "127.0.0.1:443 Local 1 0 0"
            ]
        );
        let counts: Vec<usize> = services.iter().map(|s| s.destinations.len()).collect();
        assert_eq!(counts, [2, 0, 2, 0, 0]);
    }

    #[test]
    fn a_table_that_changed_meanwhile_is_noticed() {
        let all = services();
        for (index, _) in all.iter().enumerate() {
            let mut fewer = all.clone();
            fewer.remove(index);
            assert!(!fill(&mut fewer, TEXT), "without {index}");
            assert!(fewer.iter().all(|status| status.destinations.is_empty()));
        }
        let mut more = all.clone();
        more.push(ServiceStatus {
            service: Service::new(all[0].service.key, "rr"),
            ..all[0].clone()
        });
        assert!(!fill(&mut more, TEXT));
        assert!(!fill(&mut services(), &TEXT.replace("Masq", "Else")));
    }

    #[test]
    fn a_text_cut_off_anywhere_is_refused_or_whole() {
        for length in 0..TEXT.len() {
            let mut services = services();
            if fill(&mut services, &TEXT[..length]) {
                // Only what ends the last line, which no plain list shows, may be missing.
                assert!(TEXT[..length].contains("\nFWM  FFFFFFFF"), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            at in any::<prop::sample::Index>(),
            piece in "(?s).{0,12}",
            file in "(?s).{0,300}",
        ) {
            let at = at.index(TEXT.len());
            let changed = format!("{}{piece}{}", &TEXT[..at], &TEXT[at..]);
            let _ = fill(&mut services(), &changed);
            let _ = fill(&mut services(), &file);
        }
    }
}
