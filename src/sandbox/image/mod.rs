//! The kernel and the root file system that the sandbox boots from.
//!
//! In: the [recipe](recipe::Recipe), this machine's Debian mirrors. Out: an [`Image`] in the cache. The first lvslab that
//! needs it builds it; from then on any number of machines read it.
//!
//! A build is one run of mmdebstrap(1), as root or, in a user namespace, as an ordinary user. [`requirements`] gets the
//! programs for it.

mod apt_sources;
mod build;
mod build_log;
mod cache;
mod error;
pub mod recipe;
pub mod requirements;
mod scratch;
mod space;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Instant;

pub use error::ImageError;
pub use requirements::Consent;

use super::system::System;
use crate::sys::dirs::Dirs;
use crate::sys::progress::Progress;
use recipe::Recipe;
use requirements::{Host, Purpose};

/// Who is being worked on, for [`Progress`].
const SUBJECT: &str = "image";

/// What a machine boots from. All of it is read only and may be used by many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The Linux kernel, bzImage.
    pub kernel: PathBuf,
    /// Directory with the kernel's modules, `*.ko`, uncompressed, and `modules.order`: their file names in
    /// the order to load them in, one a line, dependencies first.
    pub modules: PathBuf,
    /// squashfs with two directories: `base`, a Debian host; `httpd`, an overlayfs layer that makes it one on
    /// which apache2 is installed, neither running nor enabled.
    pub rootfs: PathBuf,
    /// Name of the recipe; what is derived from the image carries it in its own key.
    pub key: String,
}

impl Image {
    /// The image in `directory`, if it is one.
    fn at(directory: &Path, key: &str) -> Option<Self> {
        let image = Self {
            kernel: directory.join("vmlinuz"),
            modules: directory.join("modules"),
            rootfs: directory.join("rootfs.squashfs"),
            key: key.to_owned(),
        };
        let complete = image.kernel.is_file()
            && image.rootfs.is_file()
            && image.modules.join("modules.order").is_file();
        complete.then_some(image)
    }
}

/// This version's image with hosts of `system`, if it has been built. Starts nothing and waits for nobody.
#[must_use]
pub fn find(dirs: &Dirs, system: System) -> Option<Image> {
    cache::find(&images(dirs), &Recipe::of(system).key())
}

/// This version's image with hosts of `system`: built, unless it is there, together with all that this machine needs
/// to build and to run it.
///
/// The first call blocks for minutes. A later one, with everything in place, returns without starting a process. Of two
/// calls at the same time one builds and the other waits for it. The next call removes what a killed build left.
///
/// # Errors
/// [`ImageError`]; its `hint` names the next step.
pub fn prepare(
    dirs: &Dirs,
    system: System,
    consent: Consent<'_>,
    progress: &dyn Progress,
) -> Result<Image, ImageError> {
    let host = Host::here();
    if let Some(image) = find(dirs, system) {
        requirements::ensure(&host, Purpose::Run, consent, progress)?;
        return Ok(image);
    }
    if std::env::consts::ARCH != "x86_64" {
        return Err(ImageError::Architecture {
            found: std::env::consts::ARCH,
        });
    }
    requirements::ensure(&host, Purpose::Build, consent, progress)?;
    let environment = build::Environment::of(host);
    let begun = Instant::now();
    let recipe = Recipe::of(system);
    let image = cache::obtain(&images(dirs), &recipe.key(), progress, |room| {
        build::build(&recipe, &environment, room, progress)
    })?;
    progress.finished(
        SUBJECT,
        &format!("ready after {} s", begun.elapsed().as_secs()),
    );
    Ok(image)
}

fn images(dirs: &Dirs) -> PathBuf {
    dirs.cache.join("images")
}
