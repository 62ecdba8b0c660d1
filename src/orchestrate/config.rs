//! The SSH configuration of a lab on machines one has: `ssh -F FILE web2` then works by hand, too.
//!
//! In: the lab's [`SshTarget`]s and what the user's own configuration says of them (`ssh -G`, so that an
//! alias, a jump host or a key from there keeps its meaning). Out: one `Host` block per lab host.
//! The sandbox writes the configuration of its own hosts.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::{HostName, Lab, SshTarget};
use crate::sys::atomic;

/// What to do about a host whose key is not known yet. A changed key is refused either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKeys {
    /// Refuse.
    #[default]
    Strict,
    /// Take and remember it.
    AcceptNew,
}

/// Options of the user's configuration that say where a host is and how to log in, in ssh(1)'s spelling.
const KEPT: [&str; 9] = [
    "hostname",
    "user",
    "port",
    "proxyjump",
    "proxycommand",
    "hostkeyalias",
    "identityagent",
    "certificatefile",
    "identityfile",
];

/// Writes the configuration of `lab`'s hosts to `path`.
///
/// # Errors
/// When `ssh` cannot be run, or the file not be written.
pub fn write(path: &Path, lab: &Lab, host_keys: HostKeys) -> io::Result<()> {
    let mut blocks = Vec::new();
    for host in lab.hosts() {
        if let Some(target) = &host.ssh {
            let resolved = resolve(target)?;
            let target = from_anywhere(target)?;
            blocks.push(block(&host.name, &target, &resolved, host_keys));
        }
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    atomic::write(path, file(&blocks, home.as_deref()).as_bytes(), 0o600)
}

/// With paths that mean the same file from every directory.
fn from_anywhere(target: &SshTarget) -> io::Result<SshTarget> {
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
    Ok(SshTarget {
        identity: absolute(&target.identity)?,
        known_hosts: absolute(&target.known_hosts)?,
        ..target.clone()
    })
}

/// `ssh -G` of the target: every option in effect, a line each. Touches no network.
fn resolve(target: &SshTarget) -> io::Result<String> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G").stdin(Stdio::null()).stderr(Stdio::piped());
    if let Some(user) = &target.user {
        ssh.arg("-l").arg(user);
    }
    if let Some(port) = target.port {
        ssh.arg("-p").arg(port.to_string());
    }
    let output = ssh.arg("--").arg(&target.host).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("ssh -G {}: {}", target.host, said.trim()),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn block(host: &HostName, target: &SshTarget, resolved: &str, host_keys: HostKeys) -> String {
    let mut text = format!("# {}\nHost {host}\n", target.origin);
    for line in resolved.lines() {
        let Some((key, value)) = line.split_once(' ') else {
            continue;
        };
        let ours = match key {
            "identityfile" | "certificatefile" => {
                // Those that do not exist are ssh's defaults; naming them would make ssh complain.
                target.identity.is_none() && expand(value).exists()
            }
            _ => value != "none",
        };
        if KEPT.contains(&key) && ours {
            option(&mut text, keyword(key), value);
        }
    }
    if let Some(identity) = &target.identity {
        option(&mut text, "IdentityFile", &identity.display().to_string());
        option(&mut text, "IdentitiesOnly", "yes");
    }
    if let Some(known_hosts) = &target.known_hosts {
        option(
            &mut text,
            "UserKnownHostsFile",
            &known_hosts.display().to_string(),
        );
        option(&mut text, "GlobalKnownHostsFile", "none");
    }
    let strict = match host_keys {
        // Refused by our own attempts, which cannot ask; asked by an attempt by hand.
        HostKeys::Strict => "ask",
        HostKeys::AcceptNew => "accept-new",
    };
    option(&mut text, "StrictHostKeyChecking", strict);
    option(&mut text, "ConnectTimeout", "10");
    // What the user forwards or runs at every login has no business in a lab run.
    option(&mut text, "ClearAllForwardings", "yes");
    option(&mut text, "ForwardAgent", "no");
    option(&mut text, "ForwardX11", "no");
    option(&mut text, "PermitLocalCommand", "no");
    option(&mut text, "RemoteCommand", "none");
    text
}

fn file(blocks: &[String], home: Option<&Path>) -> String {
    let mut text = "# Written by lvslab and rewritten by its next run.\n\n".to_owned();
    for block in blocks {
        text.push_str(block);
        text.push('\n');
    }
    // ssh keeps the first value it meets, so what is said above wins.
    text.push_str("Host *\n");
    if let Some(home) = home {
        let own = home.join(".ssh/config");
        option(&mut text, "Include", &own.display().to_string());
    }
    option(&mut text, "Include", "/etc/ssh/ssh_config");
    text
}

/// ssh_config(5): arguments may be enclosed in double quotes. `ProxyCommand` takes the rest of the line as it is.
fn option(text: &mut String, keyword: &str, value: &str) {
    let quote = value.contains([' ', '\t', '#']) && keyword != "ProxyCommand";
    let _ = if quote {
        writeln!(text, "    {keyword} \"{value}\"")
    } else {
        writeln!(text, "    {keyword} {value}")
    };
}

fn keyword(lower: &str) -> &'static str {
    match lower {
        "hostname" => "HostName",
        "user" => "User",
        "port" => "Port",
        "proxyjump" => "ProxyJump",
        "proxycommand" => "ProxyCommand",
        "hostkeyalias" => "HostKeyAlias",
        "identityagent" => "IdentityAgent",
        "certificatefile" => "CertificateFile",
        _ => "IdentityFile",
    }
}

fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> SshTarget {
        SshTarget {
            user: Some("root".to_owned()),
            host: "10.20.0.12".to_owned(),
            port: Some(2222),
            identity: None,
            known_hosts: None,
            origin: "inventory.yaml:9".to_owned(),
        }
    }

    #[test]
    fn a_block_says_where_the_host_is_and_keeps_logins_plain() {
        let resolved = "user root\nhostname 10.20.0.12\nport 2222\nproxyjump bastion\n\
                        identityfile ~/.ssh/no-such-key\nforwardx11 yes\nproxycommand none\n";
        let blocks = [block(
            &"web2".parse().unwrap(),
            &target(),
            resolved,
            HostKeys::Strict,
        )];
        insta::assert_snapshot!(file(&blocks, Some(Path::new("/home/ann lee"))), @r#"
        # Written by lvslab and rewritten by its next run.

        # inventory.yaml:9
        Host web2
            User root
            HostName 10.20.0.12
            Port 2222
            ProxyJump bastion
            StrictHostKeyChecking ask
            ConnectTimeout 10
            ClearAllForwardings yes
            ForwardAgent no
            ForwardX11 no
            PermitLocalCommand no
            RemoteCommand none

        Host *
            Include "/home/ann lee/.ssh/config"
            Include /etc/ssh/ssh_config
        "#);
    }

    #[test]
    fn a_key_from_the_inventory_is_the_only_one_offered() {
        let target = SshTarget {
            identity: Some("/keys/lab key".into()),
            known_hosts: Some("/keys/known_hosts".into()),
            ..target()
        };
        // Exists, so it would be kept if the inventory had not named another.
        let resolved = "identityfile /etc/passwd\nuser root\n";
        let text = block(
            &"web2".parse().unwrap(),
            &target,
            resolved,
            HostKeys::AcceptNew,
        );
        assert!(!text.contains("/etc/passwd"), "{text}");
        assert!(text.contains("IdentityFile \"/keys/lab key\"\n    IdentitiesOnly yes"));
        assert!(text.contains("UserKnownHostsFile /keys/known_hosts"));
        assert!(text.contains("StrictHostKeyChecking accept-new"));
    }

    #[test]
    fn relative_key_files_are_written_in_full() {
        let target = SshTarget {
            identity: Some("keys/lab".into()),
            ..target()
        };
        let identity = from_anywhere(&target).unwrap().identity.unwrap();
        assert!(identity.is_absolute() && identity.ends_with("keys/lab"));
    }

    #[test]
    fn ssh_itself_reads_the_file_back() {
        let ssh = crate::sys::test_programs::program("ssh", "openssh-client").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ssh_config");
        let blocks = [block(
            &"web2".parse().unwrap(),
            &target(),
            &resolve(&target()).unwrap(),
            HostKeys::Strict,
        )];
        std::fs::write(&path, file(&blocks, None)).unwrap();
        let output = Command::new(ssh)
            .arg("-G")
            .arg("-F")
            .arg(&path)
            .arg("web2")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for line in ["hostname 10.20.0.12", "port 2222", "user root"] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
