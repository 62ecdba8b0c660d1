//! The frames of all hosts as one capture file, one interface per host's interface: `director:eth1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::packet::pcapng::{self, Record};
use crate::verify::Evidence;

/// A pcapng file of everything `evidence` holds, frames by time.
///
/// Hosts on machines of their own have clocks of their own; in the sandbox there is one.
#[must_use]
pub fn pcapng(evidence: &Evidence) -> Vec<u8> {
    let mut interfaces: Vec<String> = Vec::new();
    let mut frames = Vec::new();
    for host in evidence.lab().hosts() {
        let Some(record) = evidence.hosts().get(&host.name) else {
            continue;
        };
        // In the lab's order and with those that saw nothing: that is worth seeing, too.
        let known = record
            .machine
            .iter()
            .flat_map(|machine| machine.interfaces.names());
        let captured = record.captured.iter().flat_map(|captured| &captured.frames);
        for name in known.chain(captured.clone().map(|frame| &frame.interface)) {
            let name = format!("{}:{name}", host.name);
            if !interfaces.contains(&name) {
                interfaces.push(name);
            }
        }
        for frame in captured {
            let name = format!("{}:{}", host.name, frame.interface);
            let place = interfaces.iter().position(|known| *known == name);
            let (Some(place), Ok(bytes)) = (place, BASE64.decode(&frame.data)) else {
                continue;
            };
            frames.push((frame, u32::try_from(place).unwrap_or(u32::MAX), bytes));
        }
    }
    frames.sort_by_key(|(frame, ..)| frame.at);
    pcapng::file(
        &interfaces,
        frames.iter().map(|(frame, interface, bytes)| Record {
            interface: *interface,
            at: frame.at,
            outgoing: frame.outgoing,
            length: frame.length,
            bytes,
        }),
    )
}
