//! What to type so that the next boot brings what the lab needs, in terms of the files that are there.

use ipnet::Ipv4Net;

use super::boot::{Next, setting_of};
use super::listener;
use super::target::Target;
use crate::keeper::ifcfg::SCRIPTS;
use crate::keeper::sysctl_files::{self, SettingLine};
use crate::keeper::{BootFiles, agent_boot, listen_lines};
use crate::model::InterfaceName;
use crate::requirement::{Need, Origin};
use crate::resource::{NetworkFiles, ServiceManager};
use crate::verify::typed;

/// Where a setting is put that no file names yet. Files that sort after it are named where they undo it.
const SETTINGS: &str = "/etc/sysctl.d/90-lvs.conf";

/// The two names whose larger value takes effect on an interface.
pub(super) fn combined(interface: Option<&InterfaceName>, name: &str) -> Vec<String> {
    let all = format!("net.ipv4.conf.all.{name}");
    let own = interface.map(|interface| setting_of(interface, name));
    std::iter::once(all).chain(own).collect()
}

/// Takes out what makes one of `keys` too large, and sets the first of them where none is large enough then.
pub(super) fn settings(next: &Next<'_>, keys: &[String], allowed: &[i64]) -> Vec<String> {
    let (least, most) = (
        allowed.iter().copied().min().unwrap_or(0),
        allowed.iter().copied().max().unwrap_or(0),
    );
    let mut lines = sysctl_files::settings(next.files);
    let mut commands = Vec::new();
    let mut largest = 0;
    for key in keys {
        commands.extend(take_out(&mut lines, key, |value| value > most));
        largest = largest.max(deciding(&lines, key).unwrap_or(0));
    }
    if largest < least
        && let Some(key) = keys.first()
    {
        // A line that says less would come after the new one.
        commands.extend(take_out(&mut lines, key, |value| value < least));
        if deciding(&lines, key).is_none_or(|value| value < least) {
            commands.extend(append(key, &least.to_string()));
        }
    }
    commands
}

/// Forwarding on an interface, which `ip_forward` sets for all of them.
pub(super) fn forwarding(next: &Next<'_>, interface: Option<&InterfaceName>) -> Vec<String> {
    const ALL: &str = "net.ipv4.ip_forward";
    let key = interface.map_or_else(
        || ALL.to_owned(),
        |interface| setting_of(interface, "forwarding"),
    );
    let mut lines = sysctl_files::settings(next.files);
    let mut commands = take_out(&mut lines, &key, |value| value == 0);
    if deciding(&lines, &key).is_none() {
        commands.extend(append(ALL, "1"));
    }
    commands
}

fn deciding(lines: &[SettingLine], key: &str) -> Option<i64> {
    let line = sysctl_files::deciding(lines, key)?;
    line.value.as_ref()?.trim().parse().ok()
}

/// Deletes the lines that decide `key` as long as their value is `wrong`.
fn take_out(lines: &mut Vec<SettingLine>, key: &str, wrong: impl Fn(i64) -> bool) -> Vec<String> {
    let mut commands = Vec::new();
    while deciding(lines, key).is_some_and(&wrong) {
        let Some(line) = sysctl_files::deciding(lines, key).cloned() else {
            break;
        };
        commands.push(delete_line(&line));
        lines.retain(|other| other.key != line.key || other.origin.path != line.origin.path);
    }
    commands
}

/// In either spelling that sysctl.conf(5) knows.
fn delete_line(line: &SettingLine) -> String {
    let pattern: String = line
        .key
        .chars()
        .map(|c| match c {
            '.' | '/' => "[./]".to_owned(),
            '*' => "[*]".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!(
        "sed -i '\\|^[[:space:]]*-\\?{pattern}[[:space:]]*=|d' {}",
        line.origin.path
    )
}

/// Adds a setting to a file.
pub(super) fn append(key: &str, value: &str) -> Vec<String> {
    vec![format!("echo '{key} = {value}' >> {SETTINGS}")]
}

/// Writes the ifcfg file of an address or gateway anew, and removes others that contradict it. Where the file says the
/// right thing already, the unit that reads it is started at boot.
pub(super) fn network(
    target: Target<'_>,
    need: &Need,
    (next, places): (&Next<'_>, &[Origin]),
) -> Vec<String> {
    if needs_agent(target, need)
        && let Some(enable) = enable_agent(target, next.files)
    {
        return vec![enable];
    }
    let Some(file) = File::of(target, need) else {
        return Vec::new();
    };
    let own = format!("{SCRIPTS}/ifcfg-{}", file.device);
    let mut commands: Vec<String> = places
        .iter()
        .filter(|place| place.path != own)
        .map(|place| format!("rm {}", place.path))
        .collect();
    let only_others = !commands.is_empty() && next.files.get(&own).is_some();
    if !only_others {
        let no_directory = target.system().network_files == NetworkFiles::Agent
            && next.files.in_directory(SCRIPTS).next().is_none();
        commands.extend(no_directory.then(|| format!("mkdir -p {SCRIPTS}")));
        commands.push(format!("printf '%s\\n' {} > {own}", file.assignments()));
    }
    commands
}

/// Whether the system leaves the file to our agent: one that reads no ifcfg files, or NetworkManager for an alias of lo.
fn needs_agent(target: Target<'_>, need: &Need) -> bool {
    match target.system().network_files {
        NetworkFiles::Agent => true,
        NetworkFiles::System => {
            target.system().network_manager && matches!(need, Need::RealServerVip { .. })
        }
    }
}

/// What an ifcfg file has to say.
struct File {
    /// `eth0`, or the alias `lo:0`.
    device: String,
    address: Ipv4Net,
    gateway: Option<std::net::Ipv4Addr>,
}

impl File {
    fn of(target: Target<'_>, need: &Need) -> Option<Self> {
        let on = |network| target.interfaces().get(network);
        let alias = |device: &str, address| Self {
            device: format!("{device}:0"),
            address,
            gateway: None,
        };
        let network = match need {
            Need::OwnAddress(own) => own.network,
            Need::Way(way) => way.network,
            Need::DirectorVip { network, vip } => return Some(alias(on(*network)?.as_str(), *vip)),
            Need::RealServerVip { vip, device } => return Some(alias(device, (*vip).into())),
            _ => return None,
        };
        let mut ways = crate::verify::probes::ways(target.required);
        let gateway = ways.find_map(|way| way.via.filter(|_| way.network == network));
        Some(Self {
            device: on(network)?.to_string(),
            address: target.host.on_network(network)?.address,
            gateway,
        })
    }

    fn assignments(&self) -> String {
        let gateway = self.gateway.map(|via| format!(" GATEWAY={via}"));
        format!(
            "DEVICE={} BOOTPROTO=static ONBOOT=yes IPADDR={} PREFIX={}{}",
            self.device,
            self.address.addr(),
            self.address.prefix_len(),
            gateway.unwrap_or_default()
        )
    }
}

/// Saves the table where the system looks for it.
pub(super) fn saved_rules(target: Target<'_>, next: &Next<'_>) -> Vec<String> {
    let save = format!("ipvsadm-save -n > {}", target.system().saved_rules());
    let enable = if target.facts().ipvsadm {
        let started = next
            .state
            .ipvs
            .as_ref()
            .is_some_and(|table| !table.is_empty());
        (!started).then(|| typed::enable(target.system(), "ipvsadm").join(" && "))
    } else {
        enable_agent(target, next.files)
    };
    enable.into_iter().chain([save]).collect()
}

/// Has the boot run our agent, where files are there for it and it is not started.
fn enable_agent(target: Target<'_>, files: &BootFiles) -> Option<String> {
    let system = target.system();
    let idle = system.service_manager == ServiceManager::Systemd
        && !agent_boot::runs(files, &system)
        && files.in_directory(SCRIPTS).next().is_some();
    idle.then(|| typed::enable(system, agent_boot::UNIT).concat())
}

/// Makes the `Listen` line that is about this port, else one about a port that is nobody's, listen on it.
pub(super) fn listen_line(files: &BootFiles, port: u16) -> Option<String> {
    listener::repair(&listen_lines(files), port)
}
