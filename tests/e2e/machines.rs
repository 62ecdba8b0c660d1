//! Labs on machines of the user's own. They are factory-new hosts of a separately started sandbox, and lvslab knows
//! them only by an inventory with their addresses, ports and keys.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use crate::Test;
use crate::found::{same_lines, state_of};
use crate::stage::{Alone, Check, Ran, Stage, equal, topology};

pub const TESTS: &[Test] = &[
    (
        "ssh_hosts_are_deployed_and_put_back_byte_for_byte",
        deployed_and_put_back,
    ),
    (
        "nat_on_ssh_hosts_keeps_the_way_back_and_is_put_back",
        nat_put_back,
    ),
    (
        "an_exercise_on_ssh_hosts_is_graded_and_taken_back_by_down",
        exercise,
    ),
    ("httpd_is_installed_where_it_is_missing", installs_httpd),
    ("an_unreachable_host_does_not_stop_the_others", unreachable),
    ("a_wrong_key_is_named_as_such", wrong_key),
    ("a_changed_host_key_is_refused", changed_host_key),
    ("a_full_disk_is_named_as_such", full_disk),
];

/// Machines wired as `topology` needs them, started under another lab's name.
pub struct Machines<'a> {
    pub stage: &'a Stage,
    pub topology: String,
    own: PathBuf,
    pub ports: BTreeMap<String, u16>,
    identity: PathBuf,
    known_hosts: PathBuf,
    _alone: Alone<'a>,
}

impl<'a> Machines<'a> {
    pub fn start(stage: &'a Stage, lab: &str, options: &[&str]) -> Result<Self, String> {
        let alone = stage.alone();
        let text = fs::read_to_string(topology(lab)).map_err(|e| e.to_string())?;
        let own = stage.path("machines.yaml");
        let renamed = text.replacen(&format!("lab: {lab}"), "lab: machines", 1);
        fs::write(&own, renamed).map_err(|e| e.to_string())?;
        let file = own.to_string_lossy().into_owned();
        let mut arguments = vec!["sandbox", "start", &file, "--yes"];
        arguments.extend(options);
        stage.lvslab(&arguments).exit(0)?;
        let config = stage.path("state/lvslab/machines/ssh_config");
        let config =
            fs::read_to_string(&config).map_err(|e| format!("{}: {e}", config.display()))?;
        let mut machines = Self {
            stage,
            topology: topology(lab),
            own,
            ports: BTreeMap::new(),
            identity: PathBuf::new(),
            known_hosts: PathBuf::new(),
            _alone: alone,
        };
        machines.read(&config)?;
        equal("machines that answer", &machines.ports.len(), &4)?;
        Ok(machines)
    }

    fn read(&mut self, ssh_config: &str) -> Check {
        let mut host = String::new();
        for line in ssh_config.lines() {
            let Some((key, value)) = line.trim().split_once(' ') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match key {
                "Host" => host = value.to_owned(),
                "Port" if host != "*" => {
                    let port = value.parse().map_err(|e| format!("port {value}: {e}"))?;
                    self.ports.insert(host.clone(), port);
                }
                "IdentityFile" => self.identity = value.into(),
                "UserKnownHostsFile" => self.known_hosts = value.into(),
                _ => {}
            }
        }
        Ok(())
    }

    /// An inventory of these machines. `bend` may change a host's port, identity and known-hosts file.
    pub fn inventory(
        &self,
        bend: impl Fn(&str, &mut u16, &mut PathBuf, &mut PathBuf),
    ) -> Result<String, String> {
        let mut text = "hosts:\n".to_owned();
        for (host, &port) in &self.ports {
            let (mut port, mut identity, mut known) =
                (port, self.identity.clone(), self.stage.path("known_hosts"));
            self.pin(&known)?;
            bend(host, &mut port, &mut identity, &mut known);
            let _ = writeln!(
                text,
                "  {host}: {{ ssh: \"root@127.0.0.1:{port}\", identity: \"{}\", known_hosts: \"{}\" }}",
                identity.display(),
                known.display()
            );
        }
        let file = self.stage.path("inventory.yaml");
        fs::write(&file, text).map_err(|e| e.to_string())?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Writes the sandbox's host keys, which it keeps by host name, as a known-hosts file by address and port.
    fn pin(&self, file: &std::path::Path) -> Check {
        let pinned = fs::read_to_string(&self.known_hosts).map_err(|e| e.to_string())?;
        let mut text = String::new();
        for line in pinned.lines() {
            let Some((names, key)) = line.split_once(' ') else {
                continue;
            };
            for (host, port) in &self.ports {
                if names
                    .split(',')
                    .any(|name| name == host || name.ends_with(&format!("]:{port}")))
                {
                    let _ = writeln!(text, "[127.0.0.1]:{port} {key}");
                }
            }
        }
        fs::write(file, text).map_err(|e| e.to_string())
    }

    pub fn exec(&self, host: &str, command: &[&str]) -> Ran {
        let mut arguments = vec!["exec", "--lab", "machines", host, "--"];
        arguments.extend(command);
        self.stage.lvslab(&arguments)
    }

    pub fn lvslab(&self, verb: &str, inventory: &str, more: &[&str]) -> Ran {
        let mut arguments = vec![verb, self.topology.as_str(), "-i", inventory];
        arguments.extend(more);
        self.stage.lvslab(&arguments)
    }

    pub fn states(&self) -> Result<BTreeMap<String, String>, String> {
        self.ports
            .keys()
            .map(|host| Ok((host.clone(), state_of(|command| self.exec(host, command))?)))
            .collect()
    }
}

impl Drop for Machines<'_> {
    fn drop(&mut self) {
        let own = self.own.to_string_lossy().into_owned();
        let _ = self.stage.lvslab(&["down", &self.topology, "--forget"]);
        let _ = self.stage.lvslab(&["down", &own]);
    }
}

fn deployed_and_put_back(stage: &Stage) -> Check {
    put_back(&Machines::start(stage, "dr", &[])?)
}

fn nat_put_back(stage: &Stage) -> Check {
    put_back(&Machines::start(stage, "nat", &[])?)
}

/// Saved rules that were there before, for another director.
const OWN_RULES: &str = "\
    printf -- '-A -f 9 -s rr\\n' > /etc/ipvsadm.rules && chmod 640 /etc/ipvsadm.rules";

fn put_back(machines: &Machines<'_>) -> Check {
    machines
        .exec("director", &["sh", "-c", OWN_RULES])
        .exit(0)?;
    let before = machines.states()?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    // A machine that lvslab has never seen has no agent: it must be uploaded.
    for host in machines.ports.keys() {
        machines
            .exec(host, &["rm", "-rf", "/var/lib/lvslab"])
            .exit(0)?;
    }
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("verified")?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("no changes")?;
    machines.lvslab("verify", &inventory, &[]).exit(0)?;
    let during = machines.states()?;
    if during["web1"] == before["web1"] {
        return Err("up changed nothing that this test looks at".to_owned());
    }
    // Two files of the director: the drop-in is new, the saved rules are replaced.
    let (found, changed) = (&before["director"], &during["director"]);
    let lines_of = |state: &str, path: &str| -> Vec<String> {
        let of_path = |line: &&str| line.split(' ').any(|word| word == path);
        state.lines().filter(of_path).map(str::to_owned).collect()
    };
    equal(
        "lines on a drop-in, found and brought",
        &[found, changed].map(|state| lines_of(state, "/usr/local/sbin/ipvsadm").len()),
        &[0, 2],
    )?;
    let rules = [found, changed].map(|state| lines_of(state, "/etc/ipvsadm.rules"));
    if rules[0].len() != 2 || rules[0].iter().any(|line| rules[1].contains(line)) {
        return Err(format!("the saved rules are not replaced\n{rules:?}"));
    }
    machines.lvslab("down", &inventory, &[]).exit(0)?;
    let after = machines.states()?;
    for (host, state) in &before {
        same_lines(host, state, &after[host])?;
    }
    machines
        .lvslab("down", &inventory, &[])
        .exit(0)?
        .says("nothing")?;
    Ok(())
}

fn exercise(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "nat", &[])?;
    let before = machines.states()?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    machines.lvslab("up", &inventory, &["--yes"]).exit(0)?;
    let arguments = ["firewall-drop", "--host", "web2"];
    machines
        .lvslab("break", &inventory, &arguments)
        .exit(0)?
        .says("web2")?;
    machines
        .lvslab("verify", &inventory, &["--requests", "2"])
        .exit(6)?
        .says("nft delete rule inet guard input")?;
    machines.lvslab("down", &inventory, &[]).exit(0)?;
    let after = machines.states()?;
    for (host, state) in &before {
        same_lines(host, state, &after[host])?;
    }
    let rules = machines.exec("web2", &["nft", "list", "ruleset"]).exit(0)?;
    equal("rules left on web2", &rules.out.trim(), &"")
}

fn installs_httpd(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &["--without-httpd"])?;
    machines
        .exec("web1", &["test", "!", "-e", "/usr/sbin/apache2"])
        .exit(0)?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("verified")?;
    machines
        .exec("web1", &["dpkg-query", "-W", "-f", "${Status}", "apache2"])
        .exit(0)?
        .says("install ok installed")?;
    machines.lvslab("down", &inventory, &["--purge"]).exit(0)?;
    machines
        .exec("web1", &["test", "!", "-e", "/usr/sbin/apache2"])
        .exit(0)?;
    Ok(())
}

fn unreachable(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    // Nothing listens on a port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .map_err(|e| e.to_string())?
        .port();
    let inventory = machines.inventory(|host, port, _, _| {
        if host == "web2" {
            *port = closed;
        }
    })?;
    let ran = machines.lvslab("up", &inventory, &["--yes"]).exit(4)?;
    let ran = ran.says("web2")?.says("refused")?.says("inventory.yaml:")?;
    if ran.out.contains("verified") {
        return Err(format!("a word of success after a failure\n{ran}"));
    }
    machines
        .exec(
            "web1",
            &["test", "-e", "/etc/sysconfig/network-scripts/ifcfg-lo:0"],
        )
        .exit(0)?;
    machines
        .exec(
            "web2",
            &[
                "test",
                "!",
                "-e",
                "/etc/sysconfig/network-scripts/ifcfg-lo:0",
            ],
        )
        .exit(0)?;
    machines
        .lvslab("verify", &inventory, &[])
        .exit(4)?
        .says("web2")?;
    Ok(())
}

fn wrong_key(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let stranger = stage.path("stranger");
    let _ = fs::remove_file(&stranger);
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&stranger)
        .stdin(Stdio::null())
        .status()
        .map_err(|e| format!("ssh-keygen: {e}"))?;
    equal("ssh-keygen", &made.success(), &true)?;
    let inventory = machines.inventory(|host, _, identity, _| {
        if host == "web1" {
            identity.clone_from(&stranger);
        }
    })?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(4)?
        .says("web1")?
        .says("does not accept our key")?;
    Ok(())
}

fn changed_host_key(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let swapped = stage.path("swapped_hosts");
    let inventory = machines.inventory(|host, port, _, known| {
        if host == "director" {
            let pinned = fs::read_to_string(&*known).unwrap_or_default();
            let other = pinned
                .lines()
                .find(|line| !line.contains(&port.to_string()))
                .unwrap_or_default();
            let key = other.split_once(' ').map_or("", |(_, key)| key);
            let _ = fs::write(&swapped, format!("[127.0.0.1]:{port} {key}\n"));
            known.clone_from(&swapped);
        }
    })?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(4)?
        .says("director")?
        .says("the host key is not the one we know")?;
    Ok(())
}

fn full_disk(stage: &Stage) -> Check {
    let machines = Machines::start(stage, "dr", &[])?;
    let inventory = machines.inventory(|_, _, _, _| {})?;
    let fill = "rm -rf /var/lib/lvslab; mkdir -p /var/lib/lvslab; mount -t tmpfs -o size=64k,mode=700 full /var/lib/lvslab";
    machines.exec("web1", &["sh", "-c", fill]).exit(0)?;
    let ran = machines.lvslab("up", &inventory, &["--yes"]).exit(3)?;
    ran.says("web1")?.says("No space left")?;
    machines
        .exec("client", &["ip", "-o", "-4", "addr", "show", "dev", "eth0"])
        .exit(0)?
        .says("192.168.4.10/24")?;
    machines
        .exec("web1", &["umount", "/var/lib/lvslab"])
        .exit(0)?;
    machines
        .lvslab("up", &inventory, &["--yes"])
        .exit(0)?
        .says("verified")?;
    Ok(())
}
