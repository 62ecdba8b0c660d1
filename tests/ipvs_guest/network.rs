//! Network namespaces with an IPVS client in each.

use std::fs::File;
use std::os::fd::AsFd;

use lvslab::ipvs::{Client, Table, Timeouts};
use lvslab::netlink::route::{AddressEntry, RouteSocket};
use nix::sched::{CloneFlags, setns, unshare};

/// Moves this thread into a new network namespace with its loopback up: without any address the kernel
/// has no local routing table there and takes every RIP for a broadcast address.
pub fn new_network() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
    let routes = RouteSocket::open().expect("a route socket");
    let lo = routes.link("lo").expect("an answer").expect("a loopback");
    routes.set_up(lo.index, true).expect("lo up");
}

/// Gives the loopback of this thread's network namespace more addresses.
pub fn add_to_loopback(addresses: &[&str]) {
    let routes = RouteSocket::open().expect("a route socket");
    let lo = routes.link("lo").expect("an answer").expect("a loopback");
    for address in addresses {
        routes
            .add_address(&AddressEntry {
                index: lo.index,
                address: address.parse().expect("an address"),
                label: String::new(),
                broadcast: None,
            })
            .expect("an address on lo");
    }
}

/// A network namespace and a client in it.
pub struct Network {
    file: File,
    pub client: Client,
}

impl Network {
    /// A new one, with an interface `eth0` for synchronisation daemons.
    pub fn new() -> Self {
        std::thread::spawn(|| {
            new_network();
            let routes = RouteSocket::open().expect("a route socket");
            routes.add_bridge("eth0").expect("eth0");
            Self {
                file: File::open("/proc/thread-self/ns/net").expect("the namespace's file"),
                client: Client::open().expect("IPVS"),
            }
        })
        .join()
        .expect("a network namespace")
    }

    /// Moves this thread into it.
    pub fn enter(&self) {
        setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET).expect("to enter the network");
    }

    /// Puts everything back as in a new one.
    pub fn clear(&self) {
        self.client.flush().expect("an empty table");
        self.client
            .set_timeouts(Timeouts {
                tcp_seconds: 900,
                tcp_fin_seconds: 120,
                udp_seconds: 300,
            })
            .expect("default timeouts");
        for daemon in self.client.daemons().expect("the daemons") {
            self.client.stop_daemon(daemon.role).expect("no daemon");
        }
    }

    /// The table in an order of its own, without counters that only traffic moves.
    pub fn table(&self) -> Table {
        let mut table = self.client.table().expect("the table");
        table.sort_by_key(|status| status.service.key);
        for status in &mut table {
            status
                .destinations
                .sort_by_key(|status| status.destination.key());
        }
        table
    }
}
