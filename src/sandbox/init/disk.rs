//! A host's disk: an overlay of the shared read-only root, its changes in memory of the machine.
//!
//! It is mounted once and outlives the host's reboots, as a disk does.

use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::early::HOSTS;
use super::{Failure, While};

/// How much a host may write.
const SIZE: &str = "384m";

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// A factory-new disk for host `number` over the read-only `layers`, uppermost first.
    pub fn new(number: usize, layers: &[&str]) -> Result<Self, Failure> {
        let what = format!("make disk {number}");
        let directory = PathBuf::from(HOSTS).join(number.to_string());
        std::fs::create_dir_all(&directory).during(&what)?;
        mount(
            Some("disk"),
            &directory,
            Some("tmpfs"),
            MsFlags::MS_NODEV,
            Some(format!("size={SIZE},mode=0755").as_str()),
        )
        .during(&what)?;
        let disk = Self { directory };
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(disk.directory.join(name)).during(&what)?;
        }
        let options = format!(
            "lowerdir={},upperdir={1}/upper,workdir={1}/work",
            layers.join(":"),
            disk.directory.display(),
        );
        mount(
            Some("disk"),
            &disk.root(),
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .during(&what)?;
        Ok(disk)
    }

    /// Where the host's `/` is.
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Throws the disk away.
    pub fn discard(self) {
        let _ = umount2(&self.root(), MntFlags::MNT_DETACH);
        let _ = umount2(&self.directory, MntFlags::MNT_DETACH);
    }
}
