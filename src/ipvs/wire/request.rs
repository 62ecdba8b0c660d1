//! From a [`Command`] to the message for the kernel.

use std::net::IpAddr;

use super::daemon::DaemonAttr;
use super::destination::DestinationAttr;
use super::kernel::{address_family, flags, method, netmask, protocol, state, tunnel, union_bytes};
use super::message::{CommandAttr, CommandNumber, IpvsMessage};
use super::service::{ServiceAttr, ServiceFlags};
use crate::ipvs::command::Command;
use crate::ipvs::model::{Daemon, Destination, DestinationKey, Family, Service, ServiceKey};

/// The message of a command.
pub(super) fn request(command: &Command) -> IpvsMessage {
    use CommandAttr::{Daemon as DaemonNest, Destination as DestinationNest, Service as Nest};
    let (command, attributes) = match command {
        Command::CreateService(service) => (
            CommandNumber::NEW_SERVICE,
            vec![Nest(whole_service(service))],
        ),
        Command::EditService(service) => (
            CommandNumber::SET_SERVICE,
            vec![Nest(whole_service(service))],
        ),
        Command::DeleteService(key) => (
            CommandNumber::DEL_SERVICE,
            vec![Nest(service_identity(*key))],
        ),
        Command::AddDestination(key, destination) => (
            CommandNumber::NEW_DEST,
            vec![
                Nest(service_identity(*key)),
                DestinationNest(whole_destination(destination)),
            ],
        ),
        Command::EditDestination(key, destination) => (
            CommandNumber::SET_DEST,
            vec![
                Nest(service_identity(*key)),
                DestinationNest(whole_destination(destination)),
            ],
        ),
        Command::DeleteDestination(key, destination) => (
            CommandNumber::DEL_DEST,
            vec![
                Nest(service_identity(*key)),
                DestinationNest(destination_identity(*destination).to_vec()),
            ],
        ),
        Command::Flush => (CommandNumber::FLUSH, Vec::new()),
        Command::Zero(key) => (
            CommandNumber::ZERO,
            key.iter().map(|key| Nest(service_identity(*key))).collect(),
        ),
        Command::SetTimeouts(timeouts) => (
            CommandNumber::SET_CONFIG,
            vec![
                CommandAttr::TimeoutTcp(timeouts.tcp_seconds),
                CommandAttr::TimeoutTcpFin(timeouts.tcp_fin_seconds),
                CommandAttr::TimeoutUdp(timeouts.udp_seconds),
            ],
        ),
        Command::StartDaemon(daemon) => (
            CommandNumber::NEW_DAEMON,
            vec![DaemonNest(whole_daemon(daemon))],
        ),
        Command::StopDaemon(role) => (
            CommandNumber::DEL_DAEMON,
            vec![DaemonNest(vec![DaemonAttr::State(state(*role))])],
        ),
    };
    IpvsMessage {
        command,
        attributes,
    }
}

/// Asks for one service.
pub(in crate::ipvs) fn service_get(key: ServiceKey) -> IpvsMessage {
    IpvsMessage {
        command: CommandNumber::GET_SERVICE,
        attributes: vec![CommandAttr::Service(service_identity(key))],
    }
}

/// The message of [`destination_dump`](super::destination_dump).
#[cfg(test)]
pub(super) fn destination_get(key: ServiceKey) -> IpvsMessage {
    IpvsMessage {
        command: CommandNumber::GET_DEST,
        attributes: vec![CommandAttr::Service(service_identity(key))],
    }
}

/// Asks for the daemons.
pub(in crate::ipvs) fn daemon_dump() -> IpvsMessage {
    IpvsMessage {
        command: CommandNumber::GET_DAEMON,
        attributes: Vec::new(),
    }
}

fn service_identity(key: ServiceKey) -> Vec<ServiceAttr> {
    // Room for the rest of a whole service.
    let mut attributes = Vec::with_capacity(9);
    attributes.push(ServiceAttr::Family(address_family(key.family())));
    match key {
        ServiceKey::Address {
            transport,
            address,
            port,
        } => attributes.extend([
            ServiceAttr::Protocol(protocol(transport)),
            ServiceAttr::Address(union_bytes(address)),
            ServiceAttr::Port(port),
        ]),
        ServiceKey::Fwmark { mark, .. } => attributes.push(ServiceAttr::Fwmark(mark.get())),
    }
    attributes
}

fn whole_service(service: &Service) -> Vec<ServiceAttr> {
    let flags = flags(service);
    let mut attributes = service_identity(service.key);
    attributes.push(ServiceAttr::Scheduler(service.scheduler.clone()));
    // Only when there is one: SET_SERVICE without it removes the engine.
    attributes.extend(service.engine.clone().map(ServiceAttr::Engine));
    attributes.extend([
        ServiceAttr::Flags(ServiceFlags { flags, mask: !0 }),
        ServiceAttr::Timeout(service.persistence.map_or(0, Into::into)),
        ServiceAttr::Netmask(netmask(service.key.family(), service.granularity)),
    ]);
    attributes
}

fn destination_identity(key: DestinationKey) -> [DestinationAttr; 3] {
    [
        DestinationAttr::AddressFamily(address_family(Family::of(key.address))),
        DestinationAttr::Address(union_bytes(key.address)),
        DestinationAttr::Port(key.port),
    ]
}

fn whole_destination(destination: &Destination) -> Vec<DestinationAttr> {
    let mut attributes = Vec::with_capacity(10);
    attributes.extend(destination_identity(destination.key()));
    attributes.extend([
        DestinationAttr::ForwardingMethod(method(destination.forwarding)),
        DestinationAttr::Weight(destination.weight),
        DestinationAttr::UpperThreshold(destination.upper_threshold),
        DestinationAttr::LowerThreshold(destination.lower_threshold),
    ]);
    let (kind, port) = tunnel(destination.tunnel);
    // Left out when 0, because older kernels do not know these attributes.
    if kind != 0 {
        attributes.push(DestinationAttr::TunnelType(kind));
        attributes.push(DestinationAttr::TunnelPort(port));
    }
    if destination.tunnel_flags != 0 {
        attributes.push(DestinationAttr::TunnelFlags(destination.tunnel_flags));
    }
    attributes
}

fn whole_daemon(daemon: &Daemon) -> Vec<DaemonAttr> {
    let mut attributes = vec![
        DaemonAttr::State(state(daemon.role)),
        DaemonAttr::Interface(daemon.interface.clone()),
        DaemonAttr::SyncId(daemon.sync_id),
    ];
    attributes.extend(
        daemon
            .max_length_bytes
            .map(|length| DaemonAttr::MaxLength(length.get())),
    );
    attributes.extend(daemon.group.map(|group| match group {
        IpAddr::V4(address) => DaemonAttr::Group(address),
        IpAddr::V6(address) => DaemonAttr::Group6(address),
    }));
    attributes.extend(daemon.port.map(|port| DaemonAttr::Port(port.get())));
    attributes.extend(daemon.ttl.map(|ttl| DaemonAttr::Ttl(ttl.get())));
    attributes
}
