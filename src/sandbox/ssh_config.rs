//! The files with which `ssh -F FILE web1` reaches a sandbox host: configuration and pinned host keys.

use std::fmt::Write;
use std::path::Path;

use crate::model::HostName;

/// How one host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub name: HostName,
    /// Loopback port.
    pub port: u16,
}

/// `ssh_config`(5) text with one `Host` block per host; `identity` and `known_hosts` are files.
#[must_use]
pub fn config(hosts: &[Reach], identity: &Path, known_hosts: &Path) -> String {
    let mut text = String::from(
        "# Written by lvslab for the hosts of one sandbox. Log in by hand with: ssh -F THIS_FILE HOST\n",
    );
    for host in hosts {
        let _ = write!(
            text,
            "\nHost {0}\n  HostName 127.0.0.1\n  Port {1}\n  HostKeyAlias {0}\n",
            host.name, host.port
        );
    }
    let all: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let _ = write!(
        text,
        "
Host {}
  User root
  IdentityFile {}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  PreferredAuthentications publickey
  PubkeyAuthentication yes
  GSSAPIAuthentication no
  ForwardAgent no
  ForwardX11 no
  AddressFamily inet
  CheckHostIP no
  ConnectTimeout 15
  ServerAliveInterval 15
  LogLevel ERROR
  # The cheapest key exchange under emulation that is still a good one; it decides how long a login takes.
  KexAlgorithms curve25519-sha256
  HostKeyAlgorithms ssh-ed25519
",
        all.join(" "),
        quoted(identity),
        quoted(known_hosts),
    );
    text
}

/// `known_hosts` text: one line per host, under the alias the configuration gives it.
#[must_use]
pub fn known_hosts<'a>(hosts: impl Iterator<Item = (&'a HostName, &'a str)>) -> String {
    let mut text = String::new();
    for (name, public_key) in hosts {
        let mut words = public_key.split_whitespace();
        let (kind, key) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let _ = writeln!(text, "{name} {kind} {key}");
    }
    text
}

/// ssh_config(5): arguments with spaces stand in double quotes; `%` starts a token.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('%', "%%")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_block_and_its_pinned_key() {
        let hosts = [
            Reach {
                name: "client".parse().unwrap(),
                port: 40001,
            },
            Reach {
                name: "web1".parse().unwrap(),
                port: 40002,
            },
        ];
        insta::assert_snapshot!(config(
            &hosts,
            Path::new("/home/a b/50%/id_ed25519"),
            Path::new("/state/known_hosts")
        ), @r#"
        # Written by lvslab for the hosts of one sandbox. Log in by hand with: ssh -F THIS_FILE HOST

        Host client
          HostName 127.0.0.1
          Port 40001
          HostKeyAlias client

        Host web1
          HostName 127.0.0.1
          Port 40002
          HostKeyAlias web1

        Host client web1
          User root
          IdentityFile "/home/a b/50%%/id_ed25519"
          IdentitiesOnly yes
          IdentityAgent none
          UserKnownHostsFile "/state/known_hosts"
          GlobalKnownHostsFile /dev/null
          StrictHostKeyChecking yes
          UpdateHostKeys no
          PreferredAuthentications publickey
          PubkeyAuthentication yes
          GSSAPIAuthentication no
          ForwardAgent no
          ForwardX11 no
          AddressFamily inet
          CheckHostIP no
          ConnectTimeout 15
          ServerAliveInterval 15
          LogLevel ERROR
          # The cheapest key exchange under emulation that is still a good one; it decides how long a login takes.
          KexAlgorithms curve25519-sha256
          HostKeyAlgorithms ssh-ed25519
        "#);
        let keys = ["ssh-ed25519 AAAA client", "ssh-ed25519 BBBB"];
        assert_eq!(
            known_hosts(hosts.iter().map(|host| &host.name).zip(keys)),
            "client ssh-ed25519 AAAA\nweb1 ssh-ed25519 BBBB\n"
        );
    }
}
