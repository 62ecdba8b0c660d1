//! What a host does to protect itself and the course turns off: firewalld and SELinux, as far as the lab's
//! policy says so and where they are there at all.

use super::host::Subject;
use super::{Step, shell};
use crate::model::Role;
use crate::resource::{Firewall, Resource, Selinux, SelinuxMode};

/// For the director and the real servers; nothing connects to the client.
pub(super) fn steps(subject: Subject<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    if !subject.host.is(Role::Director) && !subject.host.is(Role::RealServer) {
        return steps;
    }
    let policy = subject.lab.policy();
    if policy.trust_firewall && subject.facts.firewalld {
        steps.push(Step {
            resource: Resource::Firewall(Firewall {
                zone: "trusted".to_owned(),
            }),
            why: "firewalld's default zone rejects web requests and forwarded packets; in the zone `trusted` all \
                  pass."
                .to_owned(),
            by_hand: shell::lines(["firewall-cmd --set-default-zone=trusted"]),
        });
    }
    // Permissive is looked at, too: it may be so only until the next boot.
    let present = matches!(
        subject.facts.selinux,
        Some(SelinuxMode::Enforcing | SelinuxMode::Permissive)
    );
    if policy.permissive_selinux && present {
        steps.push(Step {
            resource: Resource::Selinux(Selinux {
                mode: SelinuxMode::Permissive,
            }),
            why: match subject.host.is(Role::RealServer) {
                true => {
                    "SELinux may keep the web server from its page or port; permissive, it only reports."
                }
                false => {
                    "As on the real servers, SELinux only reports, so that nothing but the lab's own settings \
                     decides what works."
                }
            }
            .to_owned(),
            by_hand: shell::lines([
                "setenforce 0",
                "sed -i '/^SELINUX=/s/enforcing/permissive/' /etc/selinux/config",
            ]),
        });
    }
    steps
}
