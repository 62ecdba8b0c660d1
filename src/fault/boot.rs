//! Files and links that a boot follows: the lab works until the host is restarted.

use super::Damage;
use super::planned_host::PlannedHost;
use crate::keeper::Purpose;
use crate::resource::{File, NetworkFiles, OsFamily, Resource, ServiceManager};
use crate::verify::{CheckId, Subject};

fn damage(setting: impl Into<String>, cause: CheckId, inflict: String) -> Damage {
    Damage::new(setting, cause, vec![inflict])
}

/// Changes a planned file with `sed`; the plan puts it back.
fn changed(host: &PlannedHost<'_>, file: &File, expression: &str) -> Option<Damage> {
    Some(damage(
        file.path.clone(),
        host.check_of_file(file)?,
        format!("sed -i '{expression}' '{}'", file.path),
    ))
}

fn removed(host: &PlannedHost<'_>, file: &File) -> Option<Damage> {
    Some(damage(
        file.path.clone(),
        host.check_of_file(file)?,
        format!("rm '{}'", file.path),
    ))
}

pub(super) fn httpd_disabled(host: &PlannedHost<'_>) -> Option<Damage> {
    let service = host.httpd()?;
    Some(damage(
        format!("{service} is not started at boot"),
        host.check(Subject::BootWebServer(host.lab().service().port.get())),
        host.disable_command(service),
    ))
}

/// The link of runlevel 2, Debian's default. systemd has links of its own elsewhere.
pub(super) fn httpd_link_removed(host: &PlannedHost<'_>) -> Option<Damage> {
    let service = host.httpd()?;
    host.only(host.facts.service_manager == ServiceManager::SysV)?;
    host.only(host.facts.family == OsFamily::Debian)?;
    Some(damage(
        format!("the S link of {service} in /etc/rc2.d"),
        host.check(Subject::BootWebServer(host.lab().service().port.get())),
        format!("rm /etc/rc2.d/S[0-9][0-9]{service}"),
    ))
}

/// Only for port 80: any other port stands in a planned file, which is judged as it is now.
pub(super) fn listen_outdated(host: &PlannedHost<'_>) -> Option<Damage> {
    let service = host.httpd()?;
    let port = host.lab().service().port.get();
    host.only(port == 80)?;
    let file = host.httpd_ports_file();
    Some(Damage {
        undo: vec![format!("sed -i 's/^Listen 8080$/Listen 80/' {file}")],
        ..Damage::new(
            format!("where {service} listens ({file})"),
            host.check(Subject::BootWebServer(port)),
            vec![
                format!("grep -q '^Listen 80$' {file}"),
                format!("sed -i 's/^Listen 80$/Listen 8080/' {file}"),
            ],
        )
    })
}

/// The first planned setting of the host, which the lab depends on most.
fn first_setting<'a>(host: &PlannedHost<'a>) -> Option<&'a str> {
    match &host.step(|purpose| *purpose == Purpose::Setting)?.resource {
        Resource::Sysctl(sysctl) => Some(&sysctl.key),
        _ => None,
    }
}

pub(super) fn setting_not_saved(host: &PlannedHost<'_>) -> Option<Damage> {
    let key = first_setting(host)?;
    let file = host.file(|purpose| *purpose == Purpose::SettingsFile)?;
    changed(host, file, &format!("/^{}/d", key.replace('.', "[.]")))
}

/// Puts `line` into a file that is read after the planned one (sysctl --system sorts by name).
fn overruled(host: &PlannedHost<'_>, key: &str, line: &str) -> Option<Damage> {
    const LATER: &str = "/etc/sysctl.d/98-tuning.conf";
    Some(Damage {
        undo: vec![format!("rm -f {LATER}")],
        ..damage(
            format!("{key}, in {LATER}"),
            host.check(host.effect_of_saved_settings()?),
            format!("echo '{line}' > {LATER}"),
        )
    })
}

pub(super) fn setting_overruled(host: &PlannedHost<'_>) -> Option<Damage> {
    let key = first_setting(host)?;
    overruled(host, key, &format!("{key} = 0"))
}

pub(super) fn alias_overruled(host: &PlannedHost<'_>) -> Option<Damage> {
    let line = "net.ipv4.conf.all.forwarding = 0";
    overruled(host, first_setting(host)?, line)
}

pub(super) fn interface_overruled(host: &PlannedHost<'_>) -> Option<Damage> {
    let (name, value) = if host.is_passed_by_replies() {
        ("forwarding", 0)
    } else {
        host.only(host.hides_vip())?;
        ("arp_ignore", 8)
    };
    let interface = host.own_interface()?.as_str().replace('.', "/");
    let key = format!("net.ipv4.conf.{interface}.{name}");
    overruled(host, &key, &format!("{key} = {value}"))
}

/// The ifcfg file of the host's own address.
fn own_file<'a>(host: &PlannedHost<'a>) -> Option<&'a File> {
    let own = host.own_interface()?;
    host.file(
        |purpose| matches!(purpose, Purpose::NetworkFile { interface, .. } if *interface == *own),
    )
}

/// The file of the VIP's alias.
fn alias_file<'a>(host: &PlannedHost<'a>) -> Option<&'a File> {
    host.file(|purpose| matches!(purpose, Purpose::AliasFile { .. }))
}

pub(super) fn gateway_not_saved(host: &PlannedHost<'_>) -> Option<Damage> {
    let file = host.file(
        |purpose| matches!(purpose, Purpose::NetworkFile { gateway, .. } if gateway.is_some()),
    )?;
    let client = host.lab().cip().addr();
    Some(Damage {
        cause: host.check(Subject::BootRoute(client.into())),
        ..changed(host, file, "/^GATEWAY=/d")?
    })
}

pub(super) fn vip_not_saved(host: &PlannedHost<'_>) -> Option<Damage> {
    removed(host, alias_file(host)?)
}

pub(super) fn vip_saved_with_wrong_mask(host: &PlannedHost<'_>) -> Option<Damage> {
    let file = alias_file(host)?;
    let wrong = host.lab().service().vip;
    host.only(host.vip()?.address != wrong.into())?;
    let mask = wrong.netmask();
    changed(host, file, &format!("s/^NETMASK=.*/NETMASK={mask}/"))
}

pub(super) fn onboot_no(host: &PlannedHost<'_>) -> Option<Damage> {
    let file = own_file(host)?;
    changed(host, file, "s/^ONBOOT=.*/ONBOOT=no/")
}

/// The file of an alias that is not planned. Only for hosts where our agent reads the files: of other readers it is
/// not known which files they take.
pub(super) fn ifcfg_left_over(host: &PlannedHost<'_>) -> Option<Damage> {
    host.only(host.facts.network_files == NetworkFiles::Agent)?;
    let own = own_file(host)?;
    let (directory, _) = own.path.rsplit_once('/')?;
    let address = host.other_server()?.rip;
    let label = format!("{}:9", host.own_interface()?);
    // The kernel takes no longer label (IFNAMSIZ).
    host.only(label.len() <= 15)?;
    let path = format!("{directory}/ifcfg-{label}");
    Some(Damage {
        undo: vec![format!("rm -f {path}")],
        ..damage(
            path.clone(),
            host.check(Subject::BootOwnAddresses),
            format!(
                "printf '%s\\n' DEVICE={label} ONBOOT=yes IPADDR={} PREFIX={} > {path}",
                address.addr(),
                address.prefix_len()
            ),
        )
    })
}

/// The director's planned file of saved rules.
fn rules<'a>(host: &PlannedHost<'a>) -> Option<&'a File> {
    host.file(|purpose| *purpose == Purpose::SavedRules)
}

pub(super) fn rules_not_saved(host: &PlannedHost<'_>) -> Option<Damage> {
    removed(host, rules(host)?)
}

pub(super) fn rules_outdated(host: &PlannedHost<'_>) -> Option<Damage> {
    let file = rules(host)?;
    host.only(file.content.lines().count() > 1)?;
    changed(host, file, "$d")
}
