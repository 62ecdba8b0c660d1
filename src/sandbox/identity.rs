//! What the saved state of a machine belongs to: it loads into nothing else.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::binary::hex;
use super::machine::{Accelerator, Size};

/// Everything a saved state depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What ran the guest.
    pub accelerator: Accelerator,
    /// QEMU's version with its packaging.
    pub qemu: String,
    /// Key of the image.
    pub image: String,
    /// SHA-256 of the binary that is PID 1 in it.
    pub binary: String,
    /// Memory and processors.
    pub size: Size,
}

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
