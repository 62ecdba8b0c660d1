//! The kernel and the root file system of the sandbox: built once per recipe, kept in the cache.

use std::path::PathBuf;

/// What a machine boots from. All of it is read only and may be used by many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The Linux kernel, bzImage.
    pub kernel: PathBuf,
    /// Directory with the kernel's modules.
    pub modules: PathBuf,
    /// squashfs.
    pub rootfs: PathBuf,
    /// Name of the recipe.
    pub key: String,
}
