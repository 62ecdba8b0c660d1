//! What a host does at boot that its own system does not: bring up `ifcfg-*` files and restore IPVS rules.
//!
//! For hosts whose system reads no ifcfg files (Debian, the sandbox) this is what makes the rendered files
//! the ones that configure them. In: `/etc/sysconfig/network-scripts/ifcfg-*`, then the newer of
//! `/etc/ipvsadm.rules` and `/etc/sysconfig/ipvsadm`. Out: links, addresses, default routes and IPVS
//! services of the network namespace it runs in. What is so already stays; running it again changes nothing.

#[cfg(test)]
#[path = "tests/bring_up.rs"]
mod tests;

use std::io;
use std::net::IpAddr;

use crate::agent::change::trial;
use crate::agent::resource::Local;
use crate::agent::resource::ipvs::open;
use crate::agent::system::boot_files;
use crate::agent::system::root::Root;
use crate::ipvs::{Desired, Others, Removal, reconcile};
use crate::keeper::agent_boot::{self, BroughtUp, Unusable};
use crate::keeper::ifcfg::{Ifcfg, SCRIPTS};
use crate::keeper::{BootFiles, saved_rules};
use crate::netlink::route::{AddressEntry, DefaultRouteEntry, Family, RouteSocket};

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
    let files = boot_files::collect(root, agent_boot::places());
    let interfaces = boot.interfaces(&files);
    if !interfaces.is_empty() {
        match RouteSocket::open() {
            Ok(socket) => boot.network(&socket, &interfaces),
            Err(error) => boot.problem(SCRIPTS, error),
        }
    }
    if let Some(path) = saved_rules::in_force(&files) {
        boot.rules(&files, path);
    }
    boot.problems
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

    fn interfaces(&mut self, files: &BootFiles) -> Vec<BroughtUp> {
        let (brought_up, unusable) = agent_boot::interface_files(files);
        for Unusable { path, cause } in unusable {
            self.problem(&path, cause);
        }
        brought_up
    }

    /// Addresses of all files come before any gateway: a gateway has to be in a network that is up.
    fn network(&mut self, socket: &RouteSocket, files: &[BroughtUp]) {
        if let Err(error) = loopback_up(socket) {
            self.problem(SCRIPTS, format!("cannot set lo up: {error}"));
        }
        let mut up = Vec::new();
        for BroughtUp { path, file } in files {
            match bring_up_address(socket, file) {
                Ok(index) => up.push((path, file, index)),
                Err(cause) => self.problem(path, cause),
            }
        }
        for (path, file, index) in up {
            if let Some(via) = file.gateway
                && let Err(error) = set_gateway(socket, via.into(), index)
            {
                self.problem(
                    path,
                    format!("cannot add the default route via {via}: {error}"),
                );
            }
        }
    }

    fn rules(&mut self, files: &BootFiles, path: &str) {
        for (path, cause) in files.refused(path) {
            self.problem(path, cause);
        }
        let text = files.text(path).unwrap_or_default();
        let desired: Vec<Desired> = match crate::ipvsadm::parse_desired(text) {
            Ok(desired) if desired.is_empty() => return,
            Ok(desired) => desired,
            Err(error) => return self.problem(path, error),
        };
        let result = open().and_then(|client| {
            let table = client
                .table()
                .map_err(crate::agent::resource::ipvs::asked)?;
            client
                .batch(&reconcile(&table, &desired, Others::Keep, Removal::AtOnce))
                .map_err(crate::agent::resource::ipvs::asked)
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
        address: address.into(),
        label: file
            .label
            .clone()
            .unwrap_or_else(|| file.interface.to_string()),
        broadcast: file.broadcast,
    };
    let there = socket
        .addresses()
        .map_err(|error| format!("cannot ask for addresses: {error}"))?;
    // What the machine's own configuration has brought up already, with whatever broadcast address, is there.
    let same = |entry: &AddressEntry| {
        (entry.index, entry.address, &entry.label) == (wanted.index, wanted.address, &wanted.label)
    };
    if there.iter().any(same) {
        return Ok(link.index);
    }
    socket
        .add_address(&wanted)
        .map_err(|error| format!("cannot add {address} to {}: {error}", file.interface))?;
    Ok(link.index)
}

/// In place of the one that the machine's own configuration may have set meanwhile, as `up` did.
fn set_gateway(socket: &RouteSocket, via: IpAddr, index: u32) -> io::Result<()> {
    let family = Family::from(via);
    let there = socket.default_routes(family)?;
    if there.iter().any(|r| r.via == Some(via) && r.index == index) {
        return Ok(());
    }
    socket.set_default_route(&DefaultRouteEntry {
        family,
        via: Some(via),
        index,
        metric: family.default_metric(),
        protocol: STATIC,
    })
}
