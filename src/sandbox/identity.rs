//! What a saved state depends on. It loads into no other machine.

use std::fs::File;
use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accelerator::Accelerator;
use super::binary::hex;
use super::error::SandboxError;
use super::image::Image;
use super::machine::Size;

/// Everything a saved state depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What ran the guest.
    pub accelerator: Accelerator,
    /// QEMU's version with its packaging.
    pub qemu: String,
    /// Key of the image, and which build of it: see [`image_build`].
    pub image: String,
    /// SHA-256 of the binary that is PID 1 in it.
    pub binary: String,
    pub size: Size,
}

/// Tells two builds of an image with the same key apart. A restored machine has a part of its root file system in memory
/// and must read the rest from the same build.
///
/// # Errors
/// When the root file system cannot be read.
pub fn image_build(image: &Image) -> Result<String, SandboxError> {
    let superblock = || {
        // It holds the time of the build, and the places of everything in it.
        let mut bytes = [0; SQUASHFS_SUPERBLOCK];
        File::open(&image.rootfs)?.read_exact(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let bytes = superblock().map_err(SandboxError::io("read", &image.rootfs))?;
    Ok(format!(
        "{}-{}",
        image.key,
        hex(&Sha256::digest(bytes)[..4])
    ))
}

/// `struct squashfs_super_block` of the kernel's `fs/squashfs/squashfs_fs.h`, bytes.
const SQUASHFS_SUPERBLOCK: usize = 96;

impl Identity {
    /// A file name's worth of it.
    #[must_use]
    pub fn key(&self) -> String {
        // JSON keeps the fields apart: no two identities have the same text.
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(text)[..12])
    }

    /// Why a state of this identity does not load into a machine of the identity `here`.
    #[must_use]
    pub fn obstacle(&self, here: &Self) -> Option<String> {
        let differs = |what: &str, there: &dyn std::fmt::Display, here: &dyn std::fmt::Display| {
            Some(format!("it was saved with {what} {there}, here is {here}"))
        };
        if self.accelerator != here.accelerator {
            differs("accelerator", &self.accelerator, &here.accelerator)
        } else if self.qemu != here.qemu {
            differs("QEMU", &self.qemu, &here.qemu)
        } else if self.image != here.image {
            differs("image", &self.image, &here.image)
        } else if self.binary != here.binary {
            let short = |hash: &str| hash.chars().take(12).collect::<String>();
            differs("lvslab build", &short(&self.binary), &short(&here.binary))
        } else if self.size != here.size {
            let text =
                |size: Size| format!("{} MiB and {} processors", size.memory_mib, size.processors);
            differs("a machine of", &text(self.size), &text(here.size))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            accelerator: Accelerator::Tcg,
            qemu: "7.2.22".to_owned(),
            image: "1f2e".to_owned(),
            binary: "0123456789abcdef".to_owned(),
            size: Size::for_hosts(4),
        }
    }

    #[test]
    fn an_image_that_was_built_again_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let image = Image {
            kernel: directory.path().join("vmlinuz"),
            modules: directory.path().join("modules"),
            rootfs: directory.path().join("rootfs.squashfs"),
            key: "1f2e".to_owned(),
        };
        let error = image_build(&image).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /"), "{error}");
        std::fs::write(&image.rootfs, [1; 200]).unwrap();
        let first = image_build(&image).unwrap();
        assert!(first.starts_with("1f2e-"));
        assert_eq!(image_build(&image).unwrap(), first);
        std::fs::write(&image.rootfs, [2; 200]).unwrap();
        assert_ne!(image_build(&image).unwrap(), first);
    }

    #[test]
    fn every_part_changes_the_key_and_is_named_as_the_obstacle() {
        let here = identity();
        assert_eq!(here.obstacle(&here), None);
        type Change = fn(&mut Identity);
        let changes: [(Change, &str); 5] = [
            (
                |other| other.accelerator = Accelerator::Kvm,
                "it was saved with accelerator KVM, here is TCG",
            ),
            (
                |other| other.qemu = "8.0".to_owned(),
                "it was saved with QEMU 8.0, here is 7.2.22",
            ),
            (
                |other| other.image = "9".to_owned(),
                "it was saved with image 9, here is 1f2e",
            ),
            (
                |other| other.binary = "ff".to_owned(),
                "it was saved with lvslab build ff, here is 0123456789ab",
            ),
            (
                |other| other.size = Size::for_hosts(30),
                "it was saved with a machine of 2048 MiB and 2 processors, here is 1024 MiB and 2 processors",
            ),
        ];
        for (change, obstacle) in changes {
            let mut other = identity();
            change(&mut other);
            assert_ne!(other.key(), here.key());
            assert_eq!(other.obstacle(&here).as_deref(), Some(obstacle));
        }
    }
}
