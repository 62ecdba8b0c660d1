//! The SSH configuration of a lab on existing machines. `ssh -F FILE web2` works with it by hand, too.
//!
//! In: the lab's [`SshTarget`]s and what the user's own configuration says of them (`ssh -G`, so that an
//! alias, a jump host or a key from there keeps its meaning). Out: one `Host` block per lab host.
//! The sandbox writes the configuration of its own hosts.

use std::collections::{BTreeMap, BTreeSet};
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

/// Options that say where a host is and with which key one logs in: first as `ssh -G` prints them, then as ssh_config(5)
/// spells them.
const PLACE: &[(&str, &str)] = &[
    ("hostname", "HostName"),
    ("user", "User"),
    ("port", "Port"),
    ("identityfile", "IdentityFile"),
    ("certificatefile", "CertificateFile"),
];

/// Options of the user's configuration that say how to get there, to log in and to know the host.
const KEPT: &[(&str, &str)] = &[
    ("addressfamily", "AddressFamily"),
    ("bindaddress", "BindAddress"),
    ("bindinterface", "BindInterface"),
    ("casignaturealgorithms", "CASignatureAlgorithms"),
    ("ciphers", "Ciphers"),
    ("compression", "Compression"),
    ("globalknownhostsfile", "GlobalKnownHostsFile"),
    ("gssapiauthentication", "GSSAPIAuthentication"),
    ("gssapidelegatecredentials", "GSSAPIDelegateCredentials"),
    ("hashknownhosts", "HashKnownHosts"),
    ("hostkeyalgorithms", "HostKeyAlgorithms"),
    ("hostkeyalias", "HostKeyAlias"),
    ("identitiesonly", "IdentitiesOnly"),
    ("identityagent", "IdentityAgent"),
    ("kexalgorithms", "KexAlgorithms"),
    ("knownhostscommand", "KnownHostsCommand"),
    ("macs", "MACs"),
    (
        "nohostauthenticationforlocalhost",
        "NoHostAuthenticationForLocalhost",
    ),
    ("pkcs11provider", "PKCS11Provider"),
    ("preferredauthentications", "PreferredAuthentications"),
    ("proxycommand", "ProxyCommand"),
    ("proxyjump", "ProxyJump"),
    ("proxyusefdpass", "ProxyUseFdpass"),
    ("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"),
    // Its name before OpenSSH 8.5.
    ("pubkeyacceptedkeytypes", "PubkeyAcceptedKeyTypes"),
    ("requiredrsasize", "RequiredRSASize"),
    ("securitykeyprovider", "SecurityKeyProvider"),
    ("userknownhostsfile", "UserKnownHostsFile"),
    ("verifyhostkeydns", "VerifyHostKeyDNS"),
];

/// Options whose value is several words, or the rest of the line.
const SEVERAL_WORDS: &[&str] = &[
    "GlobalKnownHostsFile",
    "KnownHostsCommand",
    "ProxyCommand",
    "UserKnownHostsFile",
];

/// Writes the configuration of `lab`'s hosts to `path`.
///
/// # Errors
/// When `ssh` cannot be run, or the file not be written.
pub fn write(path: &Path, lab: &Lab, host_keys: HostKeys) -> io::Result<()> {
    let mut blocks = BTreeMap::new();
    for host in lab.hosts() {
        if let Some(target) = &host.ssh {
            let resolved = resolve(target, None)?;
            let target = from_anywhere(target)?;
            let block = block(&host.name, &target, &resolved, host_keys);
            blocks.insert(host.name.clone(), block);
        }
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    atomic::write(path, file(&blocks, home.as_deref()).as_bytes(), 0o600)
}

/// Makes relative paths absolute.
fn from_anywhere(target: &SshTarget) -> io::Result<SshTarget> {
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
    Ok(SshTarget {
        identity: absolute(&target.identity)?,
        known_hosts: absolute(&target.known_hosts)?,
        ..target.clone()
    })
}

/// The options of the target by `configuration`, or by those that ssh reads by itself, a line each: [`PLACE`], and
/// what is not so without any configuration. An algorithm list that says no more than ssh's own would keep ssh from
/// preferring the kinds of host keys it knows (`HostKeyAlgorithms` in ssh_config(5)).
fn resolve(target: &SshTarget, configuration: Option<&Path>) -> io::Result<String> {
    let of_itself = in_effect(target, Some(Path::new("/dev/null")))?;
    let of_itself: BTreeSet<&str> = of_itself.lines().collect();
    let mut resolved = String::new();
    for line in in_effect(target, configuration)?.lines() {
        let key = line.split(' ').next().unwrap_or(line);
        if PLACE.iter().any(|(place, _)| *place == key) || !of_itself.contains(line) {
            resolved.push_str(line);
            resolved.push('\n');
        }
    }
    Ok(resolved)
}

/// `ssh -G` of the target: every option in effect, a line each. Touches no network.
fn in_effect(target: &SshTarget, configuration: Option<&Path>) -> io::Result<String> {
    let mut ssh = Command::new("ssh");
    if let Some(file) = configuration {
        ssh.arg("-F").arg(file);
    }
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
        let keyword = PLACE.iter().chain(KEPT).find(|(name, _)| *name == key);
        if let Some((_, keyword)) = keyword
            && says_something(target, key, value)
        {
            if SEVERAL_WORDS.contains(keyword) {
                let _ = writeln!(text, "    {keyword} {value}");
            } else {
                option(&mut text, keyword, value);
            }
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

/// Whether a line of the user's configuration adds to what the inventory and ssh itself say.
fn says_something(target: &SshTarget, key: &str, value: &str) -> bool {
    match key {
        // Those that do not exist are ssh's defaults; naming them would make ssh complain.
        "identityfile" | "certificatefile" => target.identity.is_none() && is_there(value),
        "identitiesonly" => target.identity.is_none(),
        "userknownhostsfile" | "globalknownhostsfile" => target.known_hosts.is_none(),
        "proxyjump" | "proxycommand" => value != "none",
        _ => true,
    }
}

/// Whether ssh can use the key. Its public half is enough when an SSH agent holds the private one. `none` is not a file,
/// and `%` tokens are expanded later, so both count.
fn is_there(key: &str) -> bool {
    let public = format!("{key}.pub");
    key == "none" || key.contains('%') || expand(key).exists() || expand(&public).exists()
}

fn file(blocks: &BTreeMap<HostName, String>, home: Option<&Path>) -> String {
    let mut text = "# Written by lvslab and rewritten by its next run.\n\n".to_owned();
    for block in blocks.values() {
        text.push_str(block);
        text.push('\n');
    }
    // For jump hosts. What the user's own files say of a lab's host is in its block already, by its destination;
    // whatever they say of its name in the lab is about another machine.
    text.push_str("Host *");
    for host in blocks.keys() {
        let _ = write!(text, " !{host}");
    }
    text.push('\n');
    if let Some(home) = home {
        let own = home.join(".ssh/config");
        option(&mut text, "Include", &own.display().to_string());
    }
    option(&mut text, "Include", "/etc/ssh/ssh_config");
    text
}

/// ssh_config(5): arguments may be enclosed in double quotes.
fn option(text: &mut String, keyword: &str, value: &str) {
    let _ = if value.contains([' ', '\t', '#']) {
        writeln!(text, "    {keyword} \"{value}\"")
    } else {
        writeln!(text, "    {keyword} {value}")
    };
}

fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
