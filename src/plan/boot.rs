//! What repeats the lab's configuration at boot where the system itself does not.
//!
//! Systems other than RHEL do not read ifcfg files, no system restores IPVS rules without the ipvsadm package
//! (which we do not install), and NetworkManager leaves aliases of `lo` alone. There a small unit runs our
//! agent. Hosts of the sandbox have no systemd; their own boot sequence runs it.

use minijinja::context;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::{PlanError, Step, shell};
use crate::model::Role;
use crate::resource::{NetworkFiles, OsFamily, Resource, Service, ServiceManager};

const NAME: &str = "lvslab-boot";
const PATH: &str = "/etc/systemd/system/lvslab-boot.service";

/// Whether `service` is this unit.
pub(super) fn is_own(service: &Service) -> bool {
    service.name == NAME
}

/// Has systemd read the unit and run it now and at boot.
pub(super) fn enable() -> Vec<String> {
    shell::lines([
        "systemctl daemon-reload".to_owned(),
        format!("systemctl enable --now {NAME}"),
    ])
}

/// Why the host needs the unit, if it does.
fn reason(subject: Subject<'_>) -> Option<&'static str> {
    if subject.system.service_manager != ServiceManager::Systemd {
        return None;
    }
    if subject.system.network_files == NetworkFiles::Agent {
        Some("This system does not read ifcfg files, so the agent brings them up at boot.")
    } else if subject.host.is(Role::Director) {
        Some(
            "Nothing on this system restores IPVS rules at boot as long as the ipvsadm package is not installed, \
             so the agent does.",
        )
    } else if subject.host.is(Role::RealServer) && subject.lab.profile().real_server_vip.is_some() {
        Some("NetworkManager leaves aliases of lo alone, so the agent brings lo:0 up at boot.")
    } else {
        None
    }
}

/// Whether a person would do without the unit, by what the distribution has.
fn distribution_has_it(subject: Subject<'_>) -> bool {
    subject.system.family == OsFamily::Rhel && subject.system.network_files == NetworkFiles::System
}

/// The unit file.
pub(super) fn unit(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let Some(why) = reason(subject) else {
        return Ok(Vec::new());
    };
    let mut step = subject.file(
        Rendered {
            path: PATH.to_owned(),
            template: Template::BOOT_UNIT,
            context: context! {},
            mode: PUBLIC,
            directory: None,
        },
        why,
    )?;
    if distribution_has_it(subject) {
        step.by_hand.clear();
    }
    Ok(vec![step])
}

/// The unit, enabled. It stays active once it has run, so running and enabled can be compared.
pub(super) fn service(subject: Subject<'_>) -> Vec<Step> {
    if reason(subject).is_none() {
        return Vec::new();
    }
    let by_hand = match (
        distribution_has_it(subject),
        subject.host.is(Role::Director),
    ) {
        (true, true) => shell::lines(["systemctl enable ipvsadm"]),
        (true, false) => Vec::new(),
        (false, _) => enable(),
    };
    vec![Step {
        resource: Resource::Service(Service {
            name: NAME.to_owned(),
            running: true,
            enabled: true,
            restart_on: vec![PATH.to_owned()],
        }),
        why: "A unit does nothing at boot until it is enabled.".to_owned(),
        by_hand,
    }]
}
