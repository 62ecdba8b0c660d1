//! Messages that are sent by the hundred thousand, written straight into a buffer.
//!
//! The bytes are the same as those of [`super::request`], and a property test compares the two. The benchmark
//! `ipvs` measures what this saves.

use std::net::IpAddr;

use super::destination::{
    IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_ADDR_FAMILY, IPVS_DEST_ATTR_FWD_METHOD,
    IPVS_DEST_ATTR_L_THRESH, IPVS_DEST_ATTR_PORT, IPVS_DEST_ATTR_TUN_FLAGS,
    IPVS_DEST_ATTR_TUN_PORT, IPVS_DEST_ATTR_TUN_TYPE, IPVS_DEST_ATTR_U_THRESH,
    IPVS_DEST_ATTR_WEIGHT,
};
use super::kernel::{address_family, flags, method, netmask, protocol, tunnel, union_bytes};
use super::message::{CommandNumber, IPVS_CMD_ATTR_DEST, IPVS_CMD_ATTR_SERVICE, IPVS_GENL_VERSION};
use super::service::{
    IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_AF, IPVS_SVC_ATTR_FLAGS, IPVS_SVC_ATTR_FWMARK,
    IPVS_SVC_ATTR_NETMASK, IPVS_SVC_ATTR_PE_NAME, IPVS_SVC_ATTR_PORT, IPVS_SVC_ATTR_PROTOCOL,
    IPVS_SVC_ATTR_SCHED_NAME, IPVS_SVC_ATTR_TIMEOUT,
};
use crate::ipvs::command::Command;
use crate::ipvs::model::{Destination, Family, Service, ServiceKey, Transport, TunnelKind};

/// Appends the message of a command that creates a service or adds a destination. Returns `false`, and
/// appends nothing, for any other.
pub(super) fn direct(command: &Command, out: &mut Vec<u8>) -> bool {
    match command {
        Command::CreateService(service) => {
            header(out, CommandNumber::NEW_SERVICE);
            nest(out, IPVS_CMD_ATTR_SERVICE, |out| {
                whole_service(out, service)
            });
            true
        }
        &Command::AddDestination(
            ServiceKey::Address {
                transport,
                address,
                port,
            },
            ref destination,
        ) if destination.tunnel == TunnelKind::Ipip && destination.tunnel_flags == 0 => {
            let service = AddressService {
                transport,
                address,
                port,
            };
            out.extend_from_slice(&plain_destination(&service, destination));
            true
        }
        Command::AddDestination(key, destination) => {
            header(out, CommandNumber::NEW_DEST);
            nest(out, IPVS_CMD_ATTR_SERVICE, |out| identity(out, *key));
            nest(out, IPVS_CMD_ATTR_DEST, |out| {
                whole_destination(out, destination);
            });
            true
        }
        _ => false,
    }
}

/// Appends the request for a service's destinations.
pub(in crate::ipvs) fn destination_dump(key: ServiceKey, out: &mut Vec<u8>) {
    header(out, CommandNumber::GET_DEST);
    nest(out, IPVS_CMD_ATTR_SERVICE, |out| identity(out, key));
}

/// `NEW_DEST` without its values, for nearly every destination: its service has an address, and it has no
/// tunnel options.
const PLAIN: [u8; 124] = {
    let mut message = [0; 124];
    message[0] = CommandNumber::NEW_DEST.0;
    message[1] = IPVS_GENL_VERSION;
    let attributes = [
        (4, 48, IPVS_CMD_ATTR_SERVICE),
        (8, 6, IPVS_SVC_ATTR_AF),
        (16, 6, IPVS_SVC_ATTR_PROTOCOL),
        (24, 20, IPVS_SVC_ATTR_ADDR),
        (44, 6, IPVS_SVC_ATTR_PORT),
        (52, 72, IPVS_CMD_ATTR_DEST),
        (56, 6, IPVS_DEST_ATTR_ADDR_FAMILY),
        (64, 20, IPVS_DEST_ATTR_ADDR),
        (84, 6, IPVS_DEST_ATTR_PORT),
        (92, 8, IPVS_DEST_ATTR_FWD_METHOD),
        (100, 8, IPVS_DEST_ATTR_WEIGHT),
        (108, 8, IPVS_DEST_ATTR_U_THRESH),
        (116, 8, IPVS_DEST_ATTR_L_THRESH),
    ];
    let mut index = 0;
    while index < attributes.len() {
        let (at, length, kind): (usize, u16, u16) = attributes[index];
        let (length, kind) = (length.to_ne_bytes(), kind.to_ne_bytes());
        message[at] = length[0];
        message[at + 1] = length[1];
        message[at + 2] = kind[0];
        message[at + 3] = kind[1];
        index += 1;
    }
    message
};

/// A service that is found by its address.
struct AddressService {
    transport: Transport,
    address: IpAddr,
    port: u16,
}

fn plain_destination(service: &AddressService, destination: &Destination) -> [u8; 124] {
    let mut message = PLAIN;
    let family = |address| address_family(Family::of(address)).to_ne_bytes();
    message[12..14].copy_from_slice(&family(service.address));
    message[20..22].copy_from_slice(&protocol(service.transport).to_ne_bytes());
    message[28..44].copy_from_slice(&union_bytes(service.address));
    message[48..50].copy_from_slice(&service.port.to_be_bytes());
    message[60..62].copy_from_slice(&family(destination.address));
    message[68..84].copy_from_slice(&union_bytes(destination.address));
    message[88..90].copy_from_slice(&destination.port.to_be_bytes());
    message[96..100].copy_from_slice(&method(destination.forwarding).to_ne_bytes());
    message[104..108].copy_from_slice(&destination.weight.to_ne_bytes());
    message[112..116].copy_from_slice(&destination.upper_threshold.to_ne_bytes());
    message[120..124].copy_from_slice(&destination.lower_threshold.to_ne_bytes());
    message
}

fn header(out: &mut Vec<u8>, command: CommandNumber) {
    out.extend([command.0, IPVS_GENL_VERSION, 0, 0]);
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // A value is a number, an address or a name of at most 16 bytes. Longer names, which the kernel refuses,
    // are cut so that the length fits its field.
    let value = &value[..value.len().min(1024)];
    out.extend((4 + value.len() as u16).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn nest(out: &mut Vec<u8>, kind: u16, inner: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 2]);
    out.extend(kind.to_ne_bytes());
    inner(out);
    let length = (out.len() - start) as u16;
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}

fn name(out: &mut Vec<u8>, kind: u16, text: &str) {
    let mut bytes = [0; 1024];
    let length = text.len().min(bytes.len() - 1);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    attribute(out, kind, &bytes[..=length]);
}

fn identity(out: &mut Vec<u8>, key: ServiceKey) {
    attribute(
        out,
        IPVS_SVC_ATTR_AF,
        &address_family(key.family()).to_ne_bytes(),
    );
    match key {
        ServiceKey::Address {
            transport,
            address,
            port,
        } => {
            attribute(
                out,
                IPVS_SVC_ATTR_PROTOCOL,
                &protocol(transport).to_ne_bytes(),
            );
            attribute(out, IPVS_SVC_ATTR_ADDR, &union_bytes(address));
            attribute(out, IPVS_SVC_ATTR_PORT, &port.to_be_bytes());
        }
        ServiceKey::Fwmark { mark, .. } => {
            attribute(out, IPVS_SVC_ATTR_FWMARK, &mark.get().to_ne_bytes());
        }
    }
}

fn whole_service(out: &mut Vec<u8>, service: &Service) {
    identity(out, service.key);
    name(out, IPVS_SVC_ATTR_SCHED_NAME, &service.scheduler);
    if let Some(engine) = &service.engine {
        name(out, IPVS_SVC_ATTR_PE_NAME, engine);
    }
    let mut bits = [0xff; 8];
    bits[..4].copy_from_slice(&flags(service).to_ne_bytes());
    attribute(out, IPVS_SVC_ATTR_FLAGS, &bits);
    let timeout: u32 = service.persistence.map_or(0, Into::into);
    attribute(out, IPVS_SVC_ATTR_TIMEOUT, &timeout.to_ne_bytes());
    let mask = netmask(service.key.family(), service.granularity);
    attribute(out, IPVS_SVC_ATTR_NETMASK, &mask);
}

fn whole_destination(out: &mut Vec<u8>, destination: &Destination) {
    let family = address_family(Family::of(destination.address));
    attribute(out, IPVS_DEST_ATTR_ADDR_FAMILY, &family.to_ne_bytes());
    attribute(out, IPVS_DEST_ATTR_ADDR, &union_bytes(destination.address));
    attribute(out, IPVS_DEST_ATTR_PORT, &destination.port.to_be_bytes());
    for (kind, number) in [
        (IPVS_DEST_ATTR_FWD_METHOD, method(destination.forwarding)),
        (IPVS_DEST_ATTR_WEIGHT, destination.weight),
        (IPVS_DEST_ATTR_U_THRESH, destination.upper_threshold),
        (IPVS_DEST_ATTR_L_THRESH, destination.lower_threshold),
    ] {
        attribute(out, kind, &number.to_ne_bytes());
    }
    let (kind, port) = tunnel(destination.tunnel);
    if kind != 0 {
        attribute(out, IPVS_DEST_ATTR_TUN_TYPE, &[kind]);
        attribute(out, IPVS_DEST_ATTR_TUN_PORT, &port.to_be_bytes());
    }
    if destination.tunnel_flags != 0 {
        attribute(
            out,
            IPVS_DEST_ATTR_TUN_FLAGS,
            &destination.tunnel_flags.to_ne_bytes(),
        );
    }
}
