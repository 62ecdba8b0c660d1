//! QEMU's command line: which devices the sandbox machine has, and where they end on this side.
//!
//! A saved state loads only into a machine with the same devices in the same order. Ports, paths and whether a state is
//! loaded may differ from run to run.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::sandbox::accelerator::Accelerator;
use crate::sandbox::addresses::SSH_PORT;
use crate::sandbox::control::PORT_NAME;
use crate::sandbox::files::Files;

/// Guest memory and processors; part of what a saved state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Guest memory, MiB.
    pub memory_mib: u32,
    /// Virtual processors.
    pub processors: u32,
}

impl Size {
    /// Enough for this many hosts: a host with a web server and a login needs about 20 MiB, and steps
    /// of two keep the number of saved base states small.
    #[must_use]
    pub fn for_hosts(hosts: usize) -> Self {
        let memory_mib = match hosts {
            0..=12 => 1024,
            13..=36 => 2048,
            37..=84 => 4096,
            _ => 8192,
        };
        Self {
            memory_mib,
            processors: 2,
        }
    }
}

/// A forwarded port: connections to 127.0.0.1:`outside` reach `inside`:22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Loopback port of this machine.
    pub outside: u16,
    /// Management address of the host.
    pub inside: Ipv4Addr,
}

/// Everything QEMU is told.
#[derive(Debug, Clone)]
pub struct Arguments<'a> {
    /// Shown in `ps`.
    pub name: String,
    pub accelerator: Accelerator,
    pub size: Size,
    pub kernel: &'a Path,
    /// First root file system; not needed when a state is loaded.
    pub initramfs: Option<&'a Path>,
    /// Shared root file system of the hosts, read-only.
    pub rootfs: &'a Path,
    /// Where its sockets, its pid and its console go.
    pub files: &'a Files,
    pub forwards: &'a [Forward],
}

impl Arguments<'_> {
    /// The command line after the program's name.
    #[must_use]
    pub fn to_list(&self) -> Vec<OsString> {
        let mut list = List::default();
        list.pair("-name", &self.name);
        list.words(&["-nodefaults", "-no-user-config", "-no-reboot"]);
        list.pair("-display", "none");
        list.pair("-machine", "q35");
        match self.accelerator {
            Accelerator::Kvm => {
                list.pair("-accel", "kvm");
                list.pair("-cpu", "host");
            }
            Accelerator::Tcg => {
                list.pair("-accel", "tcg,thread=multi");
                list.pair("-cpu", "max");
            }
        }
        list.pair("-smp", &self.size.processors.to_string());
        list.pair("-m", &format!("{}M", self.size.memory_mib));
        list.path("-kernel", self.kernel);
        match self.initramfs {
            Some(initramfs) => list.path("-initrd", initramfs),
            None => list.pair("-incoming", "defer"),
        }
        list.pair("-append", &kernel_command_line(self.accelerator));

        list.option(
            "-drive",
            &[
                "if=none",
                "id=rootfs",
                "format=raw",
                "readonly=on",
                "file.locking=off",
            ],
            Some(("file", self.rootfs)),
        );
        list.pair("-device", "virtio-blk-pci,drive=rootfs");

        list.option(
            "-chardev",
            &["socket", "id=control", "server=on", "wait=off"],
            Some(("path", &self.files.control())),
        );
        list.pair("-device", "virtio-serial-pci");
        list.pair(
            "-device",
            &format!("virtserialport,chardev=control,name={PORT_NAME}"),
        );

        let mut network = String::from("user,id=mgmt,restrict=on,ipv6=off");
        for forward in self.forwards {
            network.push_str(&format!(
                ",hostfwd=tcp:127.0.0.1:{}-{}:{SSH_PORT}",
                forward.outside, forward.inside
            ));
        }
        list.pair("-netdev", &network);
        // With event indexes a lost interrupt is never repeated, and every later login hangs. Without them the next packet
        // raises another one.
        list.pair(
            "-device",
            "virtio-net-pci,netdev=mgmt,romfile=,event_idx=off",
        );

        list.option(
            "-chardev",
            &["file", "id=console"],
            Some(("path", &self.files.console())),
        );
        list.pair("-serial", "chardev:console");

        list.option(
            "-chardev",
            &["socket", "id=monitor", "server=on", "wait=off"],
            Some(("path", &self.files.monitor())),
        );
        list.pair("-mon", "chardev=monitor,mode=control");

        // QEMU does not need these once it runs, and a guest that breaks out of it must not have them.
        list.pair(
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        );
        list.path("-pidfile", &self.files.pid());
        list.0
    }
}

/// The comments give the reason for each word, with the measured gain.
fn kernel_command_line(accelerator: Accelerator) -> String {
    let mut words = vec![
        "console=ttyS0",
        // A panic ends QEMU (`-no-reboot`), so nobody waits for a machine that is dead.
        "panic=-1",
        // Nothing worth protecting shares this kernel; saves a tenth of the boot under emulation.
        "mitigations=off",
        // Seeds the kernel's generator at once; the controller mixes in a fresh seed before keys are used.
        "random.trust_cpu=on",
        // Waiting for all processors to pass a quiet state takes tens of milliseconds each time, and loading
        // modules, making namespaces and wiring them does it all the time; asking them takes microseconds.
        "rcupdate.rcu_expedited=1",
        // Debian zeroes memory twice for safety's sake and has access control nobody here uses.
        "init_on_alloc=0",
        "apparmor=0",
        "audit=0",
        "cgroup_disable=memory",
        // Huge pages are zeroed as a whole, and saved as a whole.
        "transparent_hugepage=never",
        // The same program at the same addresses is the same code to QEMU, which then need not translate it
        // again for every process: logins take half the time. Nobody but their owner reaches these hosts.
        "nokaslr",
        "norandmaps",
        // Shows how far a boot came. More lines would slow it down under emulation.
        "loglevel=5",
        "rdinit=/init",
    ];
    if accelerator == Accelerator::Tcg {
        // The emulated timer needs no check, and emulated processors agree on the time.
        words.extend(["no_timer_check", "tsc=reliable"]);
    }
    words.join(" ")
}

#[derive(Default)]
struct List(Vec<OsString>);

impl List {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: &str) {
        self.words(&[option, value]);
    }

    fn path(&mut self, option: &str, path: &Path) {
        self.0.push(option.into());
        self.0.push(path.into());
    }

    /// `-option word,word,key=PATH`, with the commas of the path doubled as QEMU wants them.
    fn option(&mut self, option: &str, words: &[&str], path: Option<(&str, &Path)>) {
        let mut value = words.join(",").into_bytes();
        if let Some((key, path)) = path {
            value.extend_from_slice(format!(",{key}=").as_bytes());
            for &byte in path.as_os_str().as_bytes() {
                value.push(byte);
                if byte == b',' {
                    value.push(b',');
                }
            }
        }
        self.0.push(option.into());
        self.0.push(OsString::from_vec(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            state: "/state/dr".into(),
            runtime: "/run/user/1000/lvslab/dr".into(),
        }
    }

    fn arguments<'a>(files: &'a Files, forwards: &'a [Forward]) -> Arguments<'a> {
        Arguments {
            name: "lvslab-dr".to_owned(),
            accelerator: Accelerator::Tcg,
            size: Size::for_hosts(4),
            kernel: Path::new("/cache/images/1f/vmlinuz"),
            initramfs: Some(Path::new("/cache/initramfs/2e.cpio")),
            rootfs: Path::new("/home/a,b/images/1f/rootfs.squashfs"),
            files,
            forwards,
        }
    }

    fn lines(arguments: &Arguments<'_>) -> String {
        let mut text = String::new();
        for argument in arguments.to_list() {
            let argument = argument.into_string().unwrap();
            if argument.starts_with('-') {
                text.push('\n');
            } else {
                text.push(' ');
            }
            text.push_str(&argument);
        }
        text
    }

    #[test]
    fn the_booted_machine_has_these_devices() {
        let forwards = [
            Forward {
                outside: 40001,
                inside: Ipv4Addr::new(10, 0, 2, 21),
            },
            Forward {
                outside: 40002,
                inside: Ipv4Addr::new(10, 0, 2, 22),
            },
        ];
        insta::assert_snapshot!(lines(&arguments(&files(), &forwards)), @r"

        -name lvslab-dr
        -nodefaults
        -no-user-config
        -no-reboot
        -display none
        -machine q35
        -accel tcg,thread=multi
        -cpu max
        -smp 2
        -m 1024M
        -kernel /cache/images/1f/vmlinuz
        -initrd /cache/initramfs/2e.cpio
        -append console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on rcupdate.rcu_expedited=1 init_on_alloc=0 apparmor=0 audit=0 cgroup_disable=memory transparent_hugepage=never nokaslr norandmaps loglevel=5 rdinit=/init no_timer_check tsc=reliable
        -drive if=none,id=rootfs,format=raw,readonly=on,file.locking=off,file=/home/a,,b/images/1f/rootfs.squashfs
        -device virtio-blk-pci,drive=rootfs
        -chardev socket,id=control,server=on,wait=off,path=/run/user/1000/lvslab/dr/control
        -device virtio-serial-pci
        -device virtserialport,chardev=control,name=lvslab.control
        -netdev user,id=mgmt,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:40001-10.0.2.21:22,hostfwd=tcp:127.0.0.1:40002-10.0.2.22:22
        -device virtio-net-pci,netdev=mgmt,romfile=,event_idx=off
        -chardev file,id=console,path=/state/dr/console.log
        -serial chardev:console
        -chardev socket,id=monitor,server=on,wait=off,path=/run/user/1000/lvslab/dr/qmp
        -mon chardev=monitor,mode=control
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -pidfile /state/dr/pid
        ");
    }

    #[test]
    fn a_restored_machine_differs_in_where_its_memory_comes_from_only() {
        let files = files();
        let booted = arguments(&files, &[]);
        let restored = Arguments {
            initramfs: None,
            ..booted.clone()
        };
        assert_eq!(
            lines(&booted).replace(" /cache/initramfs/2e.cpio", ""),
            lines(&restored).replace("-incoming defer", "-initrd"),
        );
    }

    #[test]
    fn more_hosts_get_more_memory() {
        let sizes: Vec<u32> = [1, 4, 12, 13, 36, 84, 120]
            .map(|hosts| Size::for_hosts(hosts).memory_mib)
            .to_vec();
        assert_eq!(sizes, [1024, 1024, 1024, 2048, 2048, 4096, 8192]);
    }
}
