//! Inventories: where the hosts of a topology are.
//!
//! ```yaml
//! hosts:
//!   web1: { ssh: root@10.20.0.12:22, identity: keys/lab, known_hosts: keys/known_hosts }
//! ```
//! An inventory may name more hosts than one lab has, so that several labs can share it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Inventory;
use super::destination::destination;
use super::entries::InventoryEntries;
use super::error::{TopologyError, quoted};
use super::fields;
use super::problem::{Mistakes, Problem, SourceText};
use super::read::document;
use super::shape;
use crate::model::{HostName, SshTarget};

/// Where each host of an inventory is.
pub(super) type Machines = BTreeMap<HostName, SshTarget>;

/// Reads an inventory's text.
pub(super) fn read(
    source: &SourceText<'_>,
    inventory: Inventory<'_>,
) -> Result<Machines, TopologyError> {
    let (root, values): (_, InventoryEntries) = document(
        source,
        &shape::INVENTORY,
        "an inventory is `hosts:` and a line `NAME: { ssh: root@ADDRESS }` for each host",
    )?;
    let mut mistakes = Mistakes::new(source);
    let mut machines = Machines::new();
    let nodes = root.get("hosts").map_or(&[][..], |hosts| hosts.entries());
    for ((key, node), (name, entry)) in nodes.iter().zip(values.hosts.0) {
        let place = |key: &str| node.get(key).map_or(node.place, |value| value.place);
        let name = mistakes.take(key.place, fields::host_name(&name));
        let target = mistakes.take(
            place("ssh"),
            destination(&entry.ssh, source.origin(place("ssh"))),
        );
        let mut file = |key: &str, text: Option<String>| {
            let path = file_path(&text?, inventory);
            mistakes.take(place(key), path).map(|path| path.value)
        };
        let identity = file("identity", entry.identity);
        let known_hosts = file("known_hosts", entry.known_hosts);
        if let (Some(name), Some(target)) = (name, target) {
            machines.insert(
                name.value,
                SshTarget {
                    identity,
                    known_hosts,
                    ..target.value
                },
            );
        }
    }
    mistakes.into_result()?;
    Ok(machines)
}

/// A path that ssh_config(5) can hold: `~/` and relative paths are resolved, and ssh has nothing to expand in it.
fn file_path(text: &str, inventory: Inventory<'_>) -> Result<PathBuf, Problem> {
    let problem = |why: &str| Problem::new(format!("path {}: {why}", quoted(text)));
    // ssh_config(5) takes one line in double quotes, and expands `%` and `$` in them.
    if text.is_empty() {
        return Err(problem("it is empty"));
    }
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '"' | '%' | '$'))
    {
        return Err(problem(
            "control characters, `\"`, `%` and `$` have a meaning of their own in ssh_config(5)",
        ));
    }
    if let Some(rest) = text.strip_prefix("~/") {
        return match inventory.home {
            Some(home) => Ok(home.join(rest)),
            None => Err(problem("`~/` needs the variable HOME, which is not set")),
        };
    }
    if text.starts_with('~') {
        return Err(problem("only `~/`, your own home directory, is known"));
    }
    Ok(inventory.directory.join(text))
}
