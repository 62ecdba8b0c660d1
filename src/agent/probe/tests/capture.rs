//! Against the kernel, in a network of their own: two hosts at the ends of a veth pair.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use super::*;
use crate::agent::protocol::Ports;
use crate::agent::resource::Local;
use crate::agent::system::root::Root;
use crate::netlink::route::{AddressEntry, RouteSocket};
use crate::netlink::test_namespace::{another_network, in_new_network};
use crate::packet::Flags;

const CLIENT: &str = "192.168.4.10";
const SERVER: &str = "192.168.4.100";

/// A peer in another network namespace, with the address [`SERVER`], while `body` runs as the client on `eth0`.
fn with_peer(test: &str, body: impl FnOnce(&File) + Send + 'static) {
    in_new_network(test, move || {
        let here = RouteSocket::open().unwrap();
        let there = another_network();
        here.add_veth("eth0", "peer", [2, 0, 0, 0, 0, 1], there.as_fd())
            .unwrap();
        let index = |socket: &RouteSocket, name: &str| {
            let links = socket.links().unwrap();
            links.iter().find(|link| link.name == name).unwrap().index
        };
        let plug = |socket: &RouteSocket, name: &str, address: &str| {
            let index = index(socket, name);
            let address = AddressEntry {
                index,
                address: format!("{address}/24").parse().unwrap(),
                label: name.to_owned(),
                broadcast: None,
            };
            socket.add_address(&address).unwrap();
            socket.set_up(index, true).unwrap();
        };
        plug(&here, "eth0", CLIENT);
        inside(&there, || {
            plug(&RouteSocket::open().unwrap(), "peer", SERVER);
        });
        body(&there);
    });
}

/// Runs `body` on a thread of its own in that network.
fn inside<T: Send>(network: &File, body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                setns(network, CloneFlags::CLONE_NEWNET).unwrap();
                body()
            })
            .join()
            .unwrap()
    })
}

fn machine() -> Local {
    Local::new(Root::machine(), None)
}

fn everything() -> CaptureStart {
    CaptureStart {
        interfaces: vec!["eth0".parse().unwrap()],
        client: CLIENT.parse().unwrap(),
        ports: Ports {
            first: 20_000,
            last: 20_003,
        },
        addresses: vec![SERVER.parse().unwrap()],
        seconds: 60,
        most_frames: 100,
    }
}

/// One connection from this local port, a byte there and back.
fn exchange(port: u16, listener: &TcpListener) {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    let local: SocketAddrV4 = format!("{CLIENT}:{port}").parse().unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::from(local)).unwrap();
    let remote: SocketAddrV4 = format!("{SERVER}:80").parse().unwrap();
    connect(fd.as_raw_fd(), &SockaddrIn::from(remote)).unwrap();
    let mut stream = TcpStream::from(fd);
    let (mut other, _) = listener.accept().unwrap();
    stream.write_all(b"?").unwrap();
    other.read_exact(&mut [0]).unwrap();
    other.write_all(b"!").unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

fn decoded(captured: &Captured) -> Vec<(bool, Frame)> {
    let frames = captured.frames.iter();
    frames
        .map(|frame| {
            let bytes = BASE64.decode(&frame.data).unwrap();
            assert_eq!(bytes.len(), frame.length as usize);
            (frame.outgoing, Frame::decode(&bytes).unwrap())
        })
        .collect()
}

#[test]
fn a_marked_connection_is_kept_with_direction_and_time_and_no_other() {
    with_peer(
        "agent::probe::capture::tests::a_marked_connection_is_kept_with_direction_and_time_and_no_other",
        |network| {
            let listener = inside(network, || TcpListener::bind((SERVER, 80)).unwrap());
            let mut machine = machine();
            let began = now();
            let capture = start(&mut machine, &everything()).unwrap();
            exchange(20_004, &listener);
            exchange(20_001, &listener);
            let captured = capture.stop(&mut machine, &CaptureStop::default());
            assert_eq!((captured.missed, captured.failures.len()), (0, 0));
            let frames = decoded(&captured);
            let segments: Vec<_> = frames
                .iter()
                .filter_map(|(outgoing, frame)| match frame.content {
                    Content::Tcp(segment) => Some((*outgoing, segment)),
                    _ => None,
                })
                .collect();
            assert!(segments.iter().all(|(outgoing, segment)| {
                let client = if *outgoing {
                    segment.source
                } else {
                    segment.destination
                };
                client.to_string() == format!("{CLIENT}:20001")
            }));
            let opening: Vec<_> = segments
                .iter()
                .filter(|(_, segment)| segment.flags.has(Flags::SYN))
                .map(|(outgoing, segment)| (*outgoing, segment.flags.to_string()))
                .collect();
            assert_eq!(
                opening,
                [(true, "SYN".to_owned()), (false, "SYN,ACK".to_owned())]
            );
            // The kernel's own question for the server's address is there, too.
            assert!(frames.iter().any(|(outgoing, frame)| !outgoing
                && matches!(frame.content, Content::Arp(arp) if arp.operation == Operation::Reply)));
            assert!(
                captured
                    .frames
                    .iter()
                    .all(|frame| (began..=now()).contains(&frame.at))
            );
        },
    );
}

#[test]
fn who_has_an_address_is_asked_and_the_answer_kept() {
    with_peer(
        "agent::probe::capture::tests::who_has_an_address_is_asked_and_the_answer_kept",
        |network| {
            // A link takes a moment to carry anything; TCP waits for that, ARP requests of our own do not.
            let listener = inside(network, || TcpListener::bind((SERVER, 80)).unwrap());
            exchange(20_000, &listener);
            let mut machine = machine();
            let probe = ArpProbe {
                interface: "eth0".parse().unwrap(),
                sender: CLIENT.parse().unwrap(),
                target: SERVER.parse().unwrap(),
                requests: 2,
                window_milliseconds: 200,
                patience_milliseconds: 0,
            };
            let capture = start(&mut machine, &everything()).unwrap();
            let captured = capture.stop(&mut machine, &CaptureStop { arp: Some(probe) });
            assert_eq!(captured.arp_failure, None);
            let answers: Vec<Mac> = decoded(&captured)
                .iter()
                .filter_map(|(outgoing, frame)| match frame.content {
                    Content::Arp(arp) if arp.operation == Operation::Reply && !outgoing => {
                        Some(arp.sender_mac)
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(answers, [Mac([2, 0, 0, 0, 0, 1]); 2]);
        },
    );
}

#[test]
fn asking_who_has_an_address_leaves_the_neighbour_table_as_it_was() {
    with_peer(
        "agent::probe::capture::tests::asking_who_has_an_address_leaves_the_neighbour_table_as_it_was",
        |network| {
            let listener = inside(network, || TcpListener::bind((SERVER, 80)).unwrap());
            exchange(20_000, &listener);
            let mut machine = machine();
            let socket = RouteSocket::open().unwrap();
            let links = socket.links().unwrap();
            let eth0 = links.iter().find(|link| link.name == "eth0").unwrap().index;
            let address = SERVER.parse().unwrap();
            let believed = [2, 0, 0, 0, 0, 99];
            socket.set_neighbour(eth0, address, &believed).unwrap();
            // Answers are not believed within a second of a change (`locktime`, arp(7)).
            sleep(Duration::from_millis(1200));
            let probe = ArpProbe {
                interface: "eth0".parse().unwrap(),
                sender: CLIENT.parse().unwrap(),
                target: address,
                requests: 1,
                window_milliseconds: 100,
                patience_milliseconds: 0,
            };
            let capture = start(&mut machine, &everything()).unwrap();
            let captured = capture.stop(&mut machine, &CaptureStop { arp: Some(probe) });
            let answered = decoded(&captured).iter().any(|(outgoing, frame)| {
                !outgoing && matches!(frame.content, Content::Arp(arp) if arp.operation == Operation::Reply)
            });
            assert!(answered);
            assert_eq!(
                neighbour(&mut machine, eth0, address),
                Some(believed.to_vec())
            );
        },
    );
}

#[test]
fn what_does_not_fit_is_counted() {
    with_peer(
        "agent::probe::capture::tests::what_does_not_fit_is_counted",
        |network| {
            let listener = inside(network, || TcpListener::bind((SERVER, 80)).unwrap());
            let mut machine = machine();
            let asked = CaptureStart {
                most_frames: 3,
                ..everything()
            };
            let capture = start(&mut machine, &asked).unwrap();
            exchange(20_000, &listener);
            let captured = capture.stop(&mut machine, &CaptureStop::default());
            assert_eq!(captured.frames.len(), 3);
            assert!(captured.missed >= 4, "{}", captured.missed);
        },
    );
}

#[test]
fn an_interface_that_is_not_there_is_told_of_and_one_that_is_down_is_silent() {
    with_peer(
        "agent::probe::capture::tests::an_interface_that_is_not_there_is_told_of_and_one_that_is_down_is_silent",
        |_| {
            let socket = RouteSocket::open().unwrap();
            let links = socket.links().unwrap();
            let eth0 = links.iter().find(|link| link.name == "eth0").unwrap().index;
            socket.set_up(eth0, false).unwrap();
            let mut machine = machine();
            let asked = CaptureStart {
                interfaces: vec!["eth0".parse().unwrap(), "eth7".parse().unwrap()],
                ..everything()
            };
            let capture = start(&mut machine, &asked).unwrap();
            let probe = ArpProbe {
                interface: "eth0".parse().unwrap(),
                sender: CLIENT.parse().unwrap(),
                target: SERVER.parse().unwrap(),
                requests: 1,
                window_milliseconds: 1,
                patience_milliseconds: 0,
            };
            let captured = capture.stop(&mut machine, &CaptureStop { arp: Some(probe) });
            let failures: Vec<_> = captured.failures.values().map(String::as_str).collect();
            assert_eq!(failures, ["there is no interface eth7"]);
            let reason = captured.arp_failure.unwrap();
            assert!(reason.starts_with("cannot send on eth0: "), "{reason}");
        },
    );
}
