//! What works until the next boot: files and links that a boot follows.

use super::scene::Scene;
use super::{Damage, Effect, Kind, Layer};
use crate::model::Role;
use crate::resource::{File, NetworkFiles, OsFamily, Resource, ServiceManager};
use crate::verify::{CheckId, Subject};

const SYMPTOM: &str = "Everything works; after a restart of the host it no longer does.";

pub(super) const KINDS: &[&Kind] = &[
    &Kind {
        name: "httpd-disabled",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "takes a real server's web server out of the boot",
        symptom: SYMPTOM,
        damage: httpd_disabled,
    },
    &Kind {
        name: "httpd-link-removed",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "removes the link by which a boot starts a real server's web server",
        symptom: SYMPTOM,
        damage: httpd_link_removed,
    },
    &Kind {
        name: "listen-outdated",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "configures a real server's web server for another port, which it reads when it is started next",
        symptom: SYMPTOM,
        damage: listen_outdated,
    },
    &Kind {
        name: "setting-not-saved",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "takes a kernel setting out of its file",
        symptom: SYMPTOM,
        damage: setting_not_saved,
    },
    &Kind {
        name: "setting-overruled",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "adds a later file that sets a kernel setting to something else",
        symptom: SYMPTOM,
        damage: setting_overruled,
    },
    &Kind {
        name: "alias-overruled",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "adds a later file that switches a NAT director's forwarding off by its other name",
        symptom: SYMPTOM,
        damage: alias_overruled,
    },
    &Kind {
        name: "interface-overruled",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "adds a file that undoes a kernel setting on the interface of the real servers' network",
        symptom: SYMPTOM,
        damage: interface_overruled,
    },
    &Kind {
        name: "gateway-not-saved",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "takes the gateway out of a NAT real server's ifcfg file",
        symptom: SYMPTOM,
        damage: gateway_not_saved,
    },
    &Kind {
        name: "vip-not-saved",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "removes the ifcfg file of the VIP's alias",
        symptom: SYMPTOM,
        damage: vip_not_saved,
    },
    &Kind {
        name: "vip-saved-with-wrong-mask",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "writes the network's mask into a real server's ifcfg-lo:0",
        symptom: SYMPTOM,
        damage: vip_saved_with_wrong_mask,
    },
    &Kind {
        name: "onboot-no",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "writes ONBOOT=no into the ifcfg file of the host's own address",
        symptom: SYMPTOM,
        damage: onboot_no,
    },
    &Kind {
        name: "ifcfg-left-over",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "adds an ifcfg file that gives a real server another one's address at the next boot",
        symptom: SYMPTOM,
        damage: ifcfg_left_over,
    },
    &Kind {
        name: "rules-not-saved",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "removes the director's saved IPVS rules",
        symptom: SYMPTOM,
        damage: rules_not_saved,
    },
    &Kind {
        name: "rules-outdated",
        layer: Layer::Boot,
        effect: Effect::UntilReboot,
        what: "takes the last real server out of the director's saved IPVS rules",
        symptom: "Everything works; after a restart one real server is never asked.",
        damage: rules_outdated,
    },
];

fn damage(setting: impl Into<String>, cause: CheckId, inflict: String) -> Damage {
    Damage::new(setting, cause, vec![inflict])
}

/// `sed` on a file of the plan, which puts it back.
fn changed(scene: &Scene<'_>, file: &File, expression: &str) -> Option<Damage> {
    Some(damage(
        file.path.clone(),
        scene.check_of_file(file)?,
        format!("sed -i '{expression}' '{}'", file.path),
    ))
}

fn removed(scene: &Scene<'_>, file: &File) -> Option<Damage> {
    Some(damage(
        file.path.clone(),
        scene.check_of_file(file)?,
        format!("rm '{}'", file.path),
    ))
}

fn httpd_disabled(scene: &Scene<'_>) -> Option<Damage> {
    let service = scene.httpd()?;
    Some(damage(
        format!("{service} is not started at boot"),
        scene.check(Subject::BootService(service.to_owned())),
        scene.disable_command(service),
    ))
}

/// The link of runlevel 2, Debian's default; systemd keeps its own elsewhere.
fn httpd_link_removed(scene: &Scene<'_>) -> Option<Damage> {
    let service = scene.httpd()?;
    scene.only(scene.facts.service_manager == ServiceManager::SysV)?;
    scene.only(scene.facts.family == OsFamily::Debian)?;
    Some(damage(
        format!("the S link of {service} in /etc/rc2.d"),
        scene.check(Subject::BootService(service.to_owned())),
        format!("rm /etc/rc2.d/S[0-9][0-9]{service}"),
    ))
}

/// Another port than 80 has a file of the plan, which counts now.
fn listen_outdated(scene: &Scene<'_>) -> Option<Damage> {
    let service = scene.httpd()?;
    let port = scene.ground.lab.service().port.get();
    scene.only(port == 80)?;
    let file = scene.httpd_ports_file();
    Some(Damage {
        setting: format!("where {service} listens ({file})"),
        cause: scene.check(Subject::BootListens(port)),
        inflict: vec![
            format!("grep -q '^Listen 80$' {file}"),
            format!("sed -i 's/^Listen 80$/Listen 8080/' {file}"),
        ],
        undo: vec![format!("sed -i 's/^Listen 8080$/Listen 80/' {file}")],
        keeps: Vec::new(),
        cuts: None,
    })
}

/// The setting of the host that carries the lab.
fn first_setting<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    scene
        .plan
        .steps
        .iter()
        .find_map(|step| match &step.resource {
            Resource::Sysctl(sysctl) => Some(sysctl.key.as_str()),
            _ => None,
        })
}

fn setting_not_saved(scene: &Scene<'_>) -> Option<Damage> {
    let key = first_setting(scene)?;
    let file = scene.files().find(|file| file.content.contains(key))?;
    changed(scene, file, &format!("/^{}/d", key.replace('.', "[.]")))
}

/// `line` in a file that is read after that of the plan (sysctl --system sorts by name), found as `key`.
fn overruled(scene: &Scene<'_>, key: &str, line: &str) -> Damage {
    const LATER: &str = "/etc/sysctl.d/98-tuning.conf";
    Damage {
        undo: vec![format!("rm -f {LATER}")],
        ..damage(
            format!("{key}, in {LATER}"),
            scene.check(Subject::BootSetting(key.to_string())),
            format!("echo '{line}' > {LATER}"),
        )
    }
}

fn setting_overruled(scene: &Scene<'_>) -> Option<Damage> {
    let key = first_setting(scene)?;
    Some(overruled(scene, key, &format!("{key} = 0")))
}

fn alias_overruled(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_passed_by_replies())?;
    let line = "net.ipv4.conf.all.forwarding = 0";
    Some(overruled(scene, first_setting(scene)?, line))
}

fn interface_overruled(scene: &Scene<'_>) -> Option<Damage> {
    let (name, value) = if scene.is_passed_by_replies() {
        ("forwarding", 0)
    } else {
        scene.only(scene.hides_vip())?;
        ("arp_ignore", 8)
    };
    let interface = scene.own_interface()?.as_str().replace('.', "/");
    let key = format!("net.ipv4.conf.{interface}.{name}");
    Some(overruled(scene, &key, &format!("{key} = {value}")))
}

/// The ifcfg file of the host's own address.
fn own_file<'a>(scene: &Scene<'a>) -> Option<&'a File> {
    scene.file(&format!("/ifcfg-{}", scene.own_interface()?))
}

fn gateway_not_saved(scene: &Scene<'_>) -> Option<Damage> {
    let file = own_file(scene)?;
    scene.only(file.content.contains("\nGATEWAY="))?;
    changed(scene, file, "/^GATEWAY=/d")
}

fn vip_not_saved(scene: &Scene<'_>) -> Option<Damage> {
    let label = scene.vip()?.label.as_deref()?;
    removed(scene, scene.file(&format!("/ifcfg-{label}"))?)
}

fn vip_saved_with_wrong_mask(scene: &Scene<'_>) -> Option<Damage> {
    let file = scene.file("/ifcfg-lo:0")?;
    let mask = scene.ground.lab.service().vip.netmask();
    scene.only(file.content.contains("\nNETMASK=255.255.255.255\n"))?;
    changed(scene, file, &format!("s/^NETMASK=.*/NETMASK={mask}/"))
}

fn onboot_no(scene: &Scene<'_>) -> Option<Damage> {
    let file = own_file(scene)?;
    changed(scene, file, "s/^ONBOOT=.*/ONBOOT=no/")
}

/// The file of an alias that nobody planned. Where the system reads the files by itself, it is not known which.
fn ifcfg_left_over(scene: &Scene<'_>) -> Option<Damage> {
    scene.only(scene.is_real_server() && scene.facts.network_files == NetworkFiles::Agent)?;
    let own = own_file(scene)?;
    let (directory, _) = own.path.rsplit_once('/')?;
    let address = scene.other_server()?.rip;
    let label = format!("{}:9", scene.own_interface()?);
    // The longest that the kernel takes.
    scene.only(label.len() <= 15)?;
    let path = format!("{directory}/ifcfg-{label}");
    Some(Damage {
        undo: vec![format!("rm -f {path}")],
        ..damage(
            path.clone(),
            scene.check(Subject::BootIfcfgFiles),
            format!(
                "printf '%s\\n' DEVICE={label} ONBOOT=yes IPADDR={} PREFIX={} > {path}",
                address.addr(),
                address.prefix_len()
            ),
        )
    })
}

/// The saved rules of the director's plan.
fn rules<'a>(scene: &Scene<'a>) -> Option<&'a File> {
    scene.only(scene.host.is(Role::Director))?;
    scene.files().find(|file| file.content.starts_with("-A "))
}

fn rules_not_saved(scene: &Scene<'_>) -> Option<Damage> {
    removed(scene, rules(scene)?)
}

fn rules_outdated(scene: &Scene<'_>) -> Option<Damage> {
    let file = rules(scene)?;
    scene.only(file.content.lines().count() > 1)?;
    changed(scene, file, "$d")
}
