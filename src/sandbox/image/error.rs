//! What can go wrong on the way to an image.

use std::io;
use std::path::PathBuf;

use super::requirements::RequirementsError;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Programs are missing.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// The sandbox is an x86-64 machine, and so must be the one it runs on.
    #[error("the sandbox needs an x86_64 machine, and this is {found}")]
    Architecture {
        /// The processor's architecture.
        found: &'static str,
    },
    /// The disk is too full to begin.
    #[error(
        "{} has {} MB free, and building the sandbox image needs {} MB",
        path.display(), free_bytes / 1_000_000, needed_bytes / 1_000_000
    )]
    Space {
        /// A directory on the full file system.
        path: PathBuf,
        /// Bytes free for this user.
        free_bytes: u64,
        /// Bytes needed.
        needed_bytes: u64,
    },
    /// A file or directory of lvslab's own.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, `create`.
        action: &'static str,
        /// Of what.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The build failed.
    #[error("building the sandbox image failed: {cause}\n{tail}\nall of it is in {}", log.display())]
    Build {
        /// What went wrong, as far as the log tells.
        cause: String,
        /// What to do about it.
        next: String,
        /// The log's last lines.
        tail: String,
        /// The whole log.
        log: PathBuf,
    },
    /// The build said that all is well, and it is not.
    #[error("the build left no complete image in {}", path.display())]
    Incomplete {
        /// Where it should be.
        path: PathBuf,
    },
}

impl ImageError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Requirements(error) => error.hint(),
            Self::Architecture { .. } => {
                "give the hosts of the topology an `ssh:` destination, or run lvslab on an x86_64 machine"
                    .to_owned()
            }
            Self::Space { .. } => {
                "free some space, or point XDG_CACHE_HOME and TMPDIR to a larger disk".to_owned()
            }
            Self::File { path, .. } => format!("may you write to {}?", path.display()),
            Self::Build { next, .. } => next.clone(),
            Self::Incomplete { .. } => "run `lvslab sandbox prepare` again".to_owned(),
        }
    }

    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
