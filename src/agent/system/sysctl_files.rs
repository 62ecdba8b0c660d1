//! Sets the kernel settings that the files read at boot ask for, as `sysctl --system` does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::boot_files;
use super::root::Root;
use crate::keeper::sysctl_files::{self, SettingLine};
use crate::keeper::sysctl_key;

/// Writes every setting to `root`'s `/proc/sys`, as a boot does; what could not be written is returned.
///
/// A setting that this kernel does not have is no error when its line begins with `-` or a wild card
/// made it.
#[must_use]
pub fn apply(root: &Path) -> Vec<(SettingLine, io::Error)> {
    let settings = sysctl_files::settings(&boot_files::collect(
        &Root::at(root),
        sysctl_files::PLACES.iter(),
    ));
    let base = root.join("proc/sys");
    let mut failures = Vec::new();
    for setting in &settings {
        let Some(value) = &setting.value else {
            continue;
        };
        if !sysctl_files::is_glob(&setting.key) {
            let Some(path) = sysctl_key::path(&setting.key) else {
                continue;
            };
            if let Err(error) = fs::write(base.join(path), format!("{value}\n"))
                && !(setting.optional && error.kind() == io::ErrorKind::NotFound)
            {
                failures.push((setting.clone(), error));
            }
            continue;
        }
        for path in expand(&base, &setting.key) {
            let key = path
                .strip_prefix(&base)
                .ok()
                .and_then(|p| sysctl_key::canonical(&format!("{}", p.display())));
            let named = |other: &SettingLine| Some(&other.key) == key.as_ref();
            if !settings.iter().any(named)
                && let Err(error) = fs::write(path, format!("{value}\n"))
            {
                failures.push((setting.clone(), error));
            }
        }
    }
    failures
}

fn expand(base: &Path, key: &str) -> Vec<PathBuf> {
    let mut found = vec![base.to_path_buf()];
    for part in sysctl_key::components(key).unwrap_or_default() {
        found = found
            .iter()
            .flat_map(|directory| {
                let mut names: Vec<PathBuf> = fs::read_dir(directory)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .filter(|entry| {
                        let name = entry.file_name();
                        sysctl_files::matches_part(part.as_bytes(), name.as_encoded_bytes())
                    })
                    .map(|entry| entry.path())
                    .collect();
                names.sort();
                names
            })
            .collect();
    }
    found.retain(|path| path.is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn applying_writes_the_last_value_and_reports_what_the_kernel_lacks() {
        let root = root(&[
            ("proc/sys/net/ipv4/ip_forward", "0\n"),
            ("proc/sys/net/ipv4/conf/all/rp_filter", "0\n"),
            ("proc/sys/net/ipv4/conf/eth0/rp_filter", "0\n"),
            (
                "etc/sysctl.d/1.conf",
                "net.ipv4.ip_forward=0\nnet.none.such=1\n-net.none.other=1\n",
            ),
            (
                "etc/sysctl.d/2.conf",
                "net.ipv4.ip_forward=1\nnet.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n",
            ),
        ]);
        let failures = apply(root.path());
        let keys: Vec<_> = failures.iter().map(|(s, _)| s.key.as_str()).collect();
        assert_eq!(keys, ["net.none.such"]);
        let read = |p: &str| fs::read_to_string(root.path().join("proc/sys").join(p)).unwrap();
        assert_eq!(read("net/ipv4/ip_forward"), "1\n");
        assert_eq!(read("net/ipv4/conf/eth0/rp_filter"), "2\n");
        assert_eq!(read("net/ipv4/conf/all/rp_filter"), "0\n");
    }
}
