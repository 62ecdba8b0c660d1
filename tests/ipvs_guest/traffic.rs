//! Checks with live connections, all inside one network namespace: clients, director and real servers
//! are addresses of its loopback.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lvslab::ipvs::{
    Client, Command, Desired, Destination, Forwarding, Others, Removal, Service, ServiceKey,
    Transport, TunnelKind,
};

use super::check;
use super::network::add_to_loopback;
use super::tools::{ours, theirs};

pub fn all() {
    check(
        "connections_are_listed_like_the_original_does",
        connection_lists,
    );
    check("requests_get_answers_while_members_come_and_go", requests);
    check(
        "200_downloads_survive_changes_of_weights_and_members",
        downloads,
    );
}

const VIP: &str = "10.9.0.1";

fn vip(port: u16) -> ServiceKey {
    service_key(VIP, port, Transport::Tcp)
}

fn service_key(address: &str, port: u16, transport: Transport) -> ServiceKey {
    ServiceKey::Address {
        transport,
        address: address.parse().unwrap(),
        port,
    }
}

fn real_server(address: &str, port: u16, forwarding: Forwarding, weight: u32) -> Destination {
    Destination {
        address: address.parse().unwrap(),
        port,
        forwarding,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: TunnelKind::Ipip,
        tunnel_flags: 0,
    }
}

/// Addresses of `10.9.1.0/24` and `fd00:9::/64` on the loopback.
fn addresses() {
    add_to_loopback(&["10.9.0.1/32", "10.9.1.1/32", "10.9.1.2/32", "10.9.1.3/32"]);
    add_to_loopback(&["10.9.1.4/32", "10.9.1.5/32"]);
    for address in ["fd00:9::1/128", "fd00:9::11/128"] {
        let done = Process::new("ip")
            .args(["-6", "address", "add", address, "dev", "lo", "nodad"])
            .status()
            .expect("ip(8)");
        assert!(done.success());
    }
}

fn connection_lists() {
    addresses();
    let ipvs = Client::open().unwrap();
    let nat = vip(80);
    let direct = vip(81);
    let persistent = Service {
        persistence: 300.try_into().ok(),
        ..Service::new(vip(82), "rr")
    };
    let nat6 = service_key("fd00:9::1", 80, Transport::Tcp);
    let datagrams = service_key(VIP, 53, Transport::Udp);
    for service in [
        Service::new(nat, "rr"),
        Service::new(direct, "rr"),
        persistent.clone(),
        Service::new(nat6, "rr"),
        Service::new(datagrams, "rr"),
    ] {
        ipvs.create_service(&service).unwrap();
    }
    let masquerade = |address, port| real_server(address, port, Forwarding::Masquerade, 1);
    for (key, destination) in [
        (nat, masquerade("10.9.1.1", 8080)),
        (nat, masquerade("10.9.1.2", 8080)),
        (direct, real_server("10.9.1.1", 81, Forwarding::Route, 1)),
        (persistent.key, masquerade("10.9.1.2", 8080)),
        (nat6, masquerade("fd00:9::11", 8080)),
        (datagrams, masquerade("10.9.1.1", 8053)),
    ] {
        ipvs.add_destination(key, &destination).unwrap();
    }
    let any = |port: u16| (IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let listeners = [
        TcpListener::bind(any(8080)).unwrap(),
        TcpListener::bind(any(81)).unwrap(),
    ];
    let server = UdpSocket::bind(any(8053)).unwrap();
    let mut open = Vec::new();
    for (address, port) in [
        (VIP, 80),
        (VIP, 80),
        (VIP, 81),
        (VIP, 82),
        ("fd00:9::1", 80),
    ] {
        let address: IpAddr = address.parse().unwrap();
        open.push(TcpStream::connect((address, port)).unwrap());
    }
    // Closed on the client's side, so that there are states to see.
    drop(open.pop());
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    client.send_to(b"query", (VIP, 53)).unwrap();
    assert_eq!(server.recv(&mut [0; 16]).unwrap(), 5);

    for line in [
        "-Lnc",
        "-Lc",
        "-Lnc --persistent-conn",
        "-Lc --persistent-conn",
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        // The seconds left tick between two looks.
        let same = (0..50).any(|_| {
            let before = ours(&words, "");
            let original = theirs(&words, "");
            let lines = original.stdout.lines().count();
            assert!(lines >= 2 + 7, "{}", original.stdout);
            before == original || ours(&words, "") == original
        });
        assert!(
            same,
            "{line}\n{}\n{}",
            ours(&words, "").stdout,
            theirs(&words, "").stdout
        );
    }
    // The counters moved: statistics and rates with numbers in them, too.
    for line in [
        "-Ln --stats",
        "-Ln --stats --exact",
        "-Ln --persistent-conn",
        "-Ln",
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let same = (0..20).any(|_| ours(&words, "") == theirs(&words, ""));
        assert!(same, "{line}");
    }
    drop((listeners, open));
}

const DOWNLOADS: usize = 200;
const CHUNKS: usize = 60;
const CHUNK: [u8; 512] = [b'x'; 512];

fn downloads() {
    addresses();
    let ipvs = Client::open().unwrap();
    let service = Service::new(vip(80), "wrr");
    let web = |last: u8, weight| {
        real_server(
            &format!("10.9.1.{last}"),
            8080,
            Forwarding::Masquerade,
            weight,
        )
    };
    let apply = |service: &Service, destinations: Vec<Destination>| {
        let desired = [Desired {
            service: service.clone(),
            destinations,
        }];
        ipvs.apply(&desired, Others::Delete, Removal::WhenIdle)
            .unwrap()
    };
    apply(&service, vec![web(1, 1), web(2, 1), web(3, 1)]);
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || serve(&listener, &stop)
    });
    let running = AtomicUsize::new(DOWNLOADS);
    let started = AtomicUsize::new(0);
    let broken = AtomicUsize::new(0);
    let mut kinds = [0_usize; 4];
    std::thread::scope(|scope| {
        for _ in 0..DOWNLOADS {
            scope.spawn(|| {
                if download(&started).is_none_or(|bytes| bytes != CHUNKS * CHUNK.len()) {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // Changes begin once all of them run.
        for _ in 0..6000 {
            if started.load(Ordering::Relaxed) == DOWNLOADS {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(
            started.load(Ordering::Relaxed),
            DOWNLOADS,
            "running downloads"
        );
        let least = Service::new(vip(80), "wlc");
        let rounds: [(&Service, Vec<Destination>); 4] = [
            (&service, vec![web(1, 5), web(2, 1), web(4, 2)]),
            (&least, vec![web(2, 7), web(4, 1), web(5, 1)]),
            (&service, vec![web(1, 1), web(3, 3), web(5, 9)]),
            (&service, vec![web(1, 1), web(2, 1), web(3, 1)]),
        ];
        for (service, destinations) in rounds.iter().cycle() {
            if running.load(Ordering::Relaxed) == 0 {
                break;
            }
            for command in apply(service, destinations.clone()) {
                kinds[match command {
                    Command::AddDestination(..) => 0,
                    Command::EditDestination(..) => 1,
                    Command::DeleteDestination(..) => 2,
                    Command::EditService(_) => 3,
                    other => panic!("{other}"),
                }] += 1;
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    stop.store(true, Ordering::Relaxed);
    let _ = TcpStream::connect("10.9.1.1:8080");
    server.join().unwrap();
    println!(
        "note while {DOWNLOADS} downloads ran: {} members added, {} changed, {} removed, {} service edits; {} broken",
        kinds[0],
        kinds[1],
        kinds[2],
        kinds[3],
        broken.load(Ordering::Relaxed)
    );
    assert_eq!(broken.load(Ordering::Relaxed), 0);
    assert!(kinds[0] > 0 && kinds[1] > 0 && kinds[3] > 0);
}

/// Fresh connections, one after the other, while real servers come and go and weights change. The
/// scheduler stays: for the moment of its replacement a service has none, and the kernel refuses.
fn requests() {
    addresses();
    let ipvs = Client::open().unwrap();
    let service = Service::new(vip(80), "wrr");
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    let stop = AtomicBool::new(false);
    let web = |last: u8, weight| {
        real_server(
            &format!("10.9.1.{last}"),
            8080,
            Forwarding::Masquerade,
            weight,
        )
    };
    let apply = |destinations: Vec<Destination>| {
        let desired = [Desired {
            service: service.clone(),
            destinations,
        }];
        ipvs.apply(&desired, Others::Delete, Removal::WhenIdle)
            .unwrap()
    };
    apply(vec![web(1, 1), web(2, 1)]);
    let (mut added, mut removed) = (0, 0);
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let _ = stream.unwrap().write_all(b"page");
            }
        });
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut failed = 0;
                    for _ in 0..REQUESTS {
                        failed += usize::from(request().as_deref() != Some(b"page"));
                    }
                    failed
                })
            })
            .collect();
        let rounds = [
            vec![web(1, 5), web(3, 2)],
            vec![web(2, 7), web(3, 1)],
            vec![web(1, 1), web(2, 1), web(4, 9)],
        ];
        for destinations in rounds.iter().cycle() {
            if clients
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished)
            {
                break;
            }
            for command in apply(destinations.clone()) {
                match command {
                    Command::AddDestination(..) => added += 1,
                    Command::DeleteDestination(..) => removed += 1,
                    _ => {}
                }
            }
        }
        let failed: usize = clients.into_iter().map(|one| one.join().unwrap()).sum();
        stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect("10.9.1.1:8080");
        failed
    });
    println!(
        "note while {} requests ran: {added} members added, {removed} removed; {failed} failed",
        4 * REQUESTS
    );
    assert_eq!(failed, 0);
    assert!(added > 0);
}

const REQUESTS: usize = 100;

fn request() -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect((VIP, 80)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Bytes of one download through the VIP; `started` counts its first one.
fn download(started: &AtomicUsize) -> Option<usize> {
    let mut stream = TcpStream::connect((VIP, 80)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    let mut bytes = vec![0];
    let first = stream.read_exact(&mut bytes);
    started.fetch_add(1, Ordering::Relaxed);
    first.ok()?;
    stream.read_to_end(&mut bytes).ok()?;
    Some(bytes.len())
}

fn serve(listener: &TcpListener, stop: &AtomicBool) {
    let mut serving = Vec::new();
    for stream in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Ok(mut stream) = stream else { continue };
        serving.push(std::thread::spawn(move || {
            for _ in 0..CHUNKS {
                if stream.write_all(&CHUNK).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }));
    }
    for thread in serving {
        let _ = thread.join();
    }
}
