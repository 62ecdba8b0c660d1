//! The host's file system tree: its disk as `/`, and the kernel's file systems of its own namespaces.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::unistd::{chdir, pivot_root};

use super::super::{Failure, While, cgroups};
use crate::sandbox::binary::{hex, random_bytes};
use crate::sandbox::system::System;

/// The id of the running boot, by which programs notice a reboot. The kernel has one for all hosts of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// `/dev/NAME`, device number, permission bits: `Documentation/admin-guide/devices.txt` of the kernel.
const DEVICES: &[(&str, u64, u64, u32)] = &[
    ("null", 1, 3, 0o666),
    ("zero", 1, 5, 0o666),
    ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666),
    ("urandom", 1, 9, 0o666),
    ("kmsg", 1, 11, 0o644),
    ("tty", 5, 0, 0o666),
    ("console", 5, 1, 0o600),
];

const DEVICE_LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Mounts what a running `system` needs below `root` and makes `root` this mount namespace's `/`.
pub fn enter(root: &Path, system: System) -> Result<(), Failure> {
    // Permission bits below are meant as written.
    umask(Mode::empty());
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // pivot_root(2) wants a mount point that is this namespace's own.
    put(root, root, None, MsFlags::MS_BIND, None)?;
    let below = |name: &str| root.join(name);
    put(Path::new("proc"), &below("proc"), Some("proc"), quiet, None)?;
    put(
        Path::new("sysfs"),
        &below("sys"),
        Some("sysfs"),
        quiet,
        None,
    )?;
    if system == System::Debian {
        cgroups::mount_at(&below(cgroups::TREE.trim_start_matches('/')))?;
    }
    let tmpfs = |name: &str, flags, options| {
        put(
            Path::new("tmpfs"),
            &below(name),
            Some("tmpfs"),
            flags,
            Some(options),
        )
    };
    tmpfs("dev", MsFlags::MS_NOSUID, "size=1m,mode=0755")?;
    tmpfs(
        "run",
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        "size=64m,mode=0755",
    )?;
    tmpfs(
        "tmp",
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        "size=256m,mode=1777",
    )?;
    populate_devices(&below("dev"))?;
    put(
        Path::new("devpts"),
        &below("dev/pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("newinstance,gid=5,mode=0620,ptmxmode=0666"),
    )?;
    put(
        Path::new("tmpfs"),
        &below("dev/shm"),
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("size=64m,mode=1777"),
    )?;
    for (name, mode) in [("run/lock", 0o1777), ("run/sshd", 0o755)] {
        directory(&below(name), mode)?;
    }

    chdir(root).during("enter the host's root")?;
    // The old root ends on top of the new one, which is where it can be let go of: pivot_root(2), NOTES.
    pivot_root(".", ".").during("pivot the root")?;
    umount2(".", MntFlags::MNT_DETACH).during("let go of the machine's root")?;
    chdir("/").during("enter /")?;
    umask(Mode::from_bits_truncate(0o022));
    Ok(())
}

/// Gives the host a boot id of its own. Called once randomness is fresh.
pub fn renew_boot_id() -> Result<(), Failure> {
    let file = Path::new("/run/boot_id");
    let id = random_bytes::<16>().during("make a boot id")?;
    std::fs::write(file, uuid(&id) + "\n").during("write a boot id")?;
    put(file, Path::new(BOOT_ID), None, MsFlags::MS_BIND, None)?;
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    put(file, Path::new(BOOT_ID), None, read_only, None)?;
    // The mount keeps the content.
    std::fs::remove_file(file).during("remove the boot id's name")
}

/// A random UUID (RFC 9562, version 4) with these bits.
fn uuid(bytes: &[u8; 16]) -> String {
    let mut bytes = *bytes;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|part| &digits[part])
        .join("-")
}

fn populate_devices(dev: &Path) -> Result<(), Failure> {
    for &(name, major, minor, mode) in DEVICES {
        mknod(
            &dev.join(name),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(mode),
            makedev(major, minor),
        )
        .during(format_args!("create /dev/{name}"))?;
    }
    for (target, name) in DEVICE_LINKS {
        symlink(target, dev.join(name)).during(format_args!("create /dev/{name}"))?;
    }
    directory(&dev.join("pts"), 0o755)?;
    directory(&dev.join("shm"), 0o1777)
}

fn directory(path: &Path, mode: u32) -> Result<(), Failure> {
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)))
        .during(format_args!("create {}", path.display()))
}

fn put(
    source: &Path,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), Failure> {
    mount(Some(source), target, kind, flags, options)
        .during(format_args!("mount {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_a_random_uuid() {
        assert_eq!(uuid(&[0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(&[0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
