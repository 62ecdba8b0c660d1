//! The director's IPVS table.

use std::num::NonZeroU16;

use super::Damage;
use super::planned_host::PlannedHost;
use crate::keeper::Purpose;
use crate::model::{Destination, ForwardingMethod, RealServer, Scheduler};
use crate::sys::on_host;

/// Changes the IPVS table by these ipvsadm command lines. `setting` says what is wrong then.
fn table(host: &PlannedHost<'_>, setting: &str, commands: &[String]) -> Option<Damage> {
    let typed = commands
        .iter()
        // The host may have no ipvsadm of its own.
        .map(|command| format!("{} ipvsadm {command}", on_host::AGENT));
    Some(Damage::new(
        format!("the IPVS table: {setting}"),
        host.check_for(&Purpose::VirtualService)?,
        typed.collect(),
    ))
}

fn service(host: &PlannedHost<'_>) -> String {
    let lab = host.lab();
    format!("-t {}:{}", lab.vip(), lab.service().port)
}

fn server(host: &PlannedHost<'_>, server: &RealServer) -> String {
    format!("-r {}:{}", server.address(), host.lab().service().port)
}

fn right_method(host: &PlannedHost<'_>) -> &'static str {
    host.profile().kernel.option()
}

pub(super) fn service_missing(host: &PlannedHost<'_>) -> Option<Damage> {
    table(host, "the service", &[format!("-D {}", service(host))])
}

pub(super) fn server_missing(host: &PlannedHost<'_>) -> Option<Damage> {
    let gone = host.served()?;
    // Without another real server the whole service would be missed.
    host.only(others_are_served(host, gone))?;
    let delete = format!("-d {} {}", service(host), server(host, gone));
    table(host, gone.host.as_str(), &[delete])
}

fn others_are_served(host: &PlannedHost<'_>, but: &RealServer) -> bool {
    let servers = host.lab().real_servers().iter();
    servers
        .filter(|server| server.host != but.host)
        .any(|server| server.weight > 0)
}

pub(super) fn wrong_server(host: &PlannedHost<'_>) -> Option<Damage> {
    let meant = host.served()?;
    let nobody = host.free_address(meant.rip)?;
    let (service, port) = (service(host), host.lab().service().port);
    table(
        host,
        &format!("{nobody}"),
        &[
            format!("-d {service} {}", server(host, meant)),
            format!(
                "-a {service} -r {nobody}:{port} {} -w {}",
                right_method(host),
                meant.weight
            ),
        ],
    )
}

pub(super) fn wrong_port(host: &PlannedHost<'_>) -> Option<Damage> {
    // Where the destination stays the VIP, so does its port, whatever the table says.
    host.only(host.profile().destination == Destination::RealServer)?;
    let meant = host.served()?;
    let right = host.lab().service().port;
    let wrong = right
        .checked_add(8000)
        .or_else(|| NonZeroU16::new(right.get() - 8000))?;
    let service = service(host);
    table(
        host,
        &format!("the port of {}", meant.host),
        &[
            format!("-d {service} {}", server(host, meant)),
            format!(
                "-a {service} -r {}:{wrong} {} -w {}",
                meant.address(),
                right_method(host),
                meant.weight
            ),
        ],
    )
}

fn edited(host: &PlannedHost<'_>, what: &str, method: &str, weight: u16) -> Option<Damage> {
    let meant = host.served()?;
    let edit = format!(
        "-e {} {} {method} -w {weight}",
        service(host),
        server(host, meant)
    );
    table(host, &format!("{what} of {}", meant.host), &[edit])
}

pub(super) fn wrong_forwarding(host: &PlannedHost<'_>) -> Option<Damage> {
    let method = host.lab().method();
    let other = ForwardingMethod::ALL
        .iter()
        .find(|other| **other != method)?;
    let weight = host.served()?.weight;
    edited(
        host,
        "the forwarding method",
        other.profile().kernel.option(),
        weight,
    )
}

pub(super) fn weight_zero(host: &PlannedHost<'_>) -> Option<Damage> {
    host.only(others_are_served(host, host.served()?))?;
    edited(host, "the weight", right_method(host), 0)
}

pub(super) fn wrong_weight(host: &PlannedHost<'_>) -> Option<Damage> {
    let weight = host.served()?.weight;
    let wrong = weight.checked_mul(3)?.checked_add(1)?;
    edited(host, "the weight", right_method(host), wrong)
}

pub(super) fn wrong_scheduler(host: &PlannedHost<'_>) -> Option<Damage> {
    let wrong = match host.lab().service().scheduler {
        Scheduler::Sh => Scheduler::Rr,
        _ => Scheduler::Sh,
    };
    let edit = format!("-E {} -s {wrong}{}", service(host), persistence(host));
    table(host, "the scheduler", &[edit])
}

fn persistence(host: &PlannedHost<'_>) -> String {
    match host.lab().service().persistence {
        Some(time) => format!(" -p {}", time.as_secs()),
        None => String::new(),
    }
}

pub(super) fn wrong_persistence(host: &PlannedHost<'_>) -> Option<Damage> {
    let virtual_service = host.lab().service();
    let wrong = match virtual_service.persistence {
        Some(_) => "",
        None => " -p 300",
    };
    let fallback = match host.lab().service().fallback() {
        Some(flag) => format!(" -b {flag}"),
        None => String::new(),
    };
    let edit = format!(
        "-E {} -s {}{wrong}{fallback}",
        service(host),
        virtual_service.scheduler
    );
    table(host, "the persistence", &[edit])
}
