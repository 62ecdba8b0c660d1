//! Which programs run, from `/proc` (proc(5)) and without starting any.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::root::Root;

/// Those of `names` that some process of this machine is called (`/proc/PID/comm`, 15 characters at most).
///
/// Processes of containers on this machine do not count: they are in another PID namespace.
pub(super) fn running(root: &Root, names: &[&str]) -> BTreeSet<String> {
    let proc = root.join("/proc");
    let own = fs::read_link(proc.join("self/ns/pid")).ok();
    pids(&proc)
        .filter_map(|pid| {
            let directory = proc.join(pid.to_string());
            let comm = fs::read_to_string(directory.join("comm")).ok()?;
            let comm = comm.trim_end();
            let ours = names.contains(&comm) && fs::read_link(directory.join("ns/pid")).ok() == own;
            ours.then(|| comm.to_owned())
        })
        .collect()
}

/// Whether the process that a pid file names is there and is called `name`.
pub(super) fn pid_file_holds(root: &Root, file: &str, name: &str) -> bool {
    let pid = fs::read_to_string(root.join(file))
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    pid.and_then(|pid| fs::read_to_string(root.join(format!("/proc/{pid}/comm"))).ok())
        .is_some_and(|comm| comm.trim_end() == name.get(..15).unwrap_or(name))
}

fn pids(proc: &Path) -> impl Iterator<Item = u32> {
    fs::read_dir(proc)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(processes: &[(u32, &str)]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        for (pid, comm) in processes {
            let directory = root.join(format!("/proc/{pid}"));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("comm"), format!("{comm}\n")).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn programs_are_found_by_name() {
        let (_directory, root) = root(&[(1, "systemd"), (77, "firewalld"), (78, "firewalld2")]);
        let found = running(&root, &["firewalld", "NetworkManager"]);
        assert_eq!(found, BTreeSet::from(["firewalld".to_owned()]));
    }

    #[test]
    fn a_pid_file_counts_only_while_its_process_is_the_one_meant() {
        let (_directory, root) = root(&[(77, "apache2"), (78, "sh")]);
        let held = |pid: &str| {
            fs::write(root.join("/pid"), pid).unwrap();
            pid_file_holds(&root, "/pid", "apache2")
        };
        assert!(held("77\n"));
        assert!(!held("78\n"));
        assert!(!held("79\n"));
        assert!(!held(""));
        assert!(!pid_file_holds(&root, "/none", "apache2"));
    }
}
