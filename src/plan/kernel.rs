//! Kernel settings: live, and in the file that sets them again at boot.

use minijinja::context;
use minijinja::value::Value;

use super::host::{PUBLIC, Rendered, Subject};
use super::render::Template;
use super::{PlanError, Step, shell};
use crate::model::{Mode, Role};
use crate::resource::{Resource, Sysctl};

/// Read late by `sysctl --system` and systemd-sysctl, so that the distribution's own files do not win.
const PATH: &str = "/etc/sysctl.d/90-lvslab.conf";

/// One setting with the reason for it.
#[derive(Debug, Clone, Copy)]
struct Setting {
    key: &'static str,
    value: &'static str,
    why: &'static str,
}

const FORWARDING: [Setting; 1] = [Setting {
    key: "net.ipv4.ip_forward",
    value: "1",
    why: "The director passes packets between its two networks like a router; without forwarding the kernel drops \
          the real servers' answers, which are addressed to the client.",
}];

/// The kernel takes the larger of `all` and the receiving interface (ip-sysctl.rst, `arp_ignore`).
const HIDDEN_VIP: [Setting; 4] = [
    Setting {
        key: "net.ipv4.conf.all.arp_ignore",
        value: "1",
        why: "The real server answers ARP only for addresses of the interface the question came in on, so nobody \
              but the director answers for the VIP.",
    },
    Setting {
        key: "net.ipv4.conf.lo.arp_ignore",
        value: "1",
        why: "The same on lo, where the VIP is; what counts is the larger of `all` and the interface that is asked, \
              so this is for completeness.",
    },
    Setting {
        key: "net.ipv4.conf.all.arp_announce",
        value: "2",
        why: "When the real server itself asks by ARP, it names the address of that interface as the sender, never \
              the VIP, so that no neighbour learns the VIP with the wrong MAC.",
    },
    Setting {
        key: "net.ipv4.conf.lo.arp_announce",
        value: "2",
        why: "The same on lo, where the VIP is; again the larger of `all` and the interface counts.",
    },
];

fn wanted(subject: Subject<'_>) -> (&'static [Setting], &'static str) {
    match (subject.lab.mode(), subject.host.role) {
        (Mode::Nat, Role::Director) => (&FORWARDING, "the director routes between its networks"),
        (Mode::Dr, Role::RealServer) => (&HIDDEN_VIP, "the VIP on lo is hidden from ARP"),
        _ => (&[], ""),
    }
}

/// The file for the next boot.
pub(super) fn file(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    let (settings, purpose) = wanted(subject);
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let settings: Vec<Value> = settings
        .iter()
        .map(|setting| context! { key => setting.key, value => setting.value })
        .collect();
    let step = subject.file(
        Rendered {
            path: PATH.to_owned(),
            template: Template::SYSCTL,
            context: context! { lab => subject.lab.name().as_str(), purpose, settings },
            mode: PUBLIC,
            directory: None,
        },
        "A kernel setting lives until the next boot unless a file sets it again.",
    )?;
    Ok(vec![step])
}

/// The settings, live. In a DR lab they come before the VIP is put on `lo`.
pub(super) fn settings(subject: Subject<'_>) -> Vec<Step> {
    wanted(subject)
        .0
        .iter()
        .map(|setting| Step {
            resource: Resource::Sysctl(Sysctl {
                key: setting.key.to_owned(),
                value: setting.value.to_owned(),
            }),
            why: setting.why.to_owned(),
            by_hand: shell::lines([format!("sysctl -w {}={}", setting.key, setting.value)]),
        })
        .collect()
}
