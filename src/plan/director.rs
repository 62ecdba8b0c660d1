//! The virtual service on the director: the kernel's IPVS table, and the rules saved for the next boot.

use std::num::NonZeroU32;

use minijinja::context;
use minijinja::value::Value;

use super::host::{Rendered, Subject};
use super::render::Template;
use super::{PlanError, Step};
use crate::ipvs::model::TunnelKind;
use crate::ipvs::{self, ServiceKey, Transport};
use crate::model::{Lab, Protocol, Role};
use crate::resource::{IpvsService, Resource};

/// The programs of the ipvsadm package, where what is installed by hand goes before what packages bring.
const DROP_INS: [(&str, Template); 3] = [
    ("/usr/local/sbin/ipvsadm", Template::DROP_IN),
    ("/usr/local/sbin/ipvsadm-save", Template::SAVE),
    ("/usr/local/sbin/ipvsadm-restore", Template::RESTORE),
];

/// The link to the agent that last applied on a host.
const AGENT: &str = "/var/lib/lvslab/agent";

/// What ipvsadm(8) is given after the scheduler, with a space before it: `-p`, `-b`.
fn options(lab: &Lab) -> String {
    let mut text = String::new();
    if let Some(seconds) = persistence(lab) {
        text += &format!(" -p {seconds}");
    }
    if let Some(flag) = lab.service().fallback() {
        text += &format!(" -b {flag}");
    }
    text
}

fn persistence(lab: &Lab) -> Option<NonZeroU32> {
    let seconds = lab.service().persistence?.as_secs();
    NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// The rules file that boot reads.
pub(super) fn rules(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    if !subject.host.is(Role::Director) {
        return Ok(Vec::new());
    }
    let lab = subject.lab;
    let port = lab.service().port;
    let servers: Vec<Value> = lab
        .real_servers()
        .iter()
        .map(|server| {
            context! {
                address => format!("{}:{port}", server.address()),
                method => lab.profile().kernel.option(),
                weight => server.weight,
            }
        })
        .collect();
    let step = subject.file(
        Rendered {
            path: subject.system.ipvs_rules().to_owned(),
            template: Template::RULES,
            context: context! {
                service => format!("{}:{port}", lab.vip()),
                scheduler => lab.service().scheduler.as_str(),
                options => options(lab),
                servers,
            },
            mode: 0o600,
            directory: None,
        },
        "The kernel forgets its IPVS table at a reboot; it is read again from this file, in the format of \
         ipvsadm-save.",
    )?;
    Ok(vec![step])
}

/// ipvsadm and its two helpers, where the system has none: names for the agent's own.
pub(super) fn drop_in(subject: Subject<'_>) -> Result<Vec<Step>, PlanError> {
    if !subject.host.is(Role::Director) || subject.facts.ipvsadm {
        return Ok(Vec::new());
    }
    DROP_INS
        .into_iter()
        .map(|(path, template)| {
            let mut step = subject.file(
                Rendered {
                    path: path.to_owned(),
                    template,
                    context: context! { agent => AGENT },
                    mode: 0o755,
                    directory: None,
                },
                "The course's commands are typed on the director; where no package brought an ipvsadm, this \
                 one does the same.",
            )?;
            // A person has installed the package.
            step.by_hand.clear();
            Ok(step)
        })
        .collect()
}

/// The virtual service in the kernel.
pub(super) fn table(subject: Subject<'_>) -> Vec<Step> {
    if !subject.host.is(Role::Director) {
        return Vec::new();
    }
    let lab = subject.lab;
    let service = lab.service();
    let Protocol::Tcp = service.protocol;
    let destinations = lab.real_servers().iter().map(|server| ipvs::Destination {
        address: server.address().into(),
        port: service.port.get(),
        forwarding: lab.profile().kernel,
        weight: server.weight.into(),
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: TunnelKind::Ipip,
        tunnel_flags: 0,
    });
    let resource = Resource::Ipvs(IpvsService {
        service: ipvs::Service {
            key: ServiceKey::Address {
                transport: Transport::Tcp,
                address: lab.vip().into(),
                port: service.port.get(),
            },
            scheduler: service.scheduler.as_str().to_owned(),
            flags: if lab.service().fallback().is_some() {
                ipvs::Service::SCHEDULER_FLAG_1
            } else {
                0
            },
            persistence: persistence(lab),
            granularity: None,
            engine: None,
        },
        destinations: destinations.collect(),
    });
    vec![Step {
        resource,
        why: why(lab),
        by_hand: by_hand(subject),
    }]
}

fn why(lab: &Lab) -> String {
    let vip = lab.vip();
    let port = lab.service().port;
    let handing_on = lab.profile().words.handing_on;
    format!(
        "The director takes every connection to {vip}:{port}, chooses a real server and {handing_on}"
    )
}

fn by_hand(subject: Subject<'_>) -> Vec<String> {
    let lab = subject.lab;
    let service = lab.service();
    let address = format!("{}:{}", lab.vip(), service.port);
    let mut lines = subject.system.install("ipvsadm");
    lines.push(format!(
        "ipvsadm -A -t {address} -s {}{}",
        service.scheduler,
        options(lab)
    ));
    lines.extend(lab.real_servers().iter().map(|server| {
        format!(
            "ipvsadm -a -t {address} -r {}:{} {} -w {}",
            server.address(),
            service.port,
            lab.profile().kernel.option(),
            server.weight
        )
    }));
    lines
}
