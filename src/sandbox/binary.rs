//! This very binary: PID 1 of the machine, and the agent every host finds already in place.

use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::SandboxError;

/// The running binary.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its content.
    pub content: Vec<u8>,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Binary {
    /// Reads the binary this process runs, also when its file was replaced meanwhile.
    ///
    /// # Errors
    /// When `/proc/self/exe` cannot be read.
    pub fn running() -> Result<Self, SandboxError> {
        let path = PathBuf::from("/proc/self/exe");
        let content = std::fs::read(&path).map_err(SandboxError::io("read", &path))?;
        Ok(Self::of(content))
    }

    fn of(content: Vec<u8>) -> Self {
        let sha256 = hex(&Sha256::digest(&content));
        Self { content, sha256 }
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `length` bytes nobody can guess.
///
/// # Errors
/// When the system has no randomness.
pub fn random_bytes<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_what_sha256sum_prints() {
        assert_eq!(
            Binary::of(b"abc".to_vec()).sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
