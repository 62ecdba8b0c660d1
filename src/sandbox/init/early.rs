//! Prepares the machine for hosts: mounts, modules, root file system, bridge to the network card.
//!
//! This is the same for every lab, so it happens before the machine's state is saved.

use std::path::Path;
use std::time::Instant;

use nix::mount::{MsFlags, mount};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, chdir, chroot, fork, sethostname};

use super::timestamps::Timestamps;
use super::{Failure, LAYER, MODULES, While, cgroups, log, modules, warm};
use crate::netlink::route::RouteSocket;
use crate::sandbox::system::System;

/// The read-only root file system's directories.
pub const BASE: &str = "/rootfs/base";
/// What installing httpd adds to [`BASE`].
pub const HTTPD: &str = "/rootfs/httpd";
/// Where hosts' disks are.
pub const HOSTS: &str = "/hosts";

const DISK: &str = "/dev/vda";
const NETWORK_CARD: &str = "eth0";

/// What [`bring_up`] leaves behind.
#[derive(Debug)]
pub struct Base {
    /// Netlink in the machine's own network namespace.
    pub route: RouteSocket,
    /// Index of the bridge that reaches the machine's network card.
    pub management_bridge: u32,
    /// What the root file system makes of its hosts.
    pub system: System,
    pub timestamps: Timestamps,
}

/// Makes the machine ready for hosts.
pub fn bring_up() -> Result<Base, Failure> {
    let began = Instant::now();
    mount_kernel_file_systems()?;
    log("loading modules");
    let mut warming = None;
    modules::load_all(Path::new(MODULES), || {
        if warming.is_none() && Path::new(DISK).exists() && can_read_squashfs() {
            mount_root_file_system()?;
            warming = Some(start_warming()?);
        }
        Ok(())
    })?;
    let warming = warming
        .ok_or_else(|| Failure(format!("{DISK} or the module to read it did not appear")))?;
    tame_the_kernel()?;
    let base = wire_the_outside(System::at(Path::new(BASE)))?;
    if base.system == System::Debian {
        cgroups::mount_tree()?;
    }
    let wired = began.elapsed();
    waitpid(warming, None).during("wait for the reader")?;
    log(&format!(
        "ready: modules and network {} ms, then {} ms for the reader",
        wired.as_millis(),
        (began.elapsed() - wired).as_millis(),
    ));
    Ok(base)
}

/// Reads the hosts' programs on one processor while the other loads modules.
fn start_warming() -> Result<Pid, Failure> {
    #[expect(
        unsafe_code,
        reason = "this process has one thread, so the child may do anything"
    )]
    let fork = unsafe { fork() };
    match fork.during("fork the reader")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let bytes = warm::read_what_hosts_run(Path::new(BASE), Path::new(HTTPD));
            log(&format!("{} KiB of programs read", bytes / 1024));
            std::process::exit(0)
        }
    }
}

fn can_read_squashfs() -> bool {
    std::fs::read_to_string("/proc/filesystems").is_ok_and(|known| known.contains("squashfs"))
}

fn mount_kernel_file_systems() -> Result<(), Failure> {
    // The very first root cannot be pivoted away from (pivot_root(2)); a bind mount of it over itself can.
    std::fs::create_dir_all("/again").during("create /again")?;
    plain_mount("/", "/again", None, MsFlags::MS_BIND)?;
    chdir("/again").during("enter /again")?;
    plain_mount("/again", "/", None, MsFlags::MS_MOVE)?;
    chroot(".").during("chroot")?;
    chdir("/").during("enter /")?;
    for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        std::fs::create_dir_all(target).during(format_args!("create {target}"))?;
        plain_mount(kind, target, Some(kind), MsFlags::empty())?;
    }
    Ok(())
}

fn plain_mount(
    source: &str,
    target: &str,
    kind: Option<&str>,
    flags: MsFlags,
) -> Result<(), Failure> {
    mount(Some(source), target, kind, flags, None::<&str>)
        .during(format_args!("mount {source} on {target}"))
}

fn tame_the_kernel() -> Result<(), Failure> {
    sethostname("lvslab-sandbox").during("set the machine's name")?;
    for (file, value) in [
        // All modules are loaded already, and there is no modprobe to load others.
        ("kernel/modprobe", ""),
        // A host's interfaces start with the kernel's defaults instead of the machine's settings.
        ("net/core/devconf_inherit_init_net", "2"),
        // No gre0, sit0 and so on in hosts that asked for no tunnel: each is a device to make, and some look
        // like network cards.
        ("net/core/fb_tunnels_only_for_init_net", "1"),
        // The machine's own network is bridges only. Hosts have IPv6 as any machine has.
        ("net/ipv6/conf/all/disable_ipv6", "1"),
        ("net/ipv6/conf/default/disable_ipv6", "1"),
    ] {
        let path = format!("/proc/sys/{file}");
        if Path::new(&path).exists() {
            std::fs::write(&path, value).during(format_args!("write {path}"))?;
        }
    }
    Ok(())
}

fn mount_root_file_system() -> Result<(), Failure> {
    for directory in ["/rootfs", HOSTS, LAYER] {
        std::fs::create_dir_all(directory).during(format_args!("create {directory}"))?;
    }
    plain_mount(
        DISK,
        "/rootfs",
        Some("squashfs"),
        MsFlags::MS_RDONLY | MsFlags::MS_NODEV,
    )
}

fn wire_the_outside(system: System) -> Result<Base, Failure> {
    let route = RouteSocket::open().during("open a netlink socket")?;
    let management_bridge = route.add_bridge("mgmt").during("create bridge mgmt")?;
    let card = route
        .link(NETWORK_CARD)
        .during("look for the network card")?
        .ok_or_else(|| Failure("the machine has no network card".to_owned()))?;
    route
        .set_controller(card.index, management_bridge)
        .during("put the network card into bridge mgmt")?;
    route
        .set_up(card.index, true)
        .during("set the network card up")?;
    Ok(Base {
        route,
        management_bridge,
        system,
        timestamps: Timestamps::keep_on()?,
    })
}
