//! A control group for each host that runs systemd, which sorts its services into groups below it (cgroups(7)).

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::{Failure, While};

/// Where the tree is, in the machine and below each host's root.
pub const TREE: &str = "/sys/fs/cgroup";

/// Mounts the machine's tree.
pub fn mount_tree() -> Result<(), Failure> {
    mount_at(Path::new(TREE))
}

/// Mounts, at `target`, the part of the tree that the caller's cgroup namespace shows.
pub fn mount_at(target: &Path) -> Result<(), Failure> {
    mount(
        Some("cgroup2"),
        target,
        Some("cgroup2"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        None::<&str>,
    )
    .during(format_args!("mount {}", target.display()))
}

/// Moves this process to a new group of the machine's tree, which becomes the root of a cgroup namespace of its own.
pub fn enter(name: &str) -> Result<(), Failure> {
    let group = Path::new(TREE).join(name);
    fs::create_dir(&group)
        // 0 is the writer (cgroups(7)); its number in the machine is not known here.
        .and_then(|()| fs::write(group.join("cgroup.procs"), "0"))
        .during(format_args!("enter control group {name}"))?;
    #[expect(
        unsafe_code,
        reason = "the flag gives this process a namespace and touches no memory"
    )]
    let result = unsafe { libc::unshare(libc::CLONE_NEWCGROUP) };
    Errno::result(result).during("unshare the control groups")?;
    Ok(())
}

/// Removes a group that no process is in any more, with all groups below it.
pub fn remove(name: &str) {
    remove_tree(&Path::new(TREE).join(name));
}

fn remove_tree(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}
