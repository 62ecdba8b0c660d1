//! The `ifcfg-*` files that nobody planned: a boot brings up every one that is there.

use ipnet::Ipv4Net;

use super::{Draft, Judged, attached};
use crate::agent::protocol::IfcfgEvidence;
use crate::model::{Host, Lab, Role};
use crate::plan::HostPlan;
use crate::resource::Resource;
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::view::View;

/// Not made where the system reads the files by itself, or where they were not asked for.
pub(super) fn check(view: View<'_>, host: &Host, plan: &HostPlan) -> Option<Finding> {
    let lab = view.lab();
    let files = view.before(&host.name).map(|found| &found.ifcfg_files);
    if matches!(files, Ok(None)) {
        return None;
    }
    let wrong: Vec<(&IfcfgEvidence, String)> = files
        .as_ref()
        .ok()
        .into_iter()
        .flat_map(|files| files.iter().flatten())
        .filter(|file| !is_planned(plan, file))
        .filter_map(|file| Some((file, harm(lab, host, plan, file)?)))
        .collect();
    let seen = wrong
        .iter()
        .map(|(file, harm)| format!("{} brings up {harm}", file.path));
    let seen = describe::joined(seen, "none");
    Some(
        Draft::new(
            &host.name,
            Subject::BootIfcfgFiles,
            "no other ifcfg file undoes the lab at the next boot",
        )
        .after_reboot()
        .expected("none")
        .why("The boot brings up every ifcfg file, also one that is left over from before or was copied from another host.")
        .fix(wrong.iter().map(|(file, _)| format!("rm {}", file.path)))
        .judged(files.map(|_| Judged::new(wrong.is_empty(), seen))),
    )
}

/// Planned files are judged by themselves.
fn is_planned(plan: &HostPlan, file: &IfcfgEvidence) -> bool {
    plan.steps
        .iter()
        .any(|step| matches!(&step.resource, Resource::File(planned) if planned.path == file.path))
}

/// What the file brings up that the lab cannot do with.
fn harm(lab: &Lab, host: &Host, plan: &HostPlan, file: &IfcfgEvidence) -> Option<String> {
    if let Some(address) = file
        .address
        .filter(|address| is_harmful(lab, host, (plan, file), *address))
    {
        let term = describe::term(lab, address.addr());
        return Some(format!("{term}{address} on {}", file.interface));
    }
    let planned = plan.steps.iter().find_map(|step| match &step.resource {
        Resource::DefaultRoute(route) => Some(route.via),
        _ => None,
    })?;
    let gateway = file.gateway.filter(|gateway| *gateway != planned)?;
    Some(format!("the default route via {gateway}"))
}

/// Another host's address, the host's own in another place, or one by which answers pass the director by.
fn is_harmful(
    lab: &Lab,
    host: &Host,
    (plan, file): (&HostPlan, &IfcfgEvidence),
    address: Ipv4Net,
) -> bool {
    let mut same = plan.steps.iter().filter_map(|step| match &step.resource {
        Resource::Address(own) if own.address.addr() == address.addr() => Some(own),
        _ => None,
    });
    let elsewhere = same
        .next()
        .is_some_and(|own| (own.address, &own.interface) != (address, &file.interface));
    let translated = lab.profile().replies_pass_director() && host.is(Role::RealServer);
    let detour = translated && lab.cip().trunc().contains(&address.addr());
    elsewhere || detour || attached::is_another_s(lab, plan, address.addr())
}
