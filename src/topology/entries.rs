//! The files as types, filled by `serde_yaml`: this module is its only user.
//!
//! Every value stays text here. `fields` reads it, so that a bad value can be shown at its place.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, MapAccess, Visitor};

use super::error::Mistake;
use super::problem::{Place, Problem, SourceText};

/// A topology file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopologyEntries {
    pub lab: String,
    pub mode: String,
    pub service: ServiceEntries,
    pub client: ClientEntries,
    pub director: DirectorEntries,
    pub real_servers: Named<RealServerEntries>,
    pub firewall: Option<String>,
    pub selinux: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceEntries {
    pub vip: String,
    pub port: Option<String>,
    pub protocol: Option<String>,
    pub scheduler: Option<String>,
    pub persistence: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientEntries {
    pub cip: String,
    pub name: Option<String>,
    pub interface: Option<String>,
    pub ssh: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectorEntries {
    pub dip: String,
    pub name: Option<String>,
    pub interface: Option<String>,
    pub vip_interface: Option<String>,
    pub ssh: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealServerEntries {
    pub rip: String,
    pub weight: Option<String>,
    pub page: Option<String>,
    pub interface: Option<String>,
    pub ssh: Option<String>,
}

/// An inventory file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InventoryEntries {
    pub hosts: Named<MachineEntries>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineEntries {
    pub ssh: String,
    pub identity: Option<String>,
    pub known_hosts: Option<String>,
}

/// A mapping from names to entries that keeps the file's order.
#[derive(Debug)]
pub(super) struct Named<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names to entries")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

/// Reads the file's text into its type.
///
/// `shape` has already refused what it could, so an error here means that the two YAML readers disagree.
pub(super) fn read<T: DeserializeOwned>(source: &SourceText<'_>) -> Result<T, Box<Mistake>> {
    serde_yaml::from_str(source.text).map_err(|error| {
        let problem = Problem::new(format!("this is not YAML: {error}"));
        Box::new(match error.location() {
            Some(at) => source.mistake(
                Place {
                    line: at.line(),
                    column: at.column().saturating_sub(1),
                    length: 1,
                },
                problem,
            ),
            None => source.mistake_of_file(problem),
        })
    })
}
