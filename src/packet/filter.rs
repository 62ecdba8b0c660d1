//! Which frames a capture keeps: a classic BPF program for the kernel, so that nothing else is ever copied.
//!
//! Kept are ARP, and TCP over IPv4 between one client address and any other where the client's port is in a
//! range. IPVS keeps client address and port in every forwarding method, so this finds a connection on both sides
//! of the director.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::{ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTOCOL_TCP};

/// `struct sock_filter`, `linux/filter.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a condition holds.
    pub then: u8,
    /// Instructions to skip when it does not.
    pub otherwise: u8,
    /// Operand.
    pub operand: u32,
}

// `linux/bpf_common.h`, combined as `BPF_CLASS | BPF_SIZE | BPF_MODE`.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
/// `BPF_LD | BPF_H | BPF_IND`: relative to the index register.
const LOAD_HALF_INDEXED: u16 = 0x48;
/// `BPF_LDX | BPF_B | BPF_MSH`: four times the low nibble, the length of an IPv4 header.
const INDEX_HEADER_LENGTH: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Instructions before the two returns at the end.
const BODY: u8 = 18;

/// The program for `client` and its `ports`.
#[must_use]
pub fn connections(client: Ipv4Addr, ports: RangeInclusive<u16>) -> Vec<Instruction> {
    let client = u32::from(client);
    let (first, last) = (u32::from(*ports.start()), u32::from(*ports.end()));
    let mut program = Program::default();
    program.load(LOAD_HALF, 12);
    program.test(JUMP_EQUAL, ETHERTYPE_ARP.into(), Goto::Keep, Goto::Next);
    program.test(JUMP_EQUAL, ETHERTYPE_IPV4.into(), Goto::Next, Goto::Drop);
    program.load(LOAD_BYTE, 23);
    program.test(JUMP_EQUAL, PROTOCOL_TCP.into(), Goto::Next, Goto::Drop);
    program.load(LOAD_HALF, 20);
    program.test(JUMP_SET, 0x1fff, Goto::Drop, Goto::Next);
    program.load(INDEX_HEADER_LENGTH, 14);
    // From the client ...
    program.load(LOAD_WORD, 26);
    program.test(JUMP_EQUAL, client, Goto::Next, Goto::Skip(3));
    program.load(LOAD_HALF_INDEXED, 14);
    program.test(JUMP_AT_LEAST, first, Goto::Next, Goto::Drop);
    program.test(JUMP_GREATER, last, Goto::Drop, Goto::Keep);
    // ... or to it.
    program.load(LOAD_WORD, 30);
    program.test(JUMP_EQUAL, client, Goto::Next, Goto::Drop);
    program.load(LOAD_HALF_INDEXED, 16);
    program.test(JUMP_AT_LEAST, first, Goto::Next, Goto::Drop);
    program.test(JUMP_GREATER, last, Goto::Drop, Goto::Keep);
    program.load(RETURN, 0);
    program.load(RETURN, u32::MAX);
    program.0
}

#[derive(Default)]
struct Program(Vec<Instruction>);

#[derive(Clone, Copy)]
enum Goto {
    Next,
    Skip(u8),
    Drop,
    Keep,
}

impl Program {
    fn load(&mut self, code: u16, operand: u32) {
        self.0.push(Instruction {
            code,
            then: 0,
            otherwise: 0,
            operand,
        });
    }

    fn test(&mut self, code: u16, operand: u32, then: Goto, otherwise: Goto) {
        let next = self.0.len() + 1;
        let skip = |to| match to {
            Goto::Next => 0,
            Goto::Skip(count) => count,
            Goto::Drop => BODY - u8::try_from(next).unwrap_or(BODY),
            Goto::Keep => BODY + 1 - u8::try_from(next).unwrap_or(BODY),
        };
        self.0.push(Instruction {
            code,
            then: skip(then),
            otherwise: skip(otherwise),
            operand,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{Content, Frame, Mac, arp_request, segment};

    /// The kernel's interpreter for the instructions used here: a load beyond the frame's end drops it
    /// (`bpf_prog_run`, `kernel/bpf/core.c`).
    fn run(program: &[Instruction], frame: &[u8]) -> u32 {
        let read = |at: usize, size: usize| -> Option<u32> {
            let bytes = frame.get(at..at + size)?;
            Some(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
        };
        let (mut a, mut x, mut at) = (0, 0, 0);
        loop {
            let Instruction {
                code,
                then,
                otherwise,
                operand,
            } = program[at];
            at += 1;
            let k = operand as usize;
            let loaded = match code {
                LOAD_WORD => read(k, 4),
                LOAD_HALF => read(k, 2),
                LOAD_BYTE => read(k, 1),
                LOAD_HALF_INDEXED => read(k + x, 2),
                INDEX_HEADER_LENGTH => {
                    let Some(byte) = read(k, 1) else { return 0 };
                    x = (byte as usize & 0xf) * 4;
                    continue;
                }
                RETURN => return operand,
                _ => {
                    let holds = match code {
                        JUMP_EQUAL => a == operand,
                        JUMP_GREATER => a > operand,
                        JUMP_AT_LEAST => a >= operand,
                        JUMP_SET => a & operand != 0,
                        other => panic!("{other:#x}"),
                    };
                    at += usize::from(if holds { then } else { otherwise });
                    continue;
                }
            };
            let Some(loaded) = loaded else { return 0 };
            a = loaded;
        }
    }

    fn kept(frame: &[u8]) -> bool {
        run(
            &connections("192.168.4.10".parse().unwrap(), 20_000..=20_007),
            frame,
        ) > 0
    }

    fn tcp(from: &str, to: &str) -> Vec<u8> {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        segment((mac, mac), (from.parse().unwrap(), to.parse().unwrap()), 2)
    }

    #[test]
    fn only_arp_and_the_clients_marked_ports_are_kept() {
        for (from, to, expected) in [
            ("192.168.4.10:20000", "192.168.4.15:80", true),
            ("192.168.4.15:80", "192.168.4.10:20007", true),
            ("192.168.2.100:80", "192.168.4.10:20003", true),
            ("192.168.4.10:19999", "192.168.4.15:80", false),
            ("192.168.4.10:20008", "192.168.4.15:80", false),
            ("192.168.4.15:80", "192.168.4.10:22", false),
            ("192.168.4.11:20000", "192.168.4.15:80", false),
            ("192.168.4.15:20000", "192.168.4.10:80", false),
        ] {
            assert_eq!(kept(&tcp(from, to)), expected, "{from} → {to}");
        }
        let vip = "192.168.4.15".parse().unwrap();
        assert!(kept(&arp_request(Mac([2; 6]), vip, vip)));
        let mut fragment = tcp("192.168.4.10:20000", "192.168.4.15:80");
        fragment[21] = 1;
        assert!(!kept(&fragment));
        let mut udp = tcp("192.168.4.10:20000", "192.168.4.15:80");
        udp[23] = 17;
        assert!(!kept(&udp));
    }

    #[test]
    fn every_jump_stays_inside_the_program() {
        let program = connections(Ipv4Addr::LOCALHOST, 1..=2);
        assert_eq!(program.len(), usize::from(BODY) + 2);
        for (at, instruction) in program.iter().enumerate() {
            let far = usize::from(instruction.then.max(instruction.otherwise));
            assert!(at + 1 + far < program.len() || instruction.code == RETURN);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_kept_of_ipv4_is_decoded_as_tcp_of_the_client(
            mut frame in prop::collection::vec(any::<u8>(), 0..80),
            shape in 0u8..3,
        ) {
            // Random bytes are hardly ever IPv4: most of them are made so.
            if frame.len() > 60 && shape > 0 {
                frame[12..15].copy_from_slice(&[8, 0, 0x45]);
                frame[20..22].copy_from_slice(&[0, 0]);
                frame[23] = 6;
                frame[26..30].copy_from_slice(&[192, 168, 4, 10]);
                frame[34] = 0x4e;
                frame[46] = 0x50;
            }
            if kept(&frame) && frame[12..14] == [8, 0] && frame.len() >= 54 && frame[14] >> 4 == 4
                && frame[14] & 0xf == 5 && frame[46] >> 4 >= 5
            {
                let decoded = Frame::decode(&frame).unwrap();
                let Content::Tcp(segment) = decoded.content else { panic!("{decoded:?}") };
                let client: Ipv4Addr = "192.168.4.10".parse().unwrap();
                let ours = [segment.source, segment.destination]
                    .iter()
                    .any(|end| *end.ip() == client && (20_000..=20_007).contains(&end.port()));
                prop_assert!(ours);
            }
        }
    }
}
