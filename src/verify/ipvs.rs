//! The director's virtual service against the plan, in words and in the commands that bring them together.

use crate::ipvs::{
    Destination, Forwarding, Granularity, Service, ServiceKey, ServiceStatus, Transport, TunnelKind,
};
use crate::model::Scheduler;
use crate::resource::IpvsService;

/// `wrr: 192.168.4.100:80 gatewaying weight 1, ...`.
pub(super) fn words(wanted: &IpvsService) -> String {
    let servers: Vec<String> = wanted.destinations.iter().map(server).collect();
    format!("{}: {}", scheduling(&wanted.service), servers.join(", "))
}

/// What is not as wanted; `None` when everything is.
pub(super) fn differences(wanted: &IpvsService, found: Option<&ServiceStatus>) -> Option<String> {
    let Some(found) = found else {
        return Some("no such service".to_owned());
    };
    let mut differences = Vec::new();
    if !same_scheduling(&wanted.service, &found.service) {
        differences.push(format!(
            "{} instead of {}",
            scheduling(&found.service),
            scheduling(&wanted.service)
        ));
    }
    for want in &wanted.destinations {
        match destination(found, want) {
            None => differences.push(format!("{} is missing", endpoint(want))),
            Some(have) if have != want => {
                differences.push(format!("{} instead of {}", server(have), server(want)));
            }
            Some(_) => {}
        }
    }
    for have in strangers(wanted, found) {
        differences.push(format!("{} is not planned", server(have)));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

/// What comes of the scheduling that was found, where it is not the wanted one; `None` where it is.
pub(super) fn consequence(wanted: &IpvsService, found: &ServiceStatus) -> Option<String> {
    let (wanted, found) = (&wanted.service, &found.service);
    let mut sentences = Vec::new();
    if wanted.scheduler != found.scheduler {
        sentences.push(format!(
            "{} {}; {} {}.",
            found.scheduler,
            choice(&found.scheduler),
            wanted.scheduler,
            choice(&wanted.scheduler)
        ));
    }
    sentences.extend(match (wanted.persistence, found.persistence) {
        (None, Some(seconds)) => Some(format!(
            "The service is persistent: for {seconds} s after its last connection the director sends a client to the \
             real server that it had before, without asking the scheduler, so the shares follow clients and not \
             connections."
        )),
        (Some(seconds), None) => Some(format!(
            "The service is not persistent: the director asks the scheduler for every connection, so a client changes \
             its real server where it should stay with one for {seconds} s."
        )),
        (Some(wanted), Some(found)) if wanted != found => Some(format!(
            "A client stays with its real server for {found} s after its last connection instead of {wanted} s."
        )),
        _ => None,
    });
    if wanted.scheduler == found.scheduler && falls_back(wanted) && !falls_back(found) {
        sentences.push(format!(
            "Without {}-fallback the director refuses clients whose place belongs to a real server of weight 0.",
            wanted.scheduler
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// How a scheduler chooses, after its name (ipvsadm(8)).
fn choice(scheduler: &str) -> &'static str {
    let known = Scheduler::ALL.into_iter();
    let Some(scheduler) = known.into_iter().find(|known| known.as_str() == scheduler) else {
        return "chooses in a way of its own";
    };
    match scheduler {
        Scheduler::Rr => "deals connections out in turn and ignores the weights",
        Scheduler::Wrr => "deals connections out in turn by weight",
        Scheduler::Lc => {
            "takes the real server with the fewest connections and ignores the weights"
        }
        Scheduler::Wlc => "takes the real server with the fewest connections for its weight",
        Scheduler::Lblc => {
            "keeps a destination address with one real server until that is overloaded"
        }
        Scheduler::Lblcr => "keeps a destination address with a set of real servers",
        Scheduler::Dh => "chooses by the destination address",
        Scheduler::Sh => "chooses by the client's address, so a client stays with one real server",
        Scheduler::Sed => "takes the real server with the shortest expected delay",
        Scheduler::Nq => "takes an idle real server, else the one with the shortest expected delay",
        Scheduler::Fo => "takes the real server with the highest weight",
        Scheduler::Ovf => {
            "fills the real server with the highest weight up before it takes the next"
        }
        Scheduler::Mh => {
            "chooses by the client's address from a table, so a client stays with one real server"
        }
        Scheduler::Twos => "draws two real servers by weight and takes the less busy one",
    }
}

/// The `ipvsadm` commands that make the table what is wanted, and nothing more.
pub(super) fn repair(wanted: &IpvsService, found: Option<&ServiceStatus>) -> Vec<String> {
    let service = key(&wanted.service.key);
    let mut commands = Vec::new();
    let Some(found) = found else {
        commands.push(format!("ipvsadm -A {service} {}", options(&wanted.service)));
        for want in &wanted.destinations {
            commands.push(format!("ipvsadm -a {service} {}", rule(want)));
        }
        return commands;
    };
    if !same_scheduling(&wanted.service, &found.service) {
        commands.push(format!("ipvsadm -E {service} {}", options(&wanted.service)));
    }
    for want in &wanted.destinations {
        match destination(found, want) {
            None => commands.push(format!("ipvsadm -a {service} {}", rule(want))),
            Some(have) if have != want => {
                commands.push(format!("ipvsadm -e {service} {}", rule(want)));
            }
            Some(_) => {}
        }
    }
    for have in strangers(wanted, found) {
        commands.push(format!("ipvsadm -d {service} -r {}", endpoint(have)));
    }
    commands
}

fn same_scheduling(wanted: &Service, found: &Service) -> bool {
    wanted.scheduler == found.scheduler
        && wanted.flags == found.flags
        && wanted.persistence == found.persistence
        && wanted.granularity == found.granularity
        && wanted.engine == found.engine
}

fn destination<'a>(found: &'a ServiceStatus, want: &Destination) -> Option<&'a Destination> {
    found
        .destinations
        .iter()
        .map(|status| &status.destination)
        .find(|have| (have.address, have.port) == (want.address, want.port))
}

fn strangers<'a>(
    wanted: &'a IpvsService,
    found: &'a ServiceStatus,
) -> impl Iterator<Item = &'a Destination> {
    found
        .destinations
        .iter()
        .map(|status| &status.destination)
        .filter(|have| {
            !wanted
                .destinations
                .iter()
                .any(|want| (have.address, have.port) == (want.address, want.port))
        })
}

fn scheduling(service: &Service) -> String {
    let mut text = service.scheduler.clone();
    if let Some(seconds) = service.persistence {
        text += &format!(" persistent {seconds} s");
    }
    match service.granularity {
        Some(Granularity::Mask(mask)) => text += &format!(" by mask {mask}"),
        Some(Granularity::Prefix(prefix)) => text += &format!(" by prefix {prefix}"),
        None => {}
    }
    if let Some(engine) = &service.engine {
        text += &format!(" engine {engine}");
    }
    match service.flags {
        0 => {}
        _ if falls_back(service) => text += &format!(" with {}-fallback", service.scheduler),
        flags => text += &format!(" flags {flags:#x}"),
    }
    text
}

fn server(destination: &Destination) -> String {
    let mut text = format!(
        "{} {} weight {}",
        endpoint(destination),
        method(destination.forwarding),
        destination.weight
    );
    if (destination.upper_threshold, destination.lower_threshold) != (0, 0) {
        text += &format!(
            " thresholds {}..{}",
            destination.lower_threshold, destination.upper_threshold
        );
    }
    if destination.tunnel != TunnelKind::default() || destination.tunnel_flags != 0 {
        text += " with tunnel options";
    }
    text
}

fn method(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Masquerade => "masquerading",
        Forwarding::Local => "local",
        Forwarding::Tunnel => "tunnelling",
        Forwarding::Route => "gatewaying",
        Forwarding::Bypass => "bypass",
    }
}

fn endpoint(destination: &Destination) -> std::net::SocketAddr {
    std::net::SocketAddr::new(destination.address, destination.port)
}

fn key(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            let option = match transport {
                Transport::Tcp => "-t",
                Transport::Udp => "-u",
                Transport::Sctp => "--sctp-service",
            };
            format!("{option} {}", std::net::SocketAddr::new(*address, *port))
        }
        ServiceKey::Fwmark { mark, .. } => format!("-f {mark}"),
    }
}

/// Of all flags a plan has at most this one.
fn falls_back(service: &Service) -> bool {
    matches!(&*service.scheduler, "sh" | "mh") && service.flags == Service::SCHEDULER_FLAG_1
}

fn options(service: &Service) -> String {
    let mut text = format!("-s {}", service.scheduler);
    if let Some(seconds) = service.persistence {
        text += &format!(" -p {seconds}");
    }
    if falls_back(service) {
        text += &format!(" -b {}-fallback", service.scheduler);
    }
    text
}

fn rule(destination: &Destination) -> String {
    let method = destination.forwarding.option();
    format!(
        "-r {} {method} -w {}",
        endpoint(destination),
        destination.weight
    )
}
