//! What would be wrong to do on a host: what would cut the SSH connection, and a lab that would hang in spite of all.

use std::net::{IpAddr, Ipv4Addr};

use super::PlanError;
use crate::keeper::Target;
use crate::model::Lab;
use crate::requirement::{Need, Way};
use crate::resource::RouteState;

/// The ways that lead through the director: it becomes the default gateway.
fn gateways<'a>(target: Target<'a>) -> impl Iterator<Item = (&'a Way, Ipv4Addr)> {
    target.needs().filter_map(|need| match need {
        Need::Way(way) => Some((way, way.via?)),
        _ => None,
    })
}

/// A controller that is reached through the present default route would lose the host.
pub(super) fn refuse_cut(target: Target<'_>) -> Result<(), PlanError> {
    let (Some(controller), Some(present)) = (
        target.facts.controller,
        &target.facts.controller_default_route,
    ) else {
        return Ok(());
    };
    let RouteState { via, interface, .. } = present;
    for (way, gateway) in gateways(target) {
        let there =
            *via == Some(gateway.into()) && target.interfaces.get(way.network) == Some(interface);
        if !controller.is_ipv6() && !there {
            return Err(PlanError::ManagementPath {
                host: target.host.clone(),
                gateway,
                controller,
                present: (*via, interface.clone()),
            });
        }
    }
    Ok(())
}

/// A real server whose answers must pass the director and that is in the client's network answers the client directly,
/// and the client does not know such answers.
pub(super) fn refuse_bypass(lab: &Lab, target: Target<'_>) -> Result<(), PlanError> {
    if gateways(target).next().is_none() {
        return Ok(());
    }
    let client = lab.cip();
    let in_the_way = target
        .facts
        .links
        .iter()
        .filter(|link| link.up && !link.loopback)
        .flat_map(|link| link.addresses.iter().map(move |state| (link, state)))
        .find(|(_, state)| state.address.contains(&IpAddr::V4(client.addr())));
    match in_the_way {
        None => Ok(()),
        Some((link, state)) => Err(PlanError::Bypass {
            host: target.host.clone(),
            interface: link.name.clone(),
            address: state.address,
            client,
            carries_ssh: target.facts.management.as_ref() == Some(&link.name),
        }),
    }
}
