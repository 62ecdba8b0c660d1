//! What an image is made of, and the key that names it.
//!
//! Everything that can change the result is in [`Recipe`]. A change to a script or a list makes a new image; the old one
//! stays for the versions that still use it.

use sha2::{Digest, Sha256};

use crate::sandbox::system::System;

/// Version of the image's layout, for changes that the recipe's text does not show.
const FORMAT: u32 = 1;

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Debian release, `bookworm`.
    pub suite: &'static str,
    /// Packages every host has, besides Debian's minimal set.
    pub packages: &'static [&'static str],
    /// Packages that make the [`System`].
    pub system_packages: &'static [&'static str],
    /// Units that systemd must not start.
    pub masked_units: &'static [&'static str],
    /// Paths that packages may not install, dpkg patterns (dpkg(1), `--path-exclude`).
    pub path_excludes: &'static [&'static str],
    /// Kernel modules that must be there; what they depend on comes along.
    pub modules: &'static [&'static str],
    /// Kernel modules that not every kernel has.
    pub optional_modules: &'static [&'static str],
    /// Arguments of mksquashfs(1) that choose the compression.
    pub squashfs: &'static [&'static str],
    /// The hook that runs inside the new system.
    pub script: &'static str,
}

/// Hosts with our own init.
pub const PLAIN: Recipe = Recipe {
    suite: "bookworm",
    packages: &[
        // Logging in and running services as on a machine without systemd.
        "openssh-server",
        "init-system-helpers",
        "sysvinit-utils",
        "procps",
        "kmod",
        // The client's tool, and those with which a person looks around in a lab.
        "curl",
        "ethtool",
        "iproute2",
        "iputils-arping",
        "iputils-ping",
        "less",
        "netbase",
        "netcat-openbsd",
        "nftables",
        "tcpdump",
        "vim-tiny",
    ],
    system_packages: &[],
    masked_units: &[],
    path_excludes: &[
        "/usr/share/doc/*",
        "/usr/share/i18n/*",
        "/usr/share/info/*",
        "/usr/share/lintian/*",
        "/usr/share/locale/*",
        "/usr/share/man/*",
        // Perl comes with apache2; its headers and East Asian encodings nobody needs here.
        "/usr/lib/x86_64-linux-gnu/perl/*/CORE/*",
        "/usr/lib/x86_64-linux-gnu/perl/*/auto/Encode/[JKCT][PRNW]/*",
        "/usr/lib/x86_64-linux-gnu/perl/*/auto/Unicode/Collate/*",
        "/usr/share/perl/*/Unicode/Collate/*",
    ],
    modules: &[
        "virtio_pci",
        "virtio_blk",
        "virtio_net",
        "virtio_console",
        "virtio_rng",
        "squashfs",
        "overlay",
        "veth",
        "bridge",
        "dummy",
        "ip_vs",
        "ip_vs_rr",
        "ip_vs_wrr",
        "ip_vs_lc",
        "ip_vs_wlc",
        "ip_vs_lblc",
        "ip_vs_lblcr",
        "ip_vs_dh",
        "ip_vs_sh",
        "ip_vs_sed",
        "ip_vs_nq",
        "ip_vs_fo",
        "ip_vs_ovf",
        "ip_vs_ftp",
        "ipip",
        "ip_tunnel",
        "nf_conntrack",
        "nf_tables",
    ],
    optional_modules: &[
        "macvlan",
        "ip_vs_mh",
        "ip_vs_twos",
        "ip_vs_pe_sip",
        "vmgenid",
        "inet_diag",
        "af_packet_diag",
        "tcp_diag",
        "udp_diag",
        "unix_diag",
        "fou",
        "gre",
        "ip_gre",
        "ip6_tunnel",
        "sit",
        "sch_netem",
        "sch_tbf",
        "nf_conntrack_netlink",
        "nf_nat",
        "nft_chain_nat",
        "nft_ct",
        "nft_limit",
        "nft_log",
        "nft_masq",
        "nft_nat",
        "nft_reject",
        "nft_reject_inet",
    ],
    // Hardly compressed: on an emulated processor unpacking takes several times as long as reading, and it is
    // read on every boot. 190 MB instead of 75.
    squashfs: &["-comp", "lz4", "-noI", "-noD", "-noF"],
    script: include_str!("inside.sh"),
};

/// Hosts with systemd.
pub const DEBIAN: Recipe = Recipe {
    system_packages: &["systemd", "systemd-sysv", "dbus"],
    // For consoles, disks, power and upkeep that a sandbox host does not have. Starting them doubles the time of a boot
    // under emulation.
    masked_units: &[
        "apt-daily-upgrade.timer",
        "apt-daily.timer",
        "console-getty.service",
        "dev-hugepages.mount",
        "dev-mqueue.mount",
        "dpkg-db-backup.timer",
        "e2scrub_all.timer",
        "e2scrub_reap.service",
        "fstrim.timer",
        "getty.target",
        "modprobe@.service",
        "proc-sys-fs-binfmt_misc.automount",
        "sys-fs-fuse-connections.mount",
        "sys-kernel-config.mount",
        "sys-kernel-debug.mount",
        "sys-kernel-tracing.mount",
        "systemd-ask-password-console.path",
        "systemd-ask-password-wall.path",
        "systemd-binfmt.service",
        "systemd-journal-flush.service",
        "systemd-logind.service",
        "systemd-machine-id-commit.service",
        "systemd-random-seed.service",
        "systemd-remount-fs.service",
        "systemd-tmpfiles-clean.timer",
        "systemd-tmpfiles-setup-dev.service",
        "systemd-update-utmp-runlevel.service",
        "systemd-update-utmp.service",
    ],
    ..PLAIN
};

impl Recipe {
    /// The recipe of this version of lvslab for hosts that run `system`.
    #[must_use]
    pub const fn of(system: System) -> Self {
        match system {
            System::Plain => PLAIN,
            System::Debian => DEBIAN,
        }
    }

    /// Name of the image: 16 hexadecimal digits, the same for the same recipe on every machine.
    #[must_use]
    pub fn key(&self) -> String {
        let Self {
            suite,
            packages,
            system_packages,
            masked_units,
            path_excludes,
            modules,
            optional_modules,
            squashfs,
            script,
        } = self;
        let mut digest = Sha256::new();
        let mut add = |field: &str, values: &[&str]| {
            // Lengths first, so that no two recipes have the same text.
            digest.update(format!("{field} {}\n", values.len()));
            for value in values {
                digest.update(format!("{}:{value}\n", value.len()));
            }
        };
        add("format", &[&FORMAT.to_string()]);
        add("suite", &[suite]);
        add("packages", packages);
        add("system-packages", system_packages);
        add("masked-units", masked_units);
        add("path-excludes", path_excludes);
        add("modules", modules);
        add("optional-modules", optional_modules);
        add("squashfs", squashfs);
        add("script", &[script]);
        digest
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_stable_and_fit_for_a_file_name() {
        let key = PLAIN.key();
        assert_eq!(key, PLAIN.key());
        assert_eq!(key.len(), 16);
        assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn every_part_of_the_recipe_changes_the_key() {
        let changed = [
            Recipe {
                suite: "trixie",
                ..PLAIN
            },
            Recipe {
                packages: &["openssh-server"],
                ..PLAIN
            },
            Recipe {
                system_packages: &["systemd"],
                ..PLAIN
            },
            Recipe {
                masked_units: &["fstrim.timer"],
                ..PLAIN
            },
            Recipe {
                path_excludes: &[],
                ..PLAIN
            },
            Recipe {
                modules: &["ip_vs"],
                ..PLAIN
            },
            Recipe {
                optional_modules: &[],
                ..PLAIN
            },
            Recipe {
                squashfs: &["-comp", "zstd"],
                ..PLAIN
            },
            Recipe {
                script: "true",
                ..PLAIN
            },
        ];
        let mut keys: Vec<_> = changed.iter().map(Recipe::key).collect();
        keys.push(PLAIN.key());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 10);
    }

    #[test]
    fn moving_a_word_from_one_list_to_the_next_changes_the_key() {
        let one = Recipe {
            modules: &["a", "b"],
            optional_modules: &["c"],
            ..PLAIN
        };
        let other = Recipe {
            modules: &["a"],
            optional_modules: &["b", "c"],
            ..PLAIN
        };
        assert_ne!(one.key(), other.key());
    }

    #[test]
    fn the_lists_can_be_handed_to_a_shell_as_words() {
        let names = [
            DEBIAN.packages,
            DEBIAN.system_packages,
            DEBIAN.modules,
            DEBIAN.optional_modules,
        ]
        .concat();
        for name in &names {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
            assert!(!name.is_empty() && name.chars().all(plain), "{name}");
        }
        for unit in DEBIAN.masked_units {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_@.".contains(c);
            assert!(unit.chars().all(plain), "{unit}");
        }
        for pattern in PLAIN.path_excludes {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./*[]".contains(c);
            assert!(
                pattern.starts_with("/usr/") && pattern.chars().all(plain),
                "{pattern}"
            );
        }
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "a name is there twice");
    }
}
