//! Every planned resource against what was observed of it.

use super::{Draft, Judged};
use crate::model::HostName;
use crate::plan::{HostPlan, Step};
use crate::resource::{Observed, Resource, Service, ServiceState, diff};
use crate::verify::describe;
use crate::verify::graph::Finding;
use crate::verify::identity::{CheckId, Subject};
use crate::verify::ipvs;
use crate::verify::view::{Seen, View};

pub(super) fn check(view: View<'_>, plan: &HostPlan) -> Vec<Finding> {
    plan.steps
        .iter()
        .flat_map(|step| match &step.resource {
            Resource::Service(wanted) => service(view, plan, step, wanted),
            _ => vec![resource(view, plan, step)],
        })
        .collect()
}

fn resource(view: View<'_>, plan: &HostPlan, step: &Step) -> Finding {
    let wanted = &step.resource;
    let expected = describe::expected(wanted);
    let observed = view.observed(&plan.host, &wanted.id());
    let fix = observed
        .as_ref()
        .map_or_else(|_| step.repair(), |seen| repair(plan, step, seen));
    let consequence = match (wanted, &observed) {
        (
            Resource::Ipvs(wanted),
            Ok(Observed::Ipvs {
                status: Some(found),
            }),
        ) => ipvs::consequence(wanted, found),
        _ => None,
    };
    let judged = observed.map(|seen| match diff(wanted, seen) {
        None => Judged::new(true, expected.clone()),
        Some(_) => Judged::new(false, describe::observed(wanted, seen)),
    });
    let mut draft = draft(view, plan, step).expected(expected).fix(fix);
    if let Some(consequence) = consequence {
        draft = draft.why(consequence);
    }
    if read_at_boot(plan, wanted) {
        draft.after_reboot().judged(judged)
    } else {
        draft.judged(judged)
    }
}

/// A service is two things: it runs, and it will run after a boot.
fn service(view: View<'_>, plan: &HostPlan, step: &Step, wanted: &Service) -> Vec<Finding> {
    let host = &plan.host;
    let state = view
        .observed(host, &step.resource.id())
        .map(|observed| match observed {
            Observed::Service { state } => *state,
            _ => None,
        });
    let unmask: Vec<String> = match state {
        Ok(Some(ServiceState { masked: true, .. })) => {
            vec![format!("systemctl unmask {}", wanted.name)]
        }
        _ => Vec::new(),
    };
    let now = describe::service_now(wanted, state.as_ref().ok().copied().flatten());
    let at_boot = describe::service_at_boot(wanted, state.as_ref().ok().copied().flatten());
    let mut findings = vec![
        draft(view, plan, step)
            .expected(describe::expected(&step.resource))
            .fix([unmask.clone(), step.repair()].concat())
            .judged(compared(&now, &state, |state| {
                let observed = Observed::Service { state: Some(state) };
                describe::observed(&step.resource, &observed)
            })),
    ];
    findings.push(
        Draft::new(
            host,
            Subject::BootService(wanted.name.clone()),
            format!("{} {}", wanted.name, describe::enabled(wanted.enabled)),
        )
        .after_reboot()
        .expected(describe::enabled(wanted.enabled))
        .why(format!(
            "What runs now is gone after the next boot unless {} is started by it.",
            wanted.name
        ))
        // The first of the plan's commands is not about the boot.
        .fix(unmask.into_iter().chain(step.repair().into_iter().skip(1)))
        .needs(packages(plan))
        .judged(compared(&at_boot, &state, |state| match state.masked {
            true => "masked, so that nothing starts it".to_owned(),
            false => describe::enabled(state.enabled).to_owned(),
        })),
    );
    findings
}

fn compared(
    wanted: &Service,
    state: &Seen<Option<ServiceState>>,
    words: impl Fn(ServiceState) -> String,
) -> Seen<Judged> {
    let state = *state.as_ref().map_err(Clone::clone)?;
    let same = diff(
        &Resource::Service(wanted.clone()),
        &Observed::Service { state },
    )
    .is_none();
    Ok(Judged::new(
        same,
        state.map_or_else(|| "no such service".to_owned(), words),
    ))
}

fn draft(view: View<'_>, plan: &HostPlan, step: &Step) -> Draft {
    let host = &plan.host;
    let summary = describe::summary(view.lab(), &step.resource);
    Draft::new(host, Subject::of(&step.resource), summary)
        .why(step.why.clone())
        .needs(conditions(plan, &step.resource))
}

/// What a resource cannot be without.
fn conditions(plan: &HostPlan, resource: &Resource) -> Vec<CheckId> {
    match resource {
        Resource::Address(address) => {
            let mut ids = on_interface(plan, address.interface.as_str(), false);
            if address.label.is_some() {
                // An alias in the network of the interface's own address is secondary to it and goes with it.
                let network = address.address.trunc();
                ids.extend(named(&plan.host, plan, |other| {
                    matches!(other, Resource::Address(own)
                        if own.interface == address.interface
                            && own.label.is_none()
                            && own.address.trunc() == network)
                }));
            }
            ids
        }
        Resource::DefaultRoute(route) => on_interface(plan, route.interface.as_str(), true),
        Resource::Service(_) => packages(plan),
        _ => Vec::new(),
    }
}

fn on_interface(plan: &HostPlan, interface: &str, and_addresses: bool) -> Vec<CheckId> {
    named(&plan.host, plan, |resource| match resource {
        Resource::Link(link) => link.interface.as_str() == interface,
        Resource::Address(address) => and_addresses && address.interface.as_str() == interface,
        _ => false,
    })
}

fn packages(plan: &HostPlan) -> Vec<CheckId> {
    named(&plan.host, plan, |resource| {
        matches!(resource, Resource::Package(_))
    })
}

/// The names of the checks of the planned resources that `fits`.
pub(super) fn named(
    host: &HostName,
    plan: &HostPlan,
    fits: impl Fn(&Resource) -> bool,
) -> Vec<CheckId> {
    plan.steps
        .iter()
        .filter(|step| fits(&step.resource))
        .map(|step| CheckId::resource(host, &step.resource))
        .collect()
}

/// Configuration files say what a boot would bring. The web page is served and a program is run as it lies there,
/// and what a service reads when it starts counts now: it may have been started since.
fn read_at_boot(plan: &HostPlan, resource: &Resource) -> bool {
    let Resource::File(file) = resource else {
        return false;
    };
    let program = file.mode & 0o111 != 0;
    !file.path.ends_with(".html") && !program && reader(plan, &file.path).is_none()
}

/// The step of the service that is restarted when this file changes: it is its configuration. A unit's own file is
/// read by the boot.
pub(super) fn reader<'p>(plan: &'p HostPlan, path: &str) -> Option<&'p Step> {
    plan.steps.iter().find(|step| {
        matches!(&step.resource, Resource::Service(service)
            if service.restart_on.iter().any(|other| other == path)
                && !path.ends_with(&format!("/{}.service", service.name)))
    })
}

/// The commands of the plan, preceded by what takes away a wrong value that would stay beside the right one,
/// and followed by what the kernel takes along with it.
fn repair(plan: &HostPlan, step: &Step, observed: &Observed) -> Vec<String> {
    let mut commands = Vec::new();
    match (&step.resource, observed) {
        (Resource::Ipvs(wanted), Observed::Ipvs { status }) => {
            return ipvs::repair(wanted, status.as_ref());
        }
        (Resource::File(wanted), Observed::File { state: Some(state) }) => {
            let same = state.content().as_deref() == Some(wanted.content.as_bytes());
            if (state.uid, state.gid) != (0, 0) {
                commands.push(format!("chown root:root {}", wanted.path));
            }
            if state.mode != wanted.mode & 0o7777 {
                commands.push(format!("chmod {:o} {}", wanted.mode, wanted.path));
            }
            if same {
                if state.read_instead.is_some() {
                    commands.push(format!("touch {}", wanted.path));
                }
                return commands;
            }
        }
        (Resource::Address(_), Observed::Address { occurrences }) => {
            commands.extend(
                occurrences.iter().map(|wrong| {
                    format!("ip address del {} dev {}", wrong.address, wrong.interface)
                }),
            );
        }
        (Resource::DefaultRoute(_), Observed::DefaultRoute { routes }) => {
            // The plan's command replaces one; only others of the best metric would share the traffic with it.
            let best = routes.iter().filter(|route| route.metric == 0);
            commands.extend(best.skip(1).map(|_| "ip route del default".to_owned()));
        }
        _ => {}
    }
    commands.extend(step.repair());
    if let Resource::File(file) = &step.resource {
        // The first of the plan's commands restarts it.
        commands
            .extend(reader(plan, &file.path).and_then(|reader| reader.by_hand.first().cloned()));
    }
    commands.extend(taken_along(plan, &step.resource));
    commands
}

/// What is lost with an address or an interface and has to be set again after it: the other addresses of
/// the same network, which are secondary to the first, and the default route.
fn taken_along(plan: &HostPlan, resource: &Resource) -> Vec<String> {
    let (interface, network) = match resource {
        Resource::Link(link) => (&link.interface, None),
        Resource::Address(address) if address.label.is_none() => {
            (&address.interface, Some(address.address.trunc()))
        }
        _ => return Vec::new(),
    };
    let lost = |other: &Resource| match other {
        Resource::Address(other) => {
            other.interface == *interface
                && other.label.is_some()
                && network == Some(other.address.trunc())
        }
        Resource::DefaultRoute(route) => route.interface == *interface,
        _ => false,
    };
    plan.steps
        .iter()
        .filter(|step| lost(&step.resource))
        .flat_map(|step| &step.by_hand)
        // One that is still there is no mistake.
        .map(|command| command.replacen("ip address add ", "ip address replace ", 1))
        .collect()
}
