//! Which programs run, from `/proc` (proc(5)): no program is started to find out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::root::Root;

/// The names among `names` that living processes of this machine have. The kernel keeps 15 characters of a name.
///
/// Processes of containers are left out: they are in another PID namespace.
pub(in crate::agent) fn running(root: &Root, names: &[&str]) -> BTreeSet<String> {
    let proc = root.join("/proc");
    let own = fs::read_link(proc.join("self/ns/pid")).ok();
    pids(&proc)
        .filter_map(|pid| {
            let name = living(root, pid)?;
            let ours = names.contains(&name.as_str())
                && fs::read_link(proc.join(format!("{pid}/ns/pid"))).ok() == own;
            ours.then_some(name)
        })
        .collect()
}

/// Whether the process that a pid file names is alive and called `name`.
pub(in crate::agent) fn pid_file_holds(root: &Root, file: &str, name: &str) -> bool {
    let pid = fs::read_to_string(root.join(file))
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    pid.and_then(|pid| living(root, pid))
        .is_some_and(|found| found == name.get(..15).unwrap_or(name))
}

/// The name of a living process. `/proc/PID/stat` is `PID (NAME) STATE …`; a dead process stays in state `Z` until its
/// parent has waited for it.
fn living(root: &Root, pid: u32) -> Option<String> {
    let stat = fs::read(root.join(format!("/proc/{pid}/stat"))).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    (!tail.starts_with(['Z', 'X'])).then(|| name.to_owned())
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
        for (pid, stat) in processes {
            let directory = root.join(format!("/proc/{pid}"));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("stat"), format!("{pid} {stat} 1 1 1\n")).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn programs_are_found_by_name() {
        let (_directory, root) = root(&[
            (1, "(systemd) S"),
            (77, "(firewalld) S"),
            (78, "(firewalld2) R"),
            (79, "(NetworkManager) Z"),
            (80, "(odd) S (name) S"),
        ]);
        let found = running(&root, &["firewalld", "NetworkManager"]);
        assert_eq!(found, BTreeSet::from(["firewalld".to_owned()]));
    }

    #[test]
    fn a_pid_file_counts_only_while_its_process_is_the_one_meant() {
        let (_directory, root) = root(&[(77, "(apache2) S"), (78, "(sh) S"), (80, "(apache2) Z")]);
        let held = |pid: &str| {
            fs::write(root.join("/pid"), pid).unwrap();
            pid_file_holds(&root, "/pid", "apache2")
        };
        assert!(held("77\n"));
        assert!(!held("78\n"));
        assert!(!held("79\n"));
        assert!(!held("80\n"));
        assert!(!held(""));
        assert!(!pid_file_holds(&root, "/none", "apache2"));
    }
}
