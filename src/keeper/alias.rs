//! Where the VIP is an alias: its interface, its label and its address.

use ipnet::Ipv4Net;

use super::{Target, WriteError};
use crate::model::InterfaceName;
use crate::requirement::{Need, Requirement};

/// Longest label of an address, `IFNAMSIZ` less its NUL.
const LONGEST_LABEL: usize = 15;

/// The VIP on an interface.
#[derive(Debug)]
pub(super) struct Alias<'a> {
    pub interface: InterfaceName,
    /// `lo:0`
    pub label: String,
    pub address: Ipv4Net,
    pub requirement: &'a Requirement,
}

impl Alias<'_> {
    pub fn is_at_real_server(&self) -> bool {
        matches!(self.requirement.need, Need::RealServerVip { .. })
    }
}

/// The host's aliases. Those of one interface are numbered from 0.
pub(super) fn aliases<'a>(target: Target<'a>) -> Result<Vec<Alias<'a>>, WriteError> {
    let mut found: Vec<Alias<'a>> = Vec::new();
    for requirement in target.requirements {
        let Some((interface, address)) = place(target, &requirement.need)? else {
            continue;
        };
        let number = found
            .iter()
            .filter(|other| other.interface == interface)
            .count();
        let label = format!("{interface}:{number}");
        if label.len() > LONGEST_LABEL {
            return Err(WriteError::AliasTooLong { interface });
        }
        found.push(Alias {
            interface,
            label,
            address,
            requirement,
        });
    }
    Ok(found)
}

fn place(target: Target<'_>, need: &Need) -> Result<Option<(InterfaceName, Ipv4Net)>, WriteError> {
    match need {
        Need::DirectorVip { network, vip } => Ok(target
            .interfaces
            .get(*network)
            .map(|interface| (interface.clone(), *vip))),
        Need::RealServerVip { vip, device } => {
            let mut links = target.facts.links.iter();
            let device = links.find(|link| link.name.as_str() == *device);
            let device = device.ok_or(WriteError::NoLoopback)?;
            Ok(Some((device.name.clone(), Ipv4Net::from(*vip))))
        }
        _ => Ok(None),
    }
}
