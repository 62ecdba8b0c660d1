//! Live kernel settings, through `/proc/sys`.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::agent::change::journal::Item;
use crate::agent::protocol::ResourceError;
use crate::agent::protocol::error::{because, failed};
use crate::agent::system::root::Root;
use crate::keeper::sysctl_key;
use crate::resource::{Observed, Resource, Sysctl};

/// Setting this one also sets others (`inet_forward_change` in the kernel's net/ipv4/devinet.c; the kernel
/// documents it as "its change resets all configuration parameters to their default state").
const FORWARD: &str = "net.ipv4.ip_forward";

/// The value as the kernel prints it; `None` when it has no such setting.
pub(super) fn observe(root: &Root, key: &str) -> Result<Option<String>, ResourceError> {
    match fs::read_to_string(path(root, key)?) {
        Ok(value) => Ok(Some(value.trim_end_matches('\n').to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(format!("cannot read {key}"), error)),
    }
}

/// What changes with it: forwarding takes each interface's own setting and the acceptance of redirects
/// along.
pub(super) fn side_effects(root: &Root, key: &str) -> Result<Vec<Item>, ResourceError> {
    if sysctl_key::canonical(key).as_deref() != Some(FORWARD) {
        return Ok(Vec::new());
    }
    let Some(now) = observe(root, FORWARD)? else {
        return Ok(Vec::new());
    };
    let mut keys = vec!["net.ipv4.conf.all.accept_redirects".to_owned()];
    let mut interfaces: Vec<String> = fs::read_dir(root.join("/proc/sys/net/ipv4/conf"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    interfaces.sort();
    for interface in interfaces {
        let key = format!("net/ipv4/conf/{interface}/forwarding");
        // What agrees with the main switch follows it back by itself.
        if observe(root, &key)?.is_some_and(|own| own != now) {
            keys.extend(sysctl_key::canonical(&key));
        }
    }
    keys.into_iter()
        .map(|key| {
            let value = observe(root, &key)?;
            Ok(Item::Resource {
                resource: Resource::Sysctl(Sysctl {
                    value: value.clone().unwrap_or_default(),
                    key,
                }),
                before: Observed::Sysctl { value },
            })
        })
        .collect()
}

/// Writes a value.
pub(super) fn set(root: &Root, key: &str, value: &str) -> Result<(), ResourceError> {
    match fs::OpenOptions::new()
        .write(true)
        .open(path(root, key)?)
        .and_then(|mut file| io::Write::write_all(&mut file, format!("{value}\n").as_bytes()))
    {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let error = because(format!("this kernel has no setting {key}"));
            Err(match key.strip_prefix("net.ipv4.conf.") {
                Some(_) => error.hint("is the interface there? `ip link` lists them"),
                None => error,
            })
        }
        Err(error) => Err(failed(format!("cannot set {key} to {value}"), error)),
    }
}

fn path(root: &Root, key: &str) -> Result<PathBuf, ResourceError> {
    sysctl_key::path(key)
        .map(|path| root.join("/proc/sys").join(path))
        .ok_or_else(|| because(format!("{key:?} is no name of a kernel setting")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(settings: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for (path, value) in settings {
            let path = root.join("/proc/sys").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn values_are_read_and_written_where_the_key_says() {
        let (_directory, root) = root(&[("net/ipv4/conf/eth0.1/arp_ignore", "0\n")]);
        let key = "net.ipv4.conf.eth0/1.arp_ignore";
        assert_eq!(observe(&root, key).unwrap().as_deref(), Some("0"));
        set(&root, key, "1").unwrap();
        assert_eq!(observe(&root, key).unwrap().as_deref(), Some("1"));
        assert_eq!(observe(&root, "net.none").unwrap(), None);
        let error = set(&root, "net.ipv4.conf.eth9.arp_ignore", "1").unwrap_err();
        assert_eq!(
            error.cause,
            "this kernel has no setting net.ipv4.conf.eth9.arp_ignore"
        );
        let error = set(&root, "net/../../etc/passwd", "1").unwrap_err();
        assert_eq!(
            error.cause,
            "\"net/../../etc/passwd\" is no name of a kernel setting"
        );
    }

    #[test]
    fn switching_forwarding_notes_what_follows_it() {
        let (_directory, root) = root(&[
            ("net/ipv4/ip_forward", "0\n"),
            ("net/ipv4/conf/all/accept_redirects", "1\n"),
            ("net/ipv4/conf/eth0/forwarding", "0\n"),
            ("net/ipv4/conf/eth0.7/forwarding", "1\n"),
        ]);
        let noted: Vec<_> = side_effects(&root, FORWARD)
            .unwrap()
            .into_iter()
            .map(|item| match item {
                Item::Resource {
                    resource,
                    before: Observed::Sysctl { value },
                } => (resource.id().0, value.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            noted,
            [
                (
                    "sysctl net.ipv4.conf.all.accept_redirects".to_owned(),
                    "1".to_owned()
                ),
                (
                    "sysctl net.ipv4.conf.eth0/7.forwarding".to_owned(),
                    "1".to_owned()
                ),
            ]
        );
        assert_eq!(
            side_effects(&root, "net.ipv4.conf.all.arp_ignore").unwrap(),
            []
        );
    }
}
