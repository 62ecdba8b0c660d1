//! What the next boot brings: "works now, will not survive a reboot" is a verdict of its own.
//!
//! The keepers predict the state that a boot makes from the files that it reads, whoever wrote them, and the
//! requirements are held against it. Where a file cannot be read as an effect, only the reboot itself tells.

use super::target::{Target, placed};
use super::{Draft, Judged, attached, boot_repair as repair, protection, web};
use crate::keeper::{self, BootFiles};
use crate::model::InterfaceName;
use crate::requirement::{
    self, HostAddress, HostState, Need, Origin, Requirement, Sourced, Verdict, judge,
};
use crate::resource::SelinuxMode;
use crate::verify::graph::Finding;
use crate::verify::identity::Subject;
use crate::verify::view::Seen;
use crate::verify::{describe, ipvs, typed};

pub(super) fn check(target: Target<'_>) -> Vec<Finding> {
    let next = target.view.boot_files(target.name()).map(|files| {
        let keys = requirement::settings_asked(target.required, target.interfaces());
        Next {
            files,
            state: keeper::after_boot(files, &target.system(), &keys),
        }
    });
    let mut findings: Vec<Finding> = target
        .required
        .iter()
        .filter_map(|requirement| Some((requirement, expectation(target, &requirement.need)?)))
        .map(|(requirement, expected)| holds(target, (requirement, expected), &next))
        .collect();
    findings.push(others_addresses(target, &next));
    findings
}

/// A host after its next boot.
pub(super) struct Next<'a> {
    pub(super) files: &'a BootFiles,
    pub(super) state: HostState,
}

/// How a requirement is named as a check.
struct Expectation {
    subject: Subject,
    /// What holds, without "after a reboot".
    summary: String,
    expected: String,
    /// Checks that explain this one.
    needs: Vec<Subject>,
}

/// Nothing of what no file decides, or of what the host does not have.
fn expectation(target: Target<'_>, need: &Need) -> Option<Expectation> {
    let lab = target.lab();
    let on = |network| target.interfaces().get(network);
    let plain = |subject, summary: String, expected: String| Expectation {
        subject,
        summary,
        expected,
        needs: Vec::new(),
    };
    Some(match need {
        Need::Program(_) | Need::Link { .. } => return None,
        Need::OwnAddress(own) => {
            let interface = on(own.network)?;
            let (address, term) = (own.address, describe::term(lab, own.address.addr()));
            plain(
                Subject::BootAddress(placed(interface, address)),
                format!("{interface} has {term}{address}"),
                format!("{address} on {interface}"),
            )
        }
        Need::DirectorVip { network, vip } => {
            let interface = on(*network)?;
            plain(
                Subject::BootVip(vip.addr().into()),
                format!("{interface} has the VIP {vip}"),
                format!("{vip} on {interface}"),
            )
        }
        Need::RealServerVip { vip, device } => plain(
            Subject::BootVip((*vip).into()),
            format!("{device} has the VIP {vip}/32"),
            format!("{vip}/32 on {device}"),
        ),
        Need::HiddenVip { network, .. } => {
            let interface = on(*network)?;
            plain(
                Subject::BootArp(interface.clone()),
                format!("the VIP is hidden from ARP on {interface}"),
                "arp_ignore 1 or 2 and arp_announce 2 take effect".to_owned(),
            )
        }
        Need::ArpAnswers { network } => {
            let interface = on(*network)?;
            plain(
                Subject::BootArp(interface.clone()),
                format!("ARP requests on {interface} are answered"),
                "arp_ignore takes effect as at most 2".to_owned(),
            )
        }
        Need::Forwarding { network, .. } => {
            let interface = on(*network)?;
            plain(
                Subject::BootForwarding(interface.clone()),
                format!("packets arriving on {interface} are forwarded"),
                format!("on for {interface}"),
            )
        }
        Need::Setting(setting) => plain(
            Subject::BootSetting(setting.key.to_owned()),
            format!("{} is {}", setting.key, setting.value),
            setting.value.to_owned(),
        ),
        Need::Way(way) => {
            let interface = on(way.network)?;
            let target_ = format!("{}{}", describe::term(lab, way.to), way.to);
            let own = target.host.on_network(way.network)?.address;
            let (summary, expected) = match way.via {
                Some(via) => (
                    format!(
                        "packets to {target_} go through {}{via}",
                        describe::term(lab, via)
                    ),
                    format!("via {via} dev {interface}"),
                ),
                None => (
                    format!("packets to {target_} go straight to it"),
                    format!("dev {interface}, on the link"),
                ),
            };
            Expectation {
                needs: vec![
                    Subject::BootAddress(placed(interface, own)),
                    Subject::BootVip(lab.vip().into()),
                    Subject::BootOwnAddresses,
                ],
                ..plain(Subject::BootRoute(way.to.into()), summary, expected)
            }
        }
        Need::WebServer(wanted) => {
            let port = wanted.port.get();
            Expectation {
                needs: vec![Subject::Listens(port), Subject::Page],
                ..plain(
                    Subject::BootWebServer(port),
                    format!("the web server runs, listens on tcp {port} and has its page"),
                    format!("started, listens on port {port}, with its page"),
                )
            }
        }
        Need::VirtualService(wanted) => plain(
            Subject::BootVirtualService(wanted.service.key.into()),
            format!("IPVS serves {}", wanted.service.key),
            ipvs::words(wanted),
        ),
        Need::OpenFirewall { zone } if target.facts().firewalld => plain(
            Subject::BootFirewalldZone,
            format!("firewalld's default zone is {zone}"),
            (*zone).to_owned(),
        ),
        Need::Selinux { mode } if protection::is_present(target) => plain(
            Subject::BootSelinux,
            "SELinux does not enforce".to_owned(),
            mode.as_str().to_owned(),
        ),
        Need::OpenFirewall { .. } | Need::Selinux { .. } => return None,
    })
}

fn holds(
    target: Target<'_>,
    (requirement, expectation): (&Requirement, Expectation),
    next: &Seen<Next<'_>>,
) -> Finding {
    let needs = expectation.needs.into_iter();
    let draft = Draft::new(
        target.name(),
        expectation.subject,
        format!("{} after a reboot", expectation.summary),
    )
    .after_reboot()
    .expected(expectation.expected)
    .why(format!(
        "What is set now is gone after the next boot unless the boot sets it again. {}",
        requirement.why
    ))
    .needs(needs.map(|subject| target.id(subject)));
    let next = match next {
        Ok(next) => next,
        Err(gap) => return draft.judged(Err(gap.clone())),
    };
    match judge(requirement, target.interfaces(), &next.state) {
        Verdict::Holds { seen } => draft.judged(Ok(Judged::new(true, seen))),
        Verdict::Unknown { cause, place } => draft.skipped(match place {
            Some(place) => format!("only a reboot tells what {place} does: {cause}"),
            None => format!("only a reboot tells: {cause}"),
        }),
        Verdict::Fails { .. } if is_left_to_the_machine(target, &requirement.need, &next.state) => {
            draft.skipped("only a reboot tells: the machine's own configuration is not read")
        }
        Verdict::Fails { seen, places } => {
            let fix = fix(target, &requirement.need, (next, &places));
            let seen = because(seen, &places);
            draft.fix(fix).judged(Ok(Judged::new(false, seen)))
        }
    }
}

/// `off for eth1, because of /etc/sysctl.d/98-tuning.conf:1`
fn because(seen: String, places: &[Origin]) -> String {
    if places.is_empty() {
        return seen;
    }
    let places = describe::joined(places.iter().map(Origin::to_string), "");
    format!("{seen}, because of {places}")
}

/// Machines that lvslab did not make may configure their own addresses in ways that no keeper reads.
fn is_left_to_the_machine(target: Target<'_>, need: &Need, state: &HostState) -> bool {
    let network = match need {
        Need::OwnAddress(own) => own.network,
        Need::Way(way) => way.network,
        _ => return false,
    };
    let Some(own) = target.host.on_network(network) else {
        return false;
    };
    let mut predicted = state.addresses.iter().flatten();
    target.host.ssh.is_some()
        && !predicted.any(|found| found.value.address.addr() == own.address.addr())
}

fn fix(target: Target<'_>, need: &Need, (next, places): (&Next<'_>, &[Origin])) -> Vec<String> {
    let interface = |network| target.interfaces().get(network);
    match need {
        Need::HiddenVip { network, .. } => {
            let keys = |name| repair::combined(interface(*network), name);
            let ignore = repair::settings(next, &keys("arp_ignore"), &[1, 2]);
            let announce = repair::settings(next, &keys("arp_announce"), &[2]);
            [ignore, announce].concat()
        }
        Need::ArpAnswers { network } => {
            let keys = repair::combined(interface(*network), "arp_ignore");
            repair::settings(next, &keys, &[0, 1, 2])
        }
        Need::Forwarding { network, .. } => repair::forwarding(next, interface(*network)),
        Need::Setting(setting) => repair::append(setting.key, setting.value),
        Need::OwnAddress(_)
        | Need::DirectorVip { .. }
        | Need::RealServerVip { .. }
        | Need::Way(_) => repair::network(target, need, (next, places)),
        Need::VirtualService(_) => repair::saved_rules(target, next),
        Need::WebServer(wanted) => {
            let started = next.state.web.as_ref().is_some_and(|web| web.running);
            if started {
                repair::listen_line(next.files, wanted.port.get())
                    .into_iter()
                    .collect()
            } else {
                let name = target.system().web_server();
                let enable = typed::enable(target.system(), name);
                web::unmask(target).into_iter().chain(enable).collect()
            }
        }
        Need::OpenFirewall { zone } => vec![format!("firewall-cmd --set-default-zone={zone}")],
        Need::Selinux { .. } => vec![format!(
            "sed -i '/^SELINUX=/s/{}/{}/' /etc/selinux/config",
            SelinuxMode::Enforcing.as_str(),
            SelinuxMode::Permissive.as_str()
        )],
        Need::Program(_) | Need::Link { .. } => Vec::new(),
    }
}

/// A file that is left over or was copied from another host brings up what the lab cannot do with.
fn others_addresses(target: Target<'_>, next: &Seen<Next<'_>>) -> Finding {
    let lab = target.lab();
    let wrong: Vec<&Sourced<HostAddress>> = next
        .iter()
        .flat_map(|next| next.state.addresses.iter().flatten())
        .filter(|found| {
            let address = found.value.address.addr();
            attached::is_another_s(target, address) || attached::is_detour(target, address)
        })
        .collect();
    let files = wrong.iter().filter_map(|found| found.origin.as_ref());
    let fix: Vec<String> = files.map(|file| format!("rm {}", file.path)).collect();
    let words = |found: &&Sourced<HostAddress>| {
        let HostAddress { interface, address } = &found.value;
        let term = describe::term(lab, address.addr());
        let seen = format!("{term}{address} on {interface}");
        because(seen, found.origin.as_slice())
    };
    let seen = describe::joined(wrong.iter().map(words), "none");
    Draft::new(
        target.name(),
        Subject::BootOwnAddresses,
        "the next boot brings up no address that the lab cannot do with",
    )
    .after_reboot()
    .expected("none")
    .why("The boot brings up every address that a file names, also one that is left over or was copied from another host.")
    .fix(fix)
    .judged(
        next.as_ref()
            .map(|_| Judged::new(wrong.is_empty(), seen))
            .map_err(Clone::clone),
    )
}

/// The interface's name in a setting; a dot in it is written `/`, as sysctl(8) does.
pub(super) fn setting_of(interface: &InterfaceName, name: &str) -> String {
    format!(
        "net.ipv4.conf.{}.{name}",
        interface.as_str().replace('.', "/")
    )
}
