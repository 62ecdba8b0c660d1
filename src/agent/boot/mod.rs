//! What a host does at boot that its own system does not: bring up `ifcfg-*` files and restore IPVS rules.
//!
//! For hosts whose system reads no ifcfg files (Debian, the sandbox) this is what makes the rendered files
//! the ones that configure them. In: `/etc/sysconfig/network-scripts/ifcfg-*`, then the newer of
//! `/etc/ipvsadm.rules` and `/etc/sysconfig/ipvsadm`. Out: links, addresses, default routes and IPVS
//! services of the network namespace it runs in. What is so already stays; running it again changes nothing.

mod assignments;
mod ifcfg;

use std::fs;
use std::io;

use self::ifcfg::{Ifcfg, is_leftover};
use super::kind::Local;
use super::kind::ipvs::open;
use super::protocol::IfcfgEvidence;
use super::root::Root;
use super::saved_rules;
use super::trial;
use crate::ipvs::{Command, Desired, Others, Removal, reconcile};
use crate::netlink::route::{AddressEntry, DefaultRouteEntry, RouteSocket};

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

/// `RTPROT_STATIC`: set by an administrator (rtnetlink(7)).
const STATIC: u8 = 4;

/// Something that could not be done; the rest was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {cause}")]
pub struct BootProblem {
    /// File that asks for it.
    pub file: String,
    /// Why it could not be done.
    pub cause: String,
}

/// Brings up this host's files, says on standard error what could not be done, and goes on with the rest.
///
/// # Errors
/// When anything could not be done.
pub fn run() -> io::Result<()> {
    let root = Root::machine();
    let mut problems = Vec::new();
    if let Err(error) = trial::after_boot(&mut Local::new(root.clone(), None), &root) {
        problems.push(BootProblem {
            file: root.state().join("trial").display().to_string(),
            cause: error.to_string(),
        });
    }
    problems.extend(bring_up(&root));
    for problem in &problems {
        eprintln!("lvslab boot: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(io::Error::other("one thing could not be brought up")),
        n => Err(io::Error::other(format!(
            "{n} things could not be brought up"
        ))),
    }
}

/// [`run`] on the files below `root`, with the problems for the caller to tell.
pub(super) fn bring_up(root: &Root) -> Vec<BootProblem> {
    let mut boot = Boot {
        problems: Vec::new(),
    };
    let files = boot.files(root);
    if !files.is_empty() {
        match RouteSocket::open() {
            Ok(socket) => boot.network(&socket, &files),
            Err(error) => boot.problem(SCRIPTS, error),
        }
    }
    if let Some(path) = saved_rules::in_force(root) {
        boot.rules(root, path);
    }
    boot.problems
}

/// The files that [`run`] brings up, in its order; those it cannot use are left out.
pub(super) fn interface_files(root: &Root) -> Vec<IfcfgEvidence> {
    let mut boot = Boot {
        problems: Vec::new(),
    };
    let files = boot.files(root).into_iter();
    files
        .map(|(path, file)| IfcfgEvidence {
            path,
            interface: file.interface,
            address: file.address,
            gateway: file.gateway,
        })
        .collect()
}

struct Boot {
    problems: Vec<BootProblem>,
}

impl Boot {
    fn problem(&mut self, file: &str, cause: impl std::fmt::Display) {
        self.problems.push(BootProblem {
            file: file.to_owned(),
            cause: cause.to_string(),
        });
    }

    /// The files to bring up: interfaces before aliases, each by name.
    fn files(&mut self, root: &Root) -> Vec<(String, Ifcfg)> {
        let mut names: Vec<String> = match fs::read_dir(root.join(SCRIPTS)) {
            Ok(entries) => entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.starts_with("ifcfg-") && !is_leftover(name))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                self.problem(SCRIPTS, error);
                Vec::new()
            }
        };
        names.sort();
        let mut files = Vec::new();
        for name in names {
            let path = format!("{SCRIPTS}/{name}");
            let device = name.trim_start_matches("ifcfg-");
            match fs::read_to_string(root.join(&path)) {
                Ok(text) => match Ifcfg::parse(device, &text) {
                    Ok(file) if file.on_boot => files.push((path, file)),
                    Ok(_) => {}
                    Err(error) => self.problem(&path, error),
                },
                Err(error) => self.problem(&path, error),
            }
        }
        files.sort_by_key(|(_, file)| file.label.is_some());
        files
    }

    /// Addresses of all files come before any gateway: a gateway has to be in a network that is up.
    fn network(&mut self, socket: &RouteSocket, files: &[(String, Ifcfg)]) {
        if let Err(error) = loopback_up(socket) {
            self.problem(SCRIPTS, format!("cannot set lo up: {error}"));
        }
        let mut up = Vec::new();
        for (path, file) in files {
            match bring_up_address(socket, file) {
                Ok(index) => up.push((path, file, index)),
                Err(cause) => self.problem(path, cause),
            }
        }
        for (path, file, index) in up {
            if let Some(via) = file.gateway
                && let Err(error) = set_gateway(socket, via, index)
            {
                self.problem(
                    path,
                    format!("cannot add the default route via {via}: {error}"),
                );
            }
        }
    }

    fn rules(&mut self, root: &Root, path: &str) {
        let text = match fs::read_to_string(root.join(path)) {
            Ok(text) => text,
            Err(error) => return self.problem(path, error),
        };
        let commands = match crate::ipvsadm::parse_rules(&text) {
            Ok(commands) => commands,
            Err(error) => return self.problem(path, error),
        };
        let desired = match services(commands) {
            Ok(desired) if desired.is_empty() => return,
            Ok(desired) => desired,
            Err(command) => {
                return self.problem(path, format!("cannot {command} at boot: no saved rule"));
            }
        };
        let result = open().and_then(|client| {
            let table = client.table().map_err(super::kind::ipvs::asked)?;
            client
                .batch(&reconcile(&table, &desired, Others::Keep, Removal::AtOnce))
                .map_err(super::kind::ipvs::asked)
        });
        match result {
            Ok(refused) => {
                for one in refused {
                    self.problem(path, one);
                }
            }
            Err(error) => self.problem(path, error),
        }
    }
}

/// Saved rules create services and add destinations to them; nothing else makes sense at boot.
fn services(commands: Vec<Command>) -> Result<Vec<Desired>, Command> {
    let mut desired: Vec<Desired> = Vec::new();
    for command in commands {
        match command {
            Command::CreateService(service) => desired.push(Desired {
                service,
                destinations: Vec::new(),
            }),
            Command::AddDestination(key, destination) => {
                match desired.iter_mut().find(|d| d.service.key == key) {
                    Some(found) => found.destinations.push(destination),
                    None => return Err(Command::AddDestination(key, destination)),
                }
            }
            other => return Err(other),
        }
    }
    Ok(desired)
}

fn loopback_up(socket: &RouteSocket) -> io::Result<()> {
    match socket.link("lo")? {
        Some(lo) if !lo.up => socket.set_up(lo.index, true),
        _ => Ok(()),
    }
}

/// The interface's index.
fn bring_up_address(socket: &RouteSocket, file: &Ifcfg) -> Result<u32, String> {
    let link = socket
        .link(file.interface.as_str())
        .map_err(|error| format!("cannot ask for {}: {error}", file.interface))?
        .ok_or_else(|| format!("there is no interface {}", file.interface))?;
    if !link.up {
        socket
            .set_up(link.index, true)
            .map_err(|error| format!("cannot set {} up: {error}", file.interface))?;
    }
    let Some(address) = file.address else {
        return Ok(link.index);
    };
    let wanted = AddressEntry {
        index: link.index,
        address,
        label: file
            .label
            .clone()
            .unwrap_or_else(|| file.interface.to_string()),
        broadcast: file.broadcast,
    };
    let there = socket
        .addresses()
        .map_err(|error| format!("cannot ask for addresses: {error}"))?;
    if there.contains(&wanted) {
        return Ok(link.index);
    }
    socket
        .add_address(&wanted)
        .map_err(|error| format!("cannot add {address} to {}: {error}", file.interface))?;
    Ok(link.index)
}

/// In place of the one that the machine's own configuration may have set meanwhile, as `up` did.
fn set_gateway(socket: &RouteSocket, via: std::net::Ipv4Addr, index: u32) -> io::Result<()> {
    let there = socket.default_routes()?;
    if there.iter().any(|r| r.via == Some(via) && r.index == index) {
        return Ok(());
    }
    socket.set_default_route(&DefaultRouteEntry {
        via: Some(via),
        index,
        metric: 0,
        protocol: STATIC,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::test_namespace::in_new_network;

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for (name, text) in files {
            let path = root.join(SCRIPTS).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (directory, root)
    }

    fn shown(socket: &RouteSocket) -> Vec<String> {
        let mut shown: Vec<String> = socket
            .addresses()
            .unwrap()
            .iter()
            .filter(|a| !a.address.addr().is_loopback())
            .map(|a| format!("{} {}", a.label, a.address))
            .collect();
        shown.extend(
            socket
                .default_routes()
                .unwrap()
                .iter()
                .map(|r| format!("default via {}", r.via.unwrap())),
        );
        shown
    }

    #[test]
    fn interfaces_come_up_before_their_aliases_and_gateways_last() {
        in_new_network(
            "agent::boot::tests::interfaces_come_up_before_their_aliases_and_gateways_last",
            || {
                let (_directory, root) = root(&[
                    (
                        "ifcfg-eth0:0",
                        "DEVICE=eth0:0\nIPADDR=192.168.4.15\nPREFIX=24\n",
                    ),
                    (
                        "ifcfg-eth0",
                        "DEVICE=eth0\nIPADDR=192.168.4.5\nPREFIX=24\nGATEWAY=192.168.4.1\n",
                    ),
                    (
                        "ifcfg-lo:0",
                        "DEVICE=lo:0\nIPADDR=192.168.4.16\nNETMASK=255.255.255.255\nBROADCAST=192.168.4.16\n",
                    ),
                    (
                        "ifcfg-eth1",
                        "DEVICE=eth1\nIPADDR=10.0.0.1\nPREFIX=24\nONBOOT=no\n",
                    ),
                    ("ifcfg-eth0.bak", "reboot\n"),
                ]);
                let socket = RouteSocket::open().unwrap();
                let eth0 = socket.add_bridge("eth0").unwrap();
                socket.set_up(eth0, false).unwrap();
                for _ in 0..2 {
                    assert_eq!(bring_up(&root), []);
                    assert!(socket.link("eth0").unwrap().unwrap().up);
                    assert!(socket.link("lo").unwrap().unwrap().up);
                    assert_eq!(
                        shown(&socket),
                        [
                            "lo:0 192.168.4.16/32",
                            "eth0 192.168.4.5/24",
                            "eth0:0 192.168.4.15/24",
                            "default via 192.168.4.1"
                        ]
                    );
                }
            },
        );
    }

    #[test]
    fn the_gateway_comes_in_place_of_the_machine_s_own() {
        in_new_network(
            "agent::boot::tests::the_gateway_comes_in_place_of_the_machine_s_own",
            || {
                let text = "IPADDR=192.168.2.100\nPREFIX=24\nGATEWAY=192.168.2.5\n";
                let (_directory, root) = root(&[("ifcfg-eth0", text)]);
                let socket = RouteSocket::open().unwrap();
                let index = socket.add_bridge("eth0").unwrap();
                let expected = ["eth0 192.168.2.100/24", "default via 192.168.2.5"];
                assert_eq!(bring_up(&root), []);
                assert_eq!(shown(&socket), expected);
                socket
                    .set_default_route(&DefaultRouteEntry {
                        via: Some([192, 168, 2, 1].into()),
                        index,
                        metric: 0,
                        protocol: 3,
                    })
                    .unwrap();
                assert_eq!(shown(&socket)[1], "default via 192.168.2.1");
                assert_eq!(bring_up(&root), []);
                assert_eq!(shown(&socket), expected);
            },
        );
    }

    #[test]
    fn a_bad_file_does_not_keep_the_others_down() {
        in_new_network(
            "agent::boot::tests::a_bad_file_does_not_keep_the_others_down",
            || {
                let (_directory, root) = root(&[
                    (
                        "ifcfg-eth0",
                        "IPADDR=192.168.4.5\nPREFIX=24\nGATEWAY=10.0.0.1\n",
                    ),
                    ("ifcfg-eth1", "IPADDR=192.168.2.5\nPREFIX=24\n"),
                    ("ifcfg-a", "rm -rf /\n"),
                ]);
                let socket = RouteSocket::open().unwrap();
                socket.add_bridge("eth0").unwrap();
                let problems: Vec<String> =
                    bring_up(&root).iter().map(ToString::to_string).collect();
                assert_eq!(problems.len(), 3, "{problems:?}");
                assert_eq!(
                    problems[0],
                    format!("{SCRIPTS}/ifcfg-a: line 1: no assignment")
                );
                assert_eq!(
                    problems[1],
                    format!("{SCRIPTS}/ifcfg-eth1: there is no interface eth1")
                );
                assert!(
                    problems[2].starts_with(&format!(
                        "{SCRIPTS}/ifcfg-eth0: cannot add the default route via 10.0.0.1: "
                    )),
                    "{problems:?}"
                );
                assert_eq!(shown(&socket), ["eth0 192.168.4.5/24"]);
            },
        );
    }

    #[test]
    fn a_host_without_files_has_nothing_to_do() {
        let (_directory, root) = root(&[]);
        assert_eq!(bring_up(&root), []);
    }

    #[test]
    fn saved_rules_become_services_with_their_destinations() {
        let text =
            "-A -t 192.168.4.15:80 -s wrr\n-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g -w 1\n";
        let desired = services(crate::ipvsadm::parse_rules(text).unwrap()).unwrap();
        assert_eq!(desired.len(), 1);
        assert_eq!(desired[0].service.scheduler, "wrr");
        assert_eq!(desired[0].destinations.len(), 1);
        let orphan = crate::ipvsadm::parse_rules("-a -t 192.168.4.15:80 -r 192.168.4.100:80 -g\n");
        assert!(services(orphan.unwrap()).is_err());
    }

    #[test]
    fn rules_that_cannot_be_read_are_named_with_their_line() {
        let (_directory, root) = root(&[]);
        fs::create_dir_all(root.join("/etc")).unwrap();
        fs::write(root.join("/etc/ipvsadm.rules"), "# saved\n-A -t nonsense\n").unwrap();
        let problems = bring_up(&root);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].file, "/etc/ipvsadm.rules");
        assert!(problems[0].cause.starts_with("line 2: "), "{problems:?}");
    }
}
