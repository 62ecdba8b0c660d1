//! What makes a factory-new disk this host's: its name, its identity, its keys, the names of its neighbours.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::super::assignment::Assignment;
use super::super::{Failure, While, login_keys};
use crate::sandbox::binary::{hex, random_bytes};
use crate::sandbox::description::GuestHost;
use crate::sandbox::system::System;

/// Writes the files of a new host; called with the host's disk as `/`.
pub fn write_what_is_this_hosts_own(
    assignment: &Assignment,
    system: System,
) -> Result<(), Failure> {
    let host = &assignment.host;
    write("/etc/hostname", &format!("{}\n", host.name), 0o644)?;
    write("/etc/hosts", &hosts_file(host), 0o644)?;
    if system == System::Debian {
        // Without one, systemd mounts a passing one over the file at every boot (machine-id(5)).
        let id = hex(&random_bytes::<16>().during("make a machine id")?);
        write("/etc/machine-id", &format!("{id}\n"), 0o444)?;
    }
    login_keys::write(
        Path::new("/"),
        &host.host_key,
        &assignment.authorized_key,
        "",
    )
}

fn hosts_file(host: &GuestHost) -> String {
    let mut text = format!(
        "127.0.0.1\tlocalhost\n127.0.1.1\t{}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        host.name
    );
    if !host.hosts_file.is_empty() {
        text.push('\n');
    }
    for (address, name) in &host.hosts_file {
        text.push_str(&format!("{}\t{name}\n", address.addr()));
    }
    text
}

fn write(path: &str, content: &str, mode: u32) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .during(format_args!("write {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_knows_itself_and_its_neighbours_by_name() {
        let host = GuestHost {
            name: "web1".parse().unwrap(),
            management: "10.0.2.23".parse().unwrap(),
            host_key: String::new(),
            without_httpd: false,
            interfaces: Vec::new(),
            hosts_file: vec![
                (
                    "192.168.4.10/24".parse().unwrap(),
                    "client".parse().unwrap(),
                ),
                (
                    "192.168.4.5/24".parse().unwrap(),
                    "director".parse().unwrap(),
                ),
            ],
        };
        assert_eq!(
            hosts_file(&host),
            "127.0.0.1\tlocalhost\n127.0.1.1\tweb1\n::1\tlocalhost ip6-localhost ip6-loopback\n\n\
             192.168.4.10\tclient\n192.168.4.5\tdirector\n"
        );
    }
}
